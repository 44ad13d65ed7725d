package seccomp

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// departures are the ways in which a program may decide differently from libseccomp's on purpose.
// Each tuple on which they differ must be one of them, and then our decision must be the model's.
var departures = map[string]string{
	"newer":         "ENOSYS for calls newer than all that the profile names: libseccomp has no such rule, runtimes prepend one of their own",
	"order":         "two rules without arguments and with different actions: libseccomp obeys the first, we the stricter or the one that isn't an error by default, whatever the order",
	"overlap":       "rules with several conditions and different actions that both match: libseccomp's choice can depend on their order and on other rules",
	"several":       "a rule with several conditions beside others: libseccomp may not go on to the others once the first condition held; we do",
	"garbled":       "libseccomp's program compares what it loaded last with the value of something else",
	"bounds":        "two bounds on one 64-bit argument that differ in the upper word: libseccomp mixes up the comparisons of that word; we do as the rules say",
	"empty mask":    "a mask without bits in the argument's 32 bits beside other rules: to libseccomp the rule has no arguments then, and comes under order",
	"multiplexed":   "accept, send, recv and semop through socketcall and ipc: libseccomp drops rules for calls that have no number of their own",
	"unknown":       "calls that this libseccomp doesn't know",
	"absent":        "_llseek of 64-bit PA-RISC, number 140: libseccomp's table has it, the kernel's doesn't",
	"refused":       "the same conditions with different actions: libseccomp refuses the profile, we take the stricter action",
	"other machine": "architectures that the machine can't run: libseccomp refuses or compiles them, we leave them out (TestOtherMachines)",
}

// machines are the sets of architectures that are compared, native first.
var machines = [][]specs.Arch{
	{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"},
	{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"},
	{"SCMP_ARCH_X86_64"},
	{"SCMP_ARCH_X86"},
	{"SCMP_ARCH_ARM"},
	{"SCMP_ARCH_RISCV64"},
	{"SCMP_ARCH_PPC64LE"},
	{"SCMP_ARCH_PPC64", "SCMP_ARCH_PPC"},
	{"SCMP_ARCH_S390X", "SCMP_ARCH_S390"},
	{"SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64N32"},
	{"SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64N32"},
	{"SCMP_ARCH_PARISC64", "SCMP_ARCH_PARISC"},
}

// A comparison runs both programs on the same system calls.
type comparison struct {
	t          *testing.T
	lib        *library
	rnd        *rand.Rand
	known      map[*arch]map[uint32]bool // numbers that libseccomp knows
	departed   map[string]int
	tuples     int
	profiles   int
	garbled    bool // the reference at hand
	policy     *specs.LinuxSeccomp
	only       []string // the departures that may occur, nil for any
	ours, refs int      // instructions
}

func (c *comparison) learn(a *arch) {
	if c.known[a] != nil {
		return
	}
	c.known[a] = map[uint32]bool{}
	for i := range nameCount {
		if nr, ok := a.number(i); ok {
			// Rules are added by this machine's numbers, which for the calls of others are made up,
			// but not for all of them.
			if c.lib.resolve(token(a), name(i)) == int32(nr) && c.lib.resolve(0, name(i)) != -1 {
				c.known[a][nr] = true
			}
		}
	}
	// The direct numbers of multiplexed calls resolve to the multiplexer.
	for _, list := range []string{socketCalls, ipcCalls} {
		for i := range nameCount {
			if nr, ok := a.number(i); ok && contains(list, name(i)) && hasMultiplexer(a) {
				c.known[a][nr] = true
			}
		}
	}
}

// profile compares the programs for one profile on n tuples an architecture. It returns false when
// libseccomp refuses the profile.
func (c *comparison) profile(what string, p *specs.LinuxSeccomp, arches []specs.Arch, n int) bool {
	c.t.Helper()
	copied := *p
	p = &copied
	p.Architectures = arches
	program, err := Compile(p, Options{Native: arches[0]})
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	if err := bpf.Check(program.Code); err != nil {
		c.t.Fatalf("%s: the kernel would refuse the program: %v", what, err)
	}
	m := newModel(p, arches[0])
	ref, err := c.lib.build(p, m.arches, 1)
	if err != nil {
		c.departed["refused"]++
		return false
	}
	c.policy = p
	c.garbled = garbled(ref)
	c.profiles++
	c.ours += len(program.Code)
	c.refs += len(ref)
	pool := argumentPool(p)
	for _, a := range m.arches {
		c.learn(a)
		numbers := numberPool(a, m)
		for range n {
			d := bpf.Data{Nr: numbers[c.rnd.IntN(len(numbers))], Arch: a.audit}
			for i := range d.Args {
				d.Args[i] = pool[c.rnd.IntN(len(pool))]
			}
			if newest := m.newest[a]; d.Nr >= newest && newest > a.base && c.rnd.IntN(8) != 0 {
				// most of those above get ENOSYS, which libseccomp doesn't have
				d.Nr = a.base + c.rnd.Uint32N(newest-a.base)
			}
			if c.rnd.IntN(16) == 0 {
				d.Nr = c.rnd.Uint32() >> c.rnd.IntN(32)
			}
			if c.rnd.IntN(64) == 0 {
				d.Arch ^= 1 << c.rnd.IntN(32)
			}
			c.tuple(what, m, program, ref, d)
		}
	}
	return true
}

func (c *comparison) tuple(what string, m *model, ours *Program, ref []bpf.Instruction, d bpf.Data) {
	c.t.Helper()
	c.tuples++
	got := ours.Decide(d)
	want, _, err := bpf.Run(ref, d, ours.order())
	if err != nil {
		c.t.Fatalf("%s: libseccomp's program: %v", what, err)
	}
	if got == want {
		return
	}
	a := m.archOf(d)
	if a == nil {
		c.t.Fatalf("%s: %x: %#x, libseccomp says %#x", what, d, got, want)
	}
	r := m.decide(a, d.Nr, d.Args)
	why := c.why(a, d, r, want, m.def)
	ok := got == r.verdict
	if r.conflict() && len(r.matched) > 0 {
		ok = slices.Contains(r.matched, got)
	}
	if c.only != nil && !slices.Contains(c.only, why) {
		ok = false
	}
	if why == "" || !ok {
		profile, _ := json.Marshal(c.policy)
		c.t.Fatalf("%s: %s %d(%#x): %#x, libseccomp says %#x, the model %#x %+v (%s)\n%s", what, a.name, d.Nr, d.Args, got, want, r.verdict, r.call, why, profile)
	}
	c.departed[why]++
}

// why names the departure that explains a difference.
func (c *comparison) why(a *arch, d bpf.Data, r ruling, lib, def uint32) string {
	multiplexer := hasMultiplexer(a) && (d.Nr == a.base+102 || d.Nr == a.base+117)
	switch {
	case r.newer:
		return "newer"
	case a.name == specs.ArchPARISC64 && d.Nr == 140:
		return "absent"
	case r.call == nil && c.garbled:
		return "garbled"
	case r.call == nil:
		return ""
	case len(r.call.always) > 0 && r.conflict():
		return "order"
	case !c.known[a][d.Nr] && lib == def:
		return "unknown"
	case r.conflict() && severalConditions(r.call):
		return "overlap"
	case multiplexer && lib == def && len(r.matched) > 0 && slices.Contains([]uint64{1, 4, 5, 9, 10}, d.Args[0]&0xffffffff):
		return "multiplexed"
	case len(r.call.sometimes) > 1 && severalConditions(r.call):
		return "several"
	case a.wide && farBounds(r.call):
		return "bounds"
	case emptyMask(a, r.call):
		return "empty mask"
	case c.garbled:
		return "garbled"
	}
	return ""
}

// farBounds reports whether bounds on one argument differ in their upper words.
func farBounds(c *modelCall) bool {
	words := [6]map[uint64]bool{}
	for _, cl := range c.sometimes {
		for _, a := range cl.args {
			switch a.Op {
			case specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterEqual, specs.OpGreaterThan:
				if words[a.Index] == nil {
					words[a.Index] = map[uint64]bool{}
				}
				words[a.Index][a.Value>>32] = true
			}
		}
	}
	return slices.ContainsFunc(words[:], func(w map[uint64]bool) bool { return len(w) > 1 })
}

func emptyMask(a *arch, c *modelCall) bool {
	return slices.ContainsFunc(c.sometimes, func(c modelClause) bool {
		return slices.ContainsFunc(c.args, func(arg specs.LinuxSeccompArg) bool {
			return arg.Op == specs.OpMaskedEqual && (arg.Value == 0 || !a.wide && uint32(arg.Value) == 0)
		})
	})
}

// garbled reports whether a program compares a word of seccomp_data with a value that isn't meant
// for it: where paths meet that loaded different words and the next one relies on the load, or
// where it looks for a call's number in the architecture.
func garbled(code []bpf.Instruction) bool {
	words := make([]uint32, len(code)+256) // a bit for each word that may be loaded
	for pc, in := range code {
		w := words[pc]
		next := pc + 1
		switch in.Op {
		case bpf.LoadAbs:
			words[next] |= 1 << (in.K / 4)
		case bpf.Jump:
			words[next+int(in.K)] |= w
		case bpf.Return:
		default:
			isArch := slices.ContainsFunc(arches[:], func(a arch) bool { return a.audit == in.K })
			if bits.OnesCount32(w) > 1 || w == 1<<(bpf.OffsetArch/4) && !isArch {
				return true
			}
			words[next+int(in.True)] |= w
			words[next+int(in.False)] |= w
		}
	}
	return false
}

func severalConditions(c *modelCall) bool {
	return slices.ContainsFunc(c.sometimes, func(c modelClause) bool { return len(c.args) > 1 })
}

func (m *model) archOf(d bpf.Data) *arch {
	for _, a := range m.arches {
		if a.audit == d.Arch && (a.audit != auditX8664 || (a.base == x32Bit) == (d.Nr&x32Bit != 0)) {
			return a
		}
	}
	return nil
}

func TestSameAsLibseccomp(t *testing.T) {
	c := &comparison{t: t, lib: newLibrary(t), rnd: rand.New(rand.NewPCG(1, 2)), known: map[*arch]map[uint32]bool{}, departed: map[string]int{}}
	files := map[string]*specs.LinuxSeccomp{"docker": readProfile(t, "testdata/docker.json"), "containerd": readProfile(t, "testdata/containerd.json")}
	if p := podman(t); p != nil {
		files["podman"] = p
	}
	// nothing else where engines' own profiles are concerned
	c.only = []string{"newer", "unknown", "absent"}
	for _, machine := range machines {
		for _, what := range slices.Sorted(maps.Keys(files)) {
			c.profile(what+" on "+string(machine[0]), files[what], machine, 20000)
		}
	}
	c.only = nil
	const generated = 200
	for j, machine := range machines {
		for i := 0; i < generated; {
			p := generate(c.rnd)
			if c.profile(fmt.Sprintf("generated profile %d on %s", i, machine[0]), p, machine, 10000) {
				i++
				if j >= 2 {
					i += 4 // the rarer machines get fewer
				}
			}
		}
	}
	t.Logf("%d programs, %d tuples; %d instructions, libseccomp's %d", c.profiles, c.tuples, c.ours, c.refs)
	for _, d := range slices.Sorted(maps.Keys(c.departed)) {
		t.Logf("%8d %s: %s", c.departed[d], d, departures[d])
	}
}
