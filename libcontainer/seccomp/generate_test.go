package seccomp

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func contains(list, word string) bool { return slices.Contains(strings.Fields(list), word) }

func hasMultiplexer(a *arch) bool {
	i, _ := new(finder).find("socketcall")
	return a.table[i] != none
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// generate makes a profile as a fuzzer would, but always a valid one.
func generate(r *rand.Rand) *specs.LinuxSeccomp {
	p := &specs.LinuxSeccomp{ListenerPath: "/run/agent.sock"}
	p.DefaultAction = pick(r, specs.ActErrno, specs.ActErrno, specs.ActErrno, specs.ActAllow, specs.ActKillProcess, specs.ActKill, specs.ActLog, specs.ActTrap, specs.ActTrace)
	p.DefaultErrnoRet = someErrno(r, p.DefaultAction)
	for range 1 + r.IntN(25) {
		action := pick(r, specs.ActAllow, specs.ActAllow, specs.ActAllow, specs.ActErrno, specs.ActErrno, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap,
			specs.ActTrace, specs.ActLog, specs.ActNotify)
		rule := specs.LinuxSyscall{Action: action, ErrnoRet: someErrno(r, action)}
		for range 1 + r.IntN(1<<r.IntN(6)) {
			n := r.IntN(nameCount)
			if r.IntN(3) == 0 { // neighbours make ranges
				n = 100 + r.IntN(40)
			}
			name := name(n)
			if name != "sys_debug_setcontext" { // libseccomp takes it for switch_endian
				rule.Names = append(rule.Names, name)
			}
		}
		if len(rule.Names) == 0 {
			continue
		}
		if r.IntN(2) == 0 {
			rule.Names = rule.Names[:1]
			rule.Args = someArgs(r)
		}
		for range pick(r, 1, 1, 1, 2, 4) { // several rules for the same calls
			p.Syscalls = append(p.Syscalls, rule)
			if rule.Args == nil {
				break
			}
			rule.Args = someArgs(r)
		}
	}
	return p
}

func someErrno(r *rand.Rand, a specs.LinuxSeccompAction) *uint {
	if a != specs.ActErrno && a != specs.ActTrace || r.IntN(2) == 0 {
		return nil
	}
	return new(pick[uint](r, 1, 2, 38, 13, 4095))
}

var operators = []specs.LinuxSeccompOperator{
	specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual,
}

func someArgs(r *rand.Rand) (args []specs.LinuxSeccompArg) {
	for range pick(r, 1, 1, 1, 2, 3) {
		a := specs.LinuxSeccompArg{Index: uint(r.IntN(3)), Op: pick(r, operators...), Value: someValue(r)}
		if r.IntN(4) == 0 {
			a.Index = uint(r.IntN(6))
		}
		if a.Op == specs.OpMaskedEqual {
			a.ValueTwo = someValue(r) & a.Value
			if r.IntN(8) == 0 {
				a.ValueTwo = someValue(r)
			}
		}
		args = append(args, a)
	}
	return args
}

func someValue(r *rand.Rand) uint64 {
	switch r.IntN(6) {
	case 0:
		return uint64(r.IntN(4))
	case 1:
		return 1 << r.IntN(64)
	case 2:
		return 1<<r.IntN(64) - 1
	case 3:
		return ^uint64(0) - uint64(r.IntN(3))
	case 4:
		return uint64(r.IntN(3))<<32 | uint64(r.IntN(3))
	}
	return r.Uint64() >> r.IntN(64)
}

// argumentPool has the values on which a profile's decisions may turn.
func argumentPool(p *specs.LinuxSeccomp) []uint64 {
	pool := []uint64{0, 1, 2, 5, 9, 10, 0xffffffff, 1 << 32, 1<<32 + 1, ^uint64(0), 1 << 63}
	for _, r := range p.Syscalls {
		for _, a := range r.Args {
			pool = append(pool, a.Value, a.Value+1, a.Value-1, ^a.Value, a.ValueTwo, a.Value^1<<32, a.Value&0xffffffff, a.Value|1<<40)
		}
	}
	return pool
}

// numberPool has all numbers of an architecture, those with arguments in their rules many times
// over, and some that it doesn't have.
func numberPool(a *arch, m *model) []uint32 {
	var pool []uint32
	for nr := range uint32(600) {
		pool = append(pool, a.base+nr)
	}
	for nr := range uint32(20) {
		pool = append(pool, privateBase+nr, nr, x32Bit+nr, ^nr)
	}
	for nr, c := range m.rules[a] {
		for range len(c.sometimes) * 30 {
			pool = append(pool, nr)
		}
	}
	slices.Sort(pool) // the same sequence in every run
	return pool
}

// podman returns the profile that Debian's podman uses, as it would hand it over for a container
// with the usual capabilities.
func podman(t *testing.T) *specs.LinuxSeccomp {
	b, err := os.ReadFile("/usr/share/containers/seccomp.json")
	if err != nil {
		t.Logf("podman's profile is left out, golang-github-containers-common is not installed: %v", err)
		return nil
	}
	var file struct {
		specs.LinuxSeccomp
		Syscalls []struct {
			specs.LinuxSyscall
			Includes, Excludes struct{ Arches, Caps []string }
		} `json:"syscalls"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	p := &file.LinuxSeccomp
	p.Syscalls = nil
	caps := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"}
	has := func(list, of []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return slices.Contains(of, s) })
	}
	for _, s := range file.Syscalls {
		if len(s.Includes.Caps) > 0 && !has(s.Includes.Caps, caps) || has(s.Excludes.Caps, caps) ||
			len(s.Includes.Arches) > 0 && !has(s.Includes.Arches, []string{"amd64"}) {
			continue
		}
		p.Syscalls = append(p.Syscalls, s.LinuxSyscall)
	}
	if len(p.Syscalls) < 10 {
		t.Fatalf("podman's profile has only %d rules", len(p.Syscalls))
	}
	return p
}
