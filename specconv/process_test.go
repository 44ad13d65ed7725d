package specconv_test

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/specconv"
)

// A shell in a container, as `exec --tty --env TERM=xterm --user 1000 ID sh` asks for it.
func ExampleProcessChanges() {
	own := &specs.Process{Args: []string{"/server"}, Env: []string{"PATH=/bin"}, Cwd: "/srv"}
	uid := uint32(1000)
	shell := &specconv.ProcessChanges{Args: []string{"sh"}, Terminal: true, Env: []string{"TERM=xterm"}, UID: &uid}
	p := shell.Process(own)
	fmt.Println(p.Args, p.Env, p.Cwd, p.User.UID, p.Terminal)
	fmt.Println(own.Args, own.Env)
	// Output:
	// [sh] [PATH=/bin TERM=xterm] /srv 1000 true
	// [/server] [PATH=/bin]
}
