package devices

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// request is one open or mknod as the kernel puts it to the program.
type request struct {
	kind         Type
	major, minor int64
	access       Access
}

// allowed is the meaning of a rule list, written as the documentation says it.
func allowed(rules []Rule, q request) bool {
	for _, bit := range []Access{Read, Write, Mknod} {
		if q.access&bit == 0 {
			continue
		}
		verdict := false
		for _, r := range rules {
			if (r.Type == All || r.Type == q.kind) && (r.Major == Any || r.Major == q.major) &&
				(r.Minor == Any || r.Minor == q.minor) && r.Access&bit != 0 {
				verdict = r.Allow
			}
		}
		if !verdict {
			return false
		}
	}
	return true
}

// run interprets the encoded program as the kernel would, refusing what the verifier refuses.
func run(code []byte, q request) (bool, error) {
	kind := uint32(2)
	if q.kind == Block {
		kind = 1
	}
	ctx := []uint32{uint32(q.access)<<16 | kind, uint32(q.major), uint32(q.minor)}
	var reg [11]uint64
	written := [11]bool{1: true}
	for pc := 0; pc*8 < len(code); pc++ {
		in := code[pc*8:]
		op, dst, src := in[0], in[1]&15, in[1]>>4
		imm := uint64(int64(int32(binary.LittleEndian.Uint32(in[4:]))))
		sets := op == 0x61 || op == 0x18 || op == 0xb7 || op == 0xbf
		if op == 0x95 {
			dst = 0
		}
		if !sets && !written[dst] || (op&8 != 0 && op&7 == 7 || op == 0x61) && !written[src] {
			return false, fmt.Errorf("instruction %d (%x) reads a register that was not written", pc, in[:8])
		}
		written[dst] = true
		switch op {
		case 0x61:
			reg[dst] = uint64(ctx[binary.LittleEndian.Uint16(in[2:])/4])
		case 0x18:
			reg[dst] = uint64(uint32(imm)) | uint64(binary.LittleEndian.Uint32(in[12:]))<<32
			pc++
		case 0xb7:
			reg[dst] = imm
		case 0xbf:
			reg[dst] = reg[src]
		case 0x07:
			reg[dst] += imm
		case 0x57:
			reg[dst] &= imm
		case 0x5f:
			reg[dst] &= reg[src]
		case 0x47:
			reg[dst] |= imm
		case 0x4f:
			reg[dst] |= reg[src]
		case 0xa7:
			reg[dst] ^= imm
		case 0xaf:
			reg[dst] ^= reg[src]
		case 0x67:
			reg[dst] <<= imm
		case 0x77:
			reg[dst] >>= imm
		case 0x27:
			reg[dst] *= imm
		case 0x95:
			if reg[0] > 1 {
				return false, fmt.Errorf("returned %d", reg[0])
			}
			return reg[0] == 1, nil
		default:
			return false, fmt.Errorf("unknown opcode %#x at %d", op, pc)
		}
	}
	return false, errors.New("fell out of the program's end")
}

func randomRule(r *rand.Rand) Rule {
	number := func() int64 { return []int64{Any, 0, 1, 2, 3, 4095, 1 << 20}[r.IntN(7)] }
	rule := Rule{
		Allow: r.IntN(2) == 0, Type: []Type{All, Block, Char, Char}[r.IntN(4)], Major: number(), Minor: number(),
		Access: Access(1 + r.IntN(7)), From: "test",
	}
	if rule.Type == All {
		rule.Major, rule.Minor = Any, Any
		if r.IntN(2) == 0 {
			rule.Access = Full
		}
	}
	return rule
}

func allRequests(yield func(request) bool) {
	for _, kind := range []Type{Block, Char} {
		for _, major := range []int64{0, 1, 2, 3, 4, 4095} {
			for _, minor := range []int64{0, 1, 2, 3, 4, 4095, 1<<20 - 1} {
				for access := Access(1); access <= Full; access++ {
					if !yield(request{kind, major, minor, access}) {
						return
					}
				}
			}
		}
	}
}

func TestProgramMeansTheRules(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		rules := make([]Rule, r.IntN(8))
		for i := range rules {
			rules[i] = randomRule(r)
		}
		code := encode(Program(rules), binary.LittleEndian)
		for q := range allRequests {
			got, err := run(code, q)
			if err != nil {
				t.Fatalf("%v: %+v: %v", rules, q, err)
			}
			if want := allowed(rules, q); got != want {
				t.Fatalf("%v: %+v allowed = %v, want %v", rules, q, got, want)
			}
		}
	}
}

// cgroupV1 plays the lines as security/device_cgroup.c does.
func cgroupV1(lines []Line, q request) bool {
	type exception struct {
		device string
		access string
	}
	var list []exception
	allow := true
	for _, l := range lines {
		adds := l.File == "devices.allow"
		if l.Value == "a" {
			allow, list = adds, nil
			continue
		}
		device, access := l.Value[:strings.LastIndexByte(l.Value, ' ')], l.Value[strings.LastIndexByte(l.Value, ' ')+1:]
		if adds != allow {
			list = append(list, exception{device, access})
		} else {
			list = slices.DeleteFunc(list, func(e exception) bool { return e.device == device })
		}
	}
	matches := func(e exception) bool {
		var kind Type
		var major, minor string
		fmt.Sscanf(strings.ReplaceAll(e.device, ":", " "), "%c %s %s", &kind, &major, &minor)
		return kind == q.kind && (major == "*" || major == fmt.Sprint(q.major)) && (minor == "*" || minor == fmt.Sprint(q.minor))
	}
	if allow { // denied when any exception names any bit
		return !slices.ContainsFunc(list, func(e exception) bool {
			return matches(e) && strings.ContainsAny(e.access, q.access.String())
		})
	}
	return slices.ContainsFunc(list, func(e exception) bool { // one exception must name all bits
		return matches(e) && strings.Trim(q.access.String(), e.access) == ""
	})
}

func TestV1MeansTheRules(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	expressible := 0
	for range 5000 {
		rules := make([]Rule, r.IntN(6))
		for i := range rules {
			rules[i] = randomRule(r)
		}
		lines, err := V1(rules)
		if err != nil {
			if !errors.Is(err, errNotV1) {
				t.Fatalf("%v: %v", rules, err)
			}
			continue
		}
		expressible++
		for q := range allRequests {
			// Two exceptions that share a device's bits among them are one more thing that v1 has
			// no way to say: it wants one that names all bits. Requests for a single bit have no
			// such trouble.
			if q.access&(q.access-1) != 0 {
				continue
			}
			if got, want := cgroupV1(lines, q), allowed(rules, q); got != want {
				t.Fatalf("%v\n%v\n%+v allowed = %v, want %v", rules, lines, q, got, want)
			}
		}
	}
	if expressible < 1000 {
		t.Errorf("only %d of 5000 lists could be expressed", expressible)
	}
}

func TestV1(t *testing.T) {
	deny := Rule{Type: All, Major: Any, Minor: Any, Access: Full, From: "deny"}
	allow := deny
	allow.Allow, allow.From = true, "allow"
	char := func(yes bool, major, minor int64, a Access) Rule {
		return Rule{Allow: yes, Type: Char, Major: major, Minor: minor, Access: a, From: "rule"}
	}
	for _, tc := range []struct {
		name  string
		rules []Rule
		want  string // lines, or the error
	}{
		{"nothing", nil, "deny a"},
		{"privileged", []Rule{deny, allow, char(true, 1, 3, Full)}, "allow a"},
		{"all but one", []Rule{allow, char(false, 10, 200, Read)}, "allow a, deny c 10:200 r"},
		{"bits of one device meet in one line", []Rule{deny, char(true, 1, 3, Read), char(true, 1, 3, Write)}, "deny a, allow c 1:3 rw"},
		{"taken back", []Rule{deny, char(true, 1, 3, Full), char(false, 1, 3, Mknod)}, "deny a, allow c 1:3 rw"},
		{"taken back by a wider rule", []Rule{char(true, 1, 3, Full), char(true, 1, 5, Full), char(false, 1, Any, Full)}, "deny a"},
		{"hole with disjoint bits", []Rule{char(true, 9, Any, Mknod), char(false, 9, 3, Read)}, "deny a, allow c 9:* m"},
		{"hole", []Rule{char(true, 9, Any, Full), char(false, 9, 3, Full)}, "rule: deny c 9:3 rwm after allow c 9:* rwm (rule): " + errNotV1.Error()},
		{"no reading", []Rule{allow, {Type: All, Major: Any, Minor: Any, Access: Read}}, "allow a, deny b *:* r, deny c *:* r"},
	} {
		lines, err := V1(tc.rules)
		var parts []string
		for _, l := range lines {
			parts = append(parts, strings.TrimPrefix(l.File, "devices.")+" "+l.Value)
		}
		got := strings.Join(parts, ", ")
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestFromSpec(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	rules := FromSpec([]specs.LinuxDeviceCgroup{
		{Allow: false, Access: "rwm"},
		{Allow: true, Type: "a", Major: n(-1), Minor: n(-1)}, // as Docker spells "all"
		{Allow: true, Type: "c", Major: n(1), Minor: n(3), Access: "mr"},
		{Allow: true, Type: "b", Major: n(8)},
		// This must not become "all devices".
		{Allow: true, Type: "a", Major: n(10), Minor: n(200), Access: "rwm"},
	}, "linux.resources.devices")
	var got []string
	for _, r := range rules {
		got = append(got, r.String()+" "+strings.TrimPrefix(r.From, "linux.resources.devices"))
	}
	want := []string{"deny a *:* rwm [0]", "allow a *:* rwm [1]", "allow c 1:3 rm [2]", "allow b 8:* rwm [3]", "allow b 10:200 rwm [4]", "allow c 10:200 rwm [4]"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A user may deny a default device by name (D38), and engines' deny-all leaves the defaults in
// place.
func TestWithDefaults(t *testing.T) {
	denyAll := Rule{Type: All, Major: Any, Minor: Any, Access: Full}
	tun := Rule{Type: Char, Major: 10, Minor: 200, Access: Full}
	null := request{Char, 1, 3, Read | Write}
	open := request{Char, 10, 200, Read | Write}
	allowTun := tun
	allowTun.Allow = true
	readOnly := tun
	readOnly.Access = Write
	for _, tc := range []struct {
		name      string
		user      []Rule
		null, tun bool
	}{
		{"none", nil, true, true},
		{"deny all", []Rule{denyAll}, true, true},
		{"deny tun", []Rule{denyAll, tun}, true, false},
		{"deny tun, allow it after all", []Rule{denyAll, tun, allowTun}, true, true},
		{"deny tun, then all", []Rule{tun, denyAll}, true, true},
		{"deny writing to tun", []Rule{denyAll, readOnly}, true, false},
	} {
		rules := WithDefaults(tc.user)
		if got := allowed(rules, null); got != tc.null {
			t.Errorf("%s: null allowed = %v", tc.name, got)
		}
		if got := allowed(rules, open); got != tc.tun {
			t.Errorf("%s: tun allowed = %v", tc.name, got)
		}
	}
	if !allowed(WithDefaults([]Rule{denyAll, readOnly}), request{Char, 10, 200, Read}) {
		t.Error("reading tun was not denied")
	}
	for _, q := range []request{{Block, 8, 0, Read}, {Char, 9, 9, Write}, {Char, 1, 1, Read}} {
		if allowed(WithDefaults([]Rule{denyAll}), q) {
			t.Errorf("%+v is allowed by default", q)
		}
	}
}

// A register's place in the byte follows the byte order: struct bpf_insn has bit fields.
func TestEncode(t *testing.T) {
	program := []Insn{{Code: opLoadW, Dst: regMinor, Src: regCtx, Off: 8}, {Code: opXorK, Dst: regMatch, Imm: -2}}
	if got, want := fmt.Sprintf("%x", encode(program, binary.LittleEndian)), "6115080000000000"+"a7070000feffffff"; got != want {
		t.Errorf("little endian: %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%x", encode(program, binary.BigEndian)), "6151000800000000"+"a7700000fffffffe"; got != want {
		t.Errorf("big endian: %s, want %s", got, want)
	}
}
