package seccomp

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

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

func TestDocker(t *testing.T) {
	for _, f := range []string{"docker", "containerd"} {
		p, err := Compile(readProfile(t, "testdata/"+f+".json"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := bpf.Check(p.Code); err != nil {
			t.Fatal(err)
		}
		fmt.Println(f, len(p.Code), p.Unknown, p.Flags)
		if os.Getenv("DUMP") != "" {
			for i, in := range p.Code {
				fmt.Printf("%d %#x %d %d %#x\n", i, in.Op, in.True, in.False, in.K)
			}
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	p := readProfile(b, "testdata/docker.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(p, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
