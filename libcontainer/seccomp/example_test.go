package seccomp_test

import (
	"fmt"
	"log"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
)

// A profile becomes a filter, which can be asked what it does before a kernel loads it.
func ExampleCompile() {
	program, err := seccomp.Compile(&specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "write", "exit_group"}, Action: specs.ActAllow},
			{Names: []string{"personality"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 0, Op: specs.OpEqualTo}}},
		},
	}, seccomp.Options{Native: specs.ArchX86_64})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(program.Passes("write"), program.Passes("mount"))
	fmt.Println(program.Passes("personality", 0), program.Passes("personality", 8))
	// Output:
	// true false
	// true false
}
