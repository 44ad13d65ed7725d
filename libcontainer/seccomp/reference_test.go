package seccomp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// reference is a program that builds filters with libseccomp, compiled by the first test that needs
// it.
var reference = sync.OnceValues(func() (string, error) {
	exe := filepath.Join(buildDir, "reference")
	out, err := exec.Command("gcc", "-O2", "-o", exe, "testdata/reference.c", "-lseccomp").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("gcc with libseccomp-dev: %w\n%s", err, out)
	}
	return exe, nil
})

// A library is a running reference program.
type library struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   *bufio.Writer
	out  *bufio.Reader
	pipe io.WriteCloser
}

func newLibrary(t testing.TB) *library {
	t.Helper()
	exe, err := reference()
	if err != nil {
		t.Skipf("no libseccomp to compare with: %v", err)
	}
	l := &library{t: t, cmd: exec.Command(exe)}
	stdin, err := l.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.pipe, l.in, l.out = stdin, bufio.NewWriter(stdin), bufio.NewReader(stdout)
	t.Cleanup(func() {
		stdin.Close()
		l.cmd.Wait()
	})
	return l
}

func (l *library) answer() int32 {
	l.t.Helper()
	if err := l.in.Flush(); err != nil {
		l.t.Fatal(err)
	}
	var n int32
	if err := binary.Read(l.out, binary.LittleEndian, &n); err != nil {
		l.t.Fatalf("the libseccomp program died: %v", err)
	}
	return n
}

// token is the architecture's SCMP_ARCH_*, which is AUDIT_ARCH_* except for x32.
func token(a *arch) uint32 {
	if a.base == x32Bit {
		return 0x4000003e
	}
	return a.audit
}

// resolve returns the number that libseccomp has for a name: -1 for none, below that when only
// other architectures have one.
func (l *library) resolve(token uint32, name string) int32 {
	fmt.Fprintf(l.in, "resolve %d %s\n", token, name)
	return l.answer()
}

var compareOps = map[specs.LinuxSeccompOperator]int{
	specs.OpNotEqual: 1, specs.OpLessThan: 2, specs.OpLessEqual: 3, specs.OpEqualTo: 4, specs.OpGreaterEqual: 5, specs.OpGreaterThan: 6,
	specs.OpMaskedEqual: 7,
}

// build makes libseccomp's filter from the rules, added one by one as a runtime would: rules with
// the default action left out, two conditions on one argument split into two rules. Optimize is 1
// for a list, 2 for a binary tree.
func (l *library) build(p *specs.LinuxSeccomp, arches []*arch, optimize int) ([]bpf.Instruction, error) {
	l.t.Helper()
	def := verdict(p.DefaultAction, p.DefaultErrnoRet)
	var b bytes.Buffer
	fmt.Fprintf(&b, "filter %d %d\n", def, optimize)
	for _, a := range arches {
		fmt.Fprintf(&b, "arch %d\n", token(a))
	}
	for _, r := range p.Syscalls {
		v := verdict(r.Action, r.ErrnoRet)
		if v == def {
			continue
		}
		for _, name := range r.Names {
			for _, c := range clausesOf(r, v) {
				fmt.Fprintf(&b, "rule %d %s %d", v, name, len(c.args))
				for _, a := range c.args {
					fmt.Fprintf(&b, " %d %d %d %d", a.Index, compareOps[a.Op], a.Value, a.ValueTwo)
				}
				b.WriteByte('\n')
			}
		}
	}
	b.WriteString("end\n")
	if _, err := l.in.Write(b.Bytes()); err != nil {
		l.t.Fatal(err)
	}
	n := l.answer()
	if n < 0 {
		return nil, fmt.Errorf("libseccomp: errno %d", -n)
	}
	raw := make([]byte, 8*n)
	if _, err := io.ReadFull(l.out, raw); err != nil {
		l.t.Fatal(err)
	}
	code := bpf.Decode(raw, arches[0].order())
	if arches[0].big {
		unswap(code)
	}
	return code, nil
}

// unswap mends filters that libseccomp makes for big-endian machines on a little-endian one: it
// leaves some returns in its own byte order.
func unswap(code []bpf.Instruction) {
	for i := range code {
		in := &code[i]
		if in.Op != bpf.Return || in.K == 0 {
			continue
		}
		switch in.K &^ 0xffff {
		case retKillProcess, retTrap, retErrno, retNotify, retTrace, retLog, retAllow:
		default:
			in.K = bits.ReverseBytes32(in.K)
		}
	}
}
