package devices

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Type is a kind of device node.
type Type byte

// The types, as cgroup v1 spells them.
const (
	All   Type = 'a' // character and block devices
	Block Type = 'b'
	Char  Type = 'c'
)

// Access is a set of rights, in the bits of the kernel's struct bpf_cgroup_dev_ctx.
type Access uint8

// The rights: to make a node, to open it for reading, for writing, and all of these.
const (
	Mknod Access = 1 << iota // BPF_DEVCG_ACC_MKNOD
	Read
	Write

	Full = Mknod | Read | Write
)

// String is the rights as config.json spells them: "rwm".
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

// FromSpec takes over rules of linux.resources.devices that Check has accepted; they stand at place
// in config.json. An absent type, number or access means all of them. A rule for both types with a
// number becomes two, since the kernel's "a" ignores numbers.
func FromSpec(list []specs.LinuxDeviceCgroup, place string) []Rule {
	rules := make([]Rule, 0, len(list))
	for i, d := range list {
		r := Rule{
			Allow: d.Allow, Type: All, Major: numberOf(d.Major), Minor: numberOf(d.Minor), Access: accessOf(d.Access),
			From: place + "[" + strconv.Itoa(i) + "]",
		}
		if d.Type != "" {
			r.Type = Type(d.Type[0])
		}
		if r.Type == All && (r.Major != Any || r.Minor != Any) {
			block, char := r, r
			block.Type, char.Type = Block, Char
			rules = append(rules, block, char)
			continue
		}
		rules = append(rules, r)
	}
	return rules
}

func numberOf(n *int64) int64 {
	if n == nil {
		return Any
	}
	return *n
}

func accessOf(letters string) Access {
	if letters == "" {
		return Full
	}
	var a Access
	for _, c := range []byte(letters) {
		switch c {
		case 'r':
			a |= Read
		case 'w':
			a |= Write
		case 'm':
			a |= Mknod
		}
	}
	return a
}
