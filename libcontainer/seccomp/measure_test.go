package seccomp

import (
	"fmt"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

// commonest are the system calls that a web server and a shell make most, by name on x86-64.
var commonest = []string{
	"read", "write", "close", "openat", "newfstatat", "fstat", "mmap", "munmap", "mprotect", "brk", "futex", "epoll_wait", "recvfrom", "sendto",
	"rt_sigaction", "rt_sigprocmask", "ioctl", "fcntl", "lseek", "clock_nanosleep",
}

// path returns the mean number of instructions that a filter executes for the commonest calls of an
// architecture.
func path(t testing.TB, code []bpf.Instruction, a *arch) float64 {
	t.Helper()
	total, n := 0, 0
	for _, s := range commonest {
		i, ok := new(finder).find(s)
		if !ok {
			t.Fatalf("no system call %s", s)
		}
		nr, ok := a.number(i)
		if !ok {
			continue
		}
		_, steps, err := bpf.Run(code, bpf.Data{Nr: nr, Arch: a.audit}, a.order())
		if err != nil {
			t.Fatal(err)
		}
		total += steps
		n++
	}
	return float64(total) / float64(n)
}

// mean is path over every number that the kernel tries when it loads the filter, to find those that
// are always allowed.
func mean(t testing.TB, code []bpf.Instruction, a *arch) float64 {
	t.Helper()
	total := 0
	for nr := range uint32(470) {
		_, steps, err := bpf.Run(code, bpf.Data{Nr: a.base + nr, Arch: a.audit}, a.order())
		if err != nil {
			t.Fatal(err)
		}
		total += steps
	}
	return float64(total) / 470
}

// TestNoLongerThanLibseccomp prints the sizes side by side.
func TestNoLongerThanLibseccomp(t *testing.T) {
	lib := newLibrary(t)
	profiles := []struct {
		name string
		p    *specs.LinuxSeccomp
	}{{"docker", readProfile(t, "testdata/docker.json")}, {"containerd", readProfile(t, "testdata/containerd.json")}, {"podman", podman(t)}}
	t.Logf("%-12s %-24s %s", "profile", "filter", "instructions, mean path of the commonest calls and of all, on x86-64")
	for _, p := range profiles {
		if p.p == nil {
			continue
		}
		if len(p.p.Architectures) == 0 {
			p.p.Architectures = machines[0]
		}
		ours, err := Compile(p.p, Options{Native: machines[0][0]})
		if err != nil {
			t.Fatal(err)
		}
		a := ours.policy.arches[0]
		row := func(what string, code []bpf.Instruction, took time.Duration) {
			t.Logf("%-12s %-24s %5d %7.1f %7.1f   %v", p.name, what, len(code), path(t, code, a), mean(t, code, a), took)
		}
		row("ours", ours.Code, 0)
		for optimize := 1; optimize <= 2; optimize++ {
			start := time.Now()
			code, err := lib.build(p.p, ours.policy.arches, optimize)
			if err != nil {
				t.Fatal(err)
			}
			row(fmt.Sprintf("libseccomp, optimize %d", optimize), code, time.Since(start).Round(time.Microsecond))
			if len(ours.Code) > len(code) || path(t, ours.Code, a) > path(t, code, a) {
				t.Errorf("%s: our filter is longer", p.name)
			}
		}
	}
}
