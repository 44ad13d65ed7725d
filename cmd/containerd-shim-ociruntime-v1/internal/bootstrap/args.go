// Package bootstrap is how containerd starts a shim: the flags and the message on stdin, the socket
// that all containers of a pod share, and the daemon behind it.
package bootstrap

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Args are what containerd puts on the command line, before the action.
type Args struct {
	Namespace string // of containerd's, by which its clients' containers are kept apart
	Address   string // of containerd's gRPC socket
	Publish   string // containerd's program
	ID        string // of the container
	Bundle    string
	Debug     bool
	Version   bool
	Info      bool
	Action    string // "start", "delete", or empty for the daemon
}

// Parse reads a command line without the program's name.
func Parse(args []string) (*Args, error) {
	a := &Args{}
	f := flag.NewFlagSet("containerd-shim-ociruntime-v1", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&a.Namespace, "namespace", "", "containerd's namespace")
	f.StringVar(&a.Address, "address", "", "containerd's socket")
	f.StringVar(&a.Publish, "publish-binary", "", "containerd's program")
	f.StringVar(&a.ID, "id", "", "the container's id")
	f.StringVar(&a.Bundle, "bundle", "", "the container's bundle")
	f.BoolVar(&a.Debug, "debug", false, "log more")
	f.BoolVar(&a.Version, "v", false, "print the version")
	f.BoolVar(&a.Info, "info", false, "print what the runtime can do, for containerd")
	// Where the runc shim puts its socket is containerd's to say; newer ones may pass it on.
	f.String("socket", "", "unused")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 1 {
		return nil, fmt.Errorf("%q: one action at most", f.Args())
	}
	a.Action = f.Arg(0)
	if a.Version || a.Info {
		return a, nil
	}
	switch {
	case a.Action != "" && a.Action != "start" && a.Action != "delete":
		return nil, fmt.Errorf("%s: the actions are start and delete", a.Action)
	case a.Namespace == "":
		return nil, errors.New("-namespace: not given; this program is started by containerd")
	case a.ID == "":
		return nil, errors.New("-id: not given")
	case !plain(a.ID) || !plain(a.Namespace):
		return nil, fmt.Errorf("-id %q, -namespace %q: these become names of files", a.ID, a.Namespace)
	}
	return a, nil
}

func plain(name string) bool {
	return name == filepath.Base(name) && !strings.HasPrefix(name, ".")
}
