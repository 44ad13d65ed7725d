// Package seccomp compiles the linux.seccomp section of a config.json into the classic BPF program
// that seccomp(2) loads.
//
// Compile is a pure function: a profile goes in, a [Program] comes out, and the same profile gives
// the same program on every machine of an architecture. Nothing here makes a system call; loading
// the program and handing over the listener of SCMP_ACT_NOTIFY belong to the container's init and
// its launcher.
//
// # What decides
//
// A filter first looks at the architecture, then finds the call's number in a search tree over
// ranges of numbers with the same fate, then, where rules have arguments, looks at these. The order
// of rules in the profile never matters:
//
//   - A rule with the default action has no effect.
//   - A rule without arguments hides the rules with arguments for the same call. Of two such rules
//     the stricter wins; but where the default is an error, rules with other errors give way to all
//     others.
//   - Several rules with arguments are alternatives. Where two with different actions match, the
//     one on the later argument wins, then equality before upper bounds before lower bounds, then
//     the tighter value, then the stricter action.
//   - Calls that no rule names get the default action; those newer than every call that the profile
//     names get ENOSYS instead, unless the default action lets them through, so that programs fall
//     back as on an older kernel.
//   - Calls of architectures that are neither native nor listed kill the thread.
//
// This is what runtimes built on libseccomp do with the same profile; the few differences are
// listed in the differential test.
package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// Options change what Compile does. The zero value is what a runtime wants.
type Options struct {
	// Native is the architecture of the machine that will load the program, by default this one's.
	Native specs.Arch
	// FailUnknown makes names that no architecture knows an error. They are skipped otherwise, as
	// profiles name calls of many kernels.
	FailUnknown bool
}

// A Program is a compiled profile.
type Program struct {
	// Code is the filter; Encode returns it as the kernel takes it.
	Code []bpf.Instruction
	// Flags are the flags for seccomp(2). FlagWaitKillableRecv, which the profile must ask for,
	// needs Linux 5.19; the others are older than every kernel that we support.
	Flags uint32
	// Listener says that seccomp(2) will return a descriptor, which belongs to whoever listens at
	// the profile's listenerPath.
	Listener bool
	// Unknown are the names that were skipped because no architecture has such a system call.
	Unknown []string

	policy *policy
	marks  []mark
}

// Compile checks a profile and translates it. The error joins one error for each thing that is
// wrong, each beginning with its place in config.json.
func Compile(profile *specs.LinuxSeccomp, opts Options) (*Program, error) {
	if opts.Native == "" {
		opts.Native = Native(runtime.GOARCH)
	}
	p := &policy{profile: profile}
	if err := p.load(opts.Native); err != nil {
		return nil, err
	}
	if opts.FailUnknown && len(p.unknown) > 0 {
		return nil, fmt.Errorf("linux.seccomp.syscalls: unknown system calls %s", strings.Join(p.unknown, ", "))
	}
	if len(p.clauses) > bpf.MaxInstructions {
		return nil, errTooMany()
	}
	a := newAssembler(p)
	a.machine()
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	if n := len(a.code); n > bpf.MaxInstructions {
		return nil, fmt.Errorf("linux.seccomp.syscalls: the filter has %d instructions, the kernel takes at most %d", n, bpf.MaxInstructions)
	}
	return &Program{
		Code: a.finish(), Flags: p.flags, Listener: p.notify, Unknown: p.unknown, policy: p, marks: a.marks,
	}, nil
}

// Encode returns the filter as an array of struct sock_filter in the byte order of the native
// architecture.
func (p *Program) Encode() []byte { return bpf.Encode(p.Code, p.order()) }

func (p *Program) order() binary.ByteOrder { return p.policy.arches[0].order() }

// Decide runs the filter on one system call and returns its verdict, a SECCOMP_RET_* with its data.
func (p *Program) Decide(d bpf.Data) uint32 {
	v, _, err := bpf.Run(p.Code, d, p.order())
	if err != nil {
		// Can't happen: what Compile makes passes bpf.Check.
		return retKillProcess
	}
	return v
}

// Passes reports whether the filter lets a system call of the native architecture through.
// Arguments that are left out are zero.
func (p *Program) Passes(name string, args ...uint64) bool {
	var f finder
	i, ok := f.find(name)
	if !ok {
		return false
	}
	native := p.policy.arches[0]
	nr, ok := native.number(i)
	if !ok {
		return false
	}
	d := bpf.Data{Nr: nr, Arch: native.audit}
	copy(d.Args[:], args)
	v := p.Decide(d) & unix.SECCOMP_RET_ACTION_FULL
	return v == retAllow || v == retLog
}

// Verdicts returns what can become of a system call of the native architecture, whatever its
// arguments are.
func (p *Program) Verdicts(name string) []uint32 {
	var f finder
	i, ok := f.find(name)
	if !ok {
		return []uint32{p.policy.def}
	}
	d := p.policy.calls[i]
	if dec := p.policy.decisions[d]; dec.clause < 0 {
		return []uint32{dec.verdict}
	}
	all := []uint32{p.policy.def}
	for _, c := range p.policy.chain(d) {
		all = append(all, c.verdict)
	}
	return all
}

// machine emits the whole filter: the parts of the architectures, then what chooses between them.
func (a *assembler) machine() {
	p := a.policy
	next := a.verdict(retBadArch)
	for i := len(p.arches) - 1; i >= 0; i-- {
		audit := p.arches[i].audit
		if i > 0 && p.first(audit) < i {
			continue // x86-64 and x32 are one part
		}
		a.runs = p.runs(a, audit, a.runs[:0])
		part := a.load(bpf.OffsetNr, a.search(a.runs))
		a.marks = append(a.marks, mark{at: part, audit: audit})
		next = a.branch(bpf.JumpEq, audit, part, next)
	}
	a.load(bpf.OffsetArch, next)
}

// first returns the index of the first architecture with an audit value.
func (p *policy) first(audit uint32) int {
	i := 0
	for p.arches[i].audit != audit {
		i++
	}
	return i
}

// runs appends what happens to each system call number of an audit architecture.
func (p *policy) runs(a *assembler, audit uint32, to []run) []run {
	l := layout{policy: p, asm: a, runs: to}
	var x32 *arch
	for _, arch := range p.arches {
		switch {
		case arch.audit != audit:
		case arch.base == x32Bit:
			x32 = arch
		default:
			l.arch(arch)
		}
	}
	if audit != auditX8664 {
		return l.runs
	}
	if len(l.runs) == 0 {
		l.push(0, a.verdict(retBadArch), 0)
	}
	if x32 != nil {
		l.arch(x32)
		return l.runs
	}
	// Every number with the bit is a call of the absent x32 ABI, but -1 stands for a call that a
	// tracer has cancelled.
	l.push(x32Bit, a.verdict(retBadArch), 0)
	l.push(^uint32(0), a.verdict(p.def), 0)
	return l.runs
}

// A layout lays the decisions of a policy out by number.
type layout struct {
	policy *policy
	asm    *assembler
	runs   []run
}

func (l *layout) push(start uint32, to dest, weight uint32) {
	if n := len(l.runs); n > 0 && l.runs[n-1].to == to {
		l.runs[n-1].weight += weight
		return
	}
	l.runs = append(l.runs, run{start, to, weight})
}

// arch appends the runs of one architecture, up to the largest number there is.
func (l *layout) arch(a *arch) {
	p := l.policy
	var slots [tableSize]uint16 // decisions by number
	var far [16]uint16          // of Arm's private calls
	newest := -1
	for i, n := range a.table {
		d := p.calls[i]
		if n == none || d == unnamed {
			continue
		}
		switch {
		case n&private != 0:
			far[n&^private] = d
		case a.own(n):
			slots[n] = d
		default:
			slots[n] = d
			newest = max(newest, int(n))
		}
	}
	newest = max(newest, l.multiplex(a, &slots))
	def := l.asm.verdict(p.def)
	newer := def
	if newest >= 0 && !permissive(p.def) {
		newer = l.asm.verdict(retENOSYS)
	}
	if a.base != 0 && a.base != x32Bit {
		l.push(0, def, 1)
	}
	weight := uint32(8)
	if a.base == x32Bit {
		weight = 1 // hardly ever used, and not tried when the kernel loads the filter
	}
	for n, d := range slots[:newest+1] {
		to := l.decision(d, a.wide)
		if n == 0 && a.cpu == "s390" && newer != def {
			// Calls above 255 come in a register, and those that the kernel doesn't know arrive as
			// number 0.
			to = newer
		}
		l.push(a.base+uint32(n), to, weight)
	}
	l.push(a.base+uint32(newest+1), newer, 1)
	if a.base == x32Bit {
		l.block(a.base+x32Own, slots[x32Own:x32End], a.wide, newer)
	}
	if a.table == &nrARM {
		l.block(privateBase, far[:], a.wide, newer)
	}
}

// block appends the runs of numbers far above the others.
func (l *layout) block(base uint32, slots []uint16, wide bool, after dest) {
	for n, d := range slots {
		l.push(base+uint32(n), l.decision(d, wide), 1)
	}
	l.push(base+uint32(len(slots)), after, 1)
}

func (l *layout) decision(d uint16, wide bool) dest {
	if dec := l.policy.decisions[d]; dec.clause < 0 {
		return l.asm.verdict(dec.verdict)
	}
	return l.asm.target(target{decision: d, wide: wide, at: -1})
}
