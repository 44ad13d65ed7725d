package seccomp

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp/bpf"
)

func readProfile(t testing.TB, file string) *specs.LinuxSeccomp {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var p specs.LinuxSeccomp
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

// compileOnce prints how long the first compilation in a process takes, in nanoseconds.
func compileOnce() int {
	b, err := os.ReadFile("testdata/docker.json")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var p specs.LinuxSeccomp
	if err := json.Unmarshal(b, &p); err != nil {
		fmt.Println(err)
		return 1
	}
	start := time.Now()
	program, err := Compile(&p, Options{})
	took := time.Since(start)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	runtime.KeepAlive(program)
	fmt.Println(took.Nanoseconds())
	return 0
}

// BenchmarkCompileFromCold compiles Docker's profile in processes that have just started, as a
// runtime has: 300 µs are the aim.
func BenchmarkCompileFromCold(b *testing.B) {
	var times []time.Duration
	for b.Loop() {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleVariable+"=compile")
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		ns, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Duration(ns))
	}
	slices.Sort(times)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(times[0].Nanoseconds()), "fastest-ns")
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "median-ns")
}

// BenchmarkCompile reports, beside the time, the filter's length and how many instructions the
// commonest calls take on average.
func BenchmarkCompile(b *testing.B) {
	profile := readProfile(b, "testdata/docker.json")
	profile.Architectures = machines[0]
	var p *Program
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if p, err = Compile(profile, Options{Native: machines[0][0]}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(p.Code)), "instructions")
	b.ReportMetric(path(b, p.Code, p.policy.arches[0]), "path")
}

// BenchmarkLibseccomp is BenchmarkCompile with libseccomp, as a list and as a binary tree. The
// times include handing the rules over.
func BenchmarkLibseccomp(b *testing.B) {
	profile := readProfile(b, "testdata/docker.json")
	var as []*arch
	for _, name := range machines[0] {
		as = append(as, findArch(name))
	}
	for optimize, name := range map[int]string{1: "list", 2: "tree"} {
		b.Run(name, func(b *testing.B) {
			lib := newLibrary(b)
			var code []bpf.Instruction
			for b.Loop() {
				var err error
				if code, err = lib.build(profile, as, optimize); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(code)), "instructions")
			b.ReportMetric(path(b, code, as[0]), "path")
		})
	}
}
