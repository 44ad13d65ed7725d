package devices

import (
	"fmt"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Type is a kind of device node.
type Type byte

const (
	All   Type = 'a' // character and block devices
	Block Type = 'b'
	Char  Type = 'c'
)

// Access is a set of rights, in the bits of the kernel's struct bpf_cgroup_dev_ctx.
type Access uint8

const (
	Mknod Access = 1 << iota // BPF_DEVCG_ACC_MKNOD
	Read
	Write

	Full = Mknod | Read | Write
)

func (a Access) String() string {
	s := make([]byte, 0, 3)
	if a&Read != 0 {
		s = append(s, 'r')
	}
	if a&Write != 0 {
		s = append(s, 'w')
	}
	if a&Mknod != 0 {
		s = append(s, 'm')
	}
	return string(s)
}

// Any as a Major or Minor matches every number.
const Any int64 = -1

// Rule allows or denies access to the devices that it matches.
type Rule struct {
	Allow        bool
	Type         Type
	Major, Minor int64 // Any or a device number; both Any when Type is All
	Access       Access
	From         string // place in config.json, or "default"
}

// String is the rule as cgroup v1 spells it after allow or deny: "allow c 1:3 rwm".
func (r Rule) String() string {
	verb := "deny "
	if r.Allow {
		verb = "allow "
	}
	return verb + r.device()
}

func (r Rule) device() string {
	return string(r.Type) + " " + number(r.Major) + ":" + number(r.Minor) + " " + r.Access.String()
}

func number(n int64) string {
	if n == Any {
		return "*"
	}
	return strconv.FormatInt(n, 10)
}

// covers says whether every device that s matches is matched by r as well.
func (r Rule) covers(s Rule) bool {
	return (r.Type == All || r.Type == s.Type) &&
		(r.Major == Any || r.Major == s.Major) &&
		(r.Minor == Any || r.Minor == s.Minor)
}

// overlaps says whether some device is matched by both.
func (r Rule) overlaps(s Rule) bool {
	return (r.Type == All || s.Type == All || r.Type == s.Type) &&
		(r.Major == Any || s.Major == Any || r.Major == s.Major) &&
		(r.Minor == Any || s.Minor == Any || r.Minor == s.Minor)
}

func (r Rule) sameDevice(s Rule) bool {
	return r.Type == s.Type && r.Major == s.Major && r.Minor == s.Minor
}

// FromSpec checks the rules of linux.resources.devices, which stand at place in config.json. An absent type, number or access
// means all of them. A rule for both types with a number becomes two, since the kernel's "a" ignores numbers.
func FromSpec(list []specs.LinuxDeviceCgroup, place string) ([]Rule, error) {
	rules := make([]Rule, 0, len(list))
	for i, d := range list {
		from := place + "[" + strconv.Itoa(i) + "]"
		r, err := fromSpec(d, from)
		if err != nil {
			return nil, err
		}
		if r.Type == All && (r.Major != Any || r.Minor != Any) {
			block, char := r, r
			block.Type, char.Type = Block, Char
			rules = append(rules, block, char)
			continue
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func fromSpec(d specs.LinuxDeviceCgroup, from string) (Rule, error) {
	r := Rule{Allow: d.Allow, From: from}
	switch d.Type {
	case "", "a":
		r.Type = All
	case "b":
		r.Type = Block
	case "c":
		r.Type = Char
	default:
		return r, fmt.Errorf("%s.type: %q is none of a, b, c", from, d.Type)
	}
	var err error
	if r.Major, err = deviceNumber(d.Major, from+".major"); err != nil {
		return r, err
	}
	if r.Minor, err = deviceNumber(d.Minor, from+".minor"); err != nil {
		return r, err
	}
	r.Access, err = access(d.Access, from+".access")
	return r, err
}

// deviceNumber takes -1 for "all" too, as engines write it.
func deviceNumber(n *int64, from string) (int64, error) {
	if n == nil || *n == Any {
		return Any, nil
	}
	if *n < 0 || *n > 1<<32-1 {
		return 0, fmt.Errorf("%s: %d is not a device number", from, *n)
	}
	return *n, nil
}

func access(s, from string) (Access, error) {
	if s == "" {
		return Full, nil
	}
	var a Access
	for _, c := range []byte(s) {
		switch c {
		case 'r':
			a |= Read
		case 'w':
			a |= Write
		case 'm':
			a |= Mknod
		default:
			return 0, fmt.Errorf("%s: %q has letters other than r, w, m", from, s)
		}
	}
	return a, nil
}
