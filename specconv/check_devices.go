package specconv

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The biggest device numbers that fit the dev_t of mknod(2).
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

// deviceNode is what makes two device entries one device.
type deviceNode struct {
	kind         byte
	major, minor int64
}

func nodeOf(d *specs.LinuxDevice) deviceNode {
	switch d.Type {
	case "p":
		return deviceNode{kind: 'p'}
	case "u":
		return deviceNode{'c', d.Major, d.Minor}
	}
	return deviceNode{d.Type[0], d.Major, d.Minor}
}

func (c *checker) devices() {
	const place = "linux.devices"
	devices := c.linux.Devices
	paths := make(map[string]int, len(devices))
	nodes := make(map[deviceNode]int, len(devices))
	for i := range devices {
		d := &devices[i]
		if !c.device(i, d) {
			continue
		}
		node := nodeOf(d)
		if j, ok := paths[d.Path]; ok && nodeOf(&devices[j]) != node {
			c.bad(at(place, i)+".path", "%q is already that of %s, another device", d.Path, at(place, j))
		}
		if j, ok := nodes[node]; ok && node.kind != 'p' && devices[j].Path != d.Path {
			c.warn(at(place, i), "%q is the same device as %s, %q", d.Path, at(place, j), devices[j].Path)
		}
		paths[d.Path], nodes[node] = i, i
	}
}

// device checks an entry by itself; false means that its type is unknown.
// File type bits in its mode are no problem: old engines send them.
func (c *checker) device(i int, d *specs.LinuxDevice) bool {
	const place = "linux.devices"
	if d.Path == "" || d.Path[0] != '/' || nul(d.Path) {
		c.absolute(at(place, i)+".path", d.Path)
	}
	switch d.Type {
	case "p":
		return true
	case "c", "u", "b":
	default:
		c.bad(at(place, i)+".type", "must be c, b, u or p, not %q", d.Type)
		return false
	}
	if d.Major < 0 || d.Major > maxMajor {
		c.bad(at(place, i)+".major", "must be between 0 and %d, not %d", maxMajor, d.Major)
	}
	if d.Minor < 0 || d.Minor > maxMinor {
		c.bad(at(place, i)+".minor", "must be between 0 and %d, not %d", maxMinor, d.Minor)
	}
	return true
}

// deviceRules checks which devices may be used. An absent number, or -1, is
// any number; an absent type is any type, and an absent access is all of it.
func (c *checker) deviceRules(place string, rules []specs.LinuxDeviceCgroup) {
	for i := range rules {
		rule := &rules[i]
		switch rule.Type {
		case "c", "b":
		case "", "a":
			// The kernel's v1 controller takes such a rule for all devices.
			if rule.Allow && (isNumber(rule.Major) || isNumber(rule.Minor)) {
				c.bad(at(place, i)+".type", "must be c or b for a rule with a device number: without it every device would be allowed")
			}
		default:
			c.bad(at(place, i)+".type", "must be a, c or b, not %q", rule.Type)
		}
		if rule.Major != nil && (*rule.Major < -1 || *rule.Major > 1<<32-1) {
			c.bad(at(place, i)+".major", "not the number of a device: %d", *rule.Major)
		}
		if rule.Minor != nil && (*rule.Minor < -1 || *rule.Minor > 1<<32-1) {
			c.bad(at(place, i)+".minor", "not the number of a device: %d", *rule.Minor)
		}
		if strings.Trim(rule.Access, "rwm") != "" {
			c.bad(at(place, i)+".access", "must be of the letters r, w and m, not %q", rule.Access)
		}
	}
}

func isNumber(n *int64) bool { return n != nil && *n != -1 }
