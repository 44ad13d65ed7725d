package devices

import (
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The biggest device numbers that fit the dev_t of mknod(2).
const (
	MaxMajor = 1<<12 - 1
	MaxMinor = 1<<20 - 1
)

// Check tells bad what is wrong with the rules of linux.resources.devices, which stand at place. An
// absent number, or -1, is any number; an absent type is any type, and an absent access is all of
// it.
func Check(place string, rules []specs.LinuxDeviceCgroup, bad func(place, format string, args ...any)) {
	for i := range rules {
		rule, at := &rules[i], place+"["+strconv.Itoa(i)+"]"
		switch rule.Type {
		case "c", "b":
		case "", "a":
			// The kernel's v1 controller takes such a rule for all devices.
			if rule.Allow && (isNumber(rule.Major) || isNumber(rule.Minor)) {
				bad(at+".type", "must be c or b for a rule with a device number: without it every device would be allowed")
			}
		default:
			bad(at+".type", "must be a, c or b, not %q", rule.Type)
		}
		if rule.Major != nil && (*rule.Major < -1 || *rule.Major > 1<<32-1) {
			bad(at+".major", "not the number of a device: %d", *rule.Major)
		}
		if rule.Minor != nil && (*rule.Minor < -1 || *rule.Minor > 1<<32-1) {
			bad(at+".minor", "not the number of a device: %d", *rule.Minor)
		}
		if strings.Trim(rule.Access, "rwm") != "" {
			bad(at+".access", "must be of the letters r, w and m, not %q", rule.Access)
		}
	}
}

func isNumber(n *int64) bool { return n != nil && *n != -1 }
