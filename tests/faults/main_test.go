// Package faults lets every system call of the runtime's commands fail, or the runtime be killed at
// it, one at a time, and looks at what that leaves: no command may hang, an error is one line, no
// process lives on without a record, and `delete --force` removes everything.
//
//	make faults                                         every call of every command
//	go test ./tests/faults                              a sample of them
//	go test ./tests/faults -full -only 'exec.* recvmsg' what matches, each as "command call#nth=errno"
package faults

import (
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func([]string) error{"inject": inject})
}
