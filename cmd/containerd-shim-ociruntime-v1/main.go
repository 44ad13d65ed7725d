// Command containerd-shim-ociruntime-v1 is the runtime "io.containerd.ociruntime.v1" of containerd:
// a daemon for each pod that makes its containers itself, without a process for each command.
//
// containerd starts it with "start", which leaves the daemon, and with "delete". What happens
// before Go's runtime begins is in package ahead: where that is missing, "start" starts the program
// anew, without an action, for the daemon.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/bootstrap"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/options"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/sandbox"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/service"
	"github.com/ociruntime/ociruntime/internal/version"
	"github.com/ociruntime/ociruntime/libcontainer/kernel/ahead"
	"github.com/ociruntime/ociruntime/libcontainer/seccomp"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/load"
)

const runtimeName = "io.containerd.ociruntime.v1"

func main() {
	for _, v := range ahead.Variables() {
		name, value, _ := strings.Cut(v, "=")
		if os.Getenv(name) == value {
			os.Unsetenv(name) // it is for this program, and for none that it starts
		}
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "containerd-shim-ociruntime-v1:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	// Nothing that containerd, or who started it, has left open may get into containers, hooks or
	// the daemon's own children.
	_ = unix.CloseRange(bootstrap.SocketFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	a, err := bootstrap.Parse(args)
	switch {
	case err != nil:
		return err
	case a.Version:
		v, c := version.Build()
		_, err = fmt.Printf("containerd-shim-ociruntime-v1 version %s (%s)\ncommit: %s\ngo: %s\n", v, runtimeName, c, runtime.Version())
		return err
	case a.Info:
		return info()
	case a.Action == "start":
		return start(a)
	case a.Action == "delete":
		return cleanUp(a)
	}
	l, err := bootstrap.Socket()
	if err != nil {
		return err
	}
	return daemon(a, l, os.Getenv("TTRPC_ADDRESS"))
}

// start prints nothing but the answer: containerd reads both output streams together. Then this
// process is the daemon, where package ahead has made a copy for that.
func start(a *bootstrap.Args) error {
	m, err := bootstrap.ReadMessage(os.Stdin, a)
	if err != nil {
		return err
	}
	o, err := options.Decode(m.Options)
	if err != nil {
		return err
	}
	if err := sandbox.Prepare(".", o, a.Namespace); err != nil {
		return err
	}
	address, l, err := bootstrap.Start(a, m, groupOf(a, "."), o.ShimCgroup)
	if err != nil {
		return err
	}
	answer, err := m.Answer(address)
	if err == nil {
		_, err = os.Stdout.Write(answer)
	}
	if err == nil && l != nil {
		err = bootstrap.Detach()
	}
	if err == nil {
		err = bootstrap.Report()
	}
	switch {
	case l == nil:
		return err
	case err != nil:
		return errors.Join(err, os.Remove(l.Addr().String()))
	}
	if m.Events == "" {
		m.Events = os.Getenv("TTRPC_ADDRESS")
	}
	return daemon(a, l, m.Events)
}

// cleanUp is what containerd calls when the connection to a daemon has ended: by its death, or
// after a container's regular deletion.
func cleanUp(a *bootstrap.Args) error {
	bundle := a.Bundle
	if bundle == "" {
		cwd, err := os.Getwd()
		if err != nil {
			return err
		}
		bundle = filepath.Join(filepath.Dir(cwd), a.ID)
	}
	if deleted, err := os.ReadFile(filepath.Join(bundle, ahead.Deleted)); err == nil {
		_, err = os.Stdout.Write(deleted)
		return err
	}
	answer, err := service.Cleanup(context.Background(), a.ID, bundle, warn)
	if err != nil {
		return err
	}
	socket, err := socketOf(a, bundle)
	if err == nil {
		err = bootstrap.RemoveDead(socket)
	}
	if err != nil {
		return err
	}
	return print(answer)
}

// socketOf is where the daemon of a bundle listens, or would: a start that was killed may not have
// written it down.
func socketOf(a *bootstrap.Args, bundle string) (string, error) {
	address, err := os.ReadFile(filepath.Join(bundle, "address"))
	if err == nil {
		return bootstrap.Path(string(bytes.TrimSpace(address))), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return bootstrap.SocketPath("", a.Address, a.Namespace, groupOf(a, bundle))
}

// groupOf is the pod that the configuration names. A broken configuration is Create's to complain
// of, where the user sees it.
func groupOf(a *bootstrap.Args, bundle string) string {
	text, err := os.ReadFile(filepath.Join(bundle, load.ConfigName))
	if err != nil {
		return a.ID
	}
	var spec struct{ Annotations map[string]string }
	if err := json.Unmarshal(text, &spec); err != nil {
		return a.ID
	}
	return bootstrap.Group(spec.Annotations, a.ID)
}

// info prints what containerd and CRI want to know of the runtime before they use it.
func info() error {
	v, c := version.Build()
	features, err := json.Marshal(specconv.Features(seccomp.Features(), map[string]string{"org.ociruntime.version": v, "org.ociruntime.commit": c}))
	if err != nil {
		return err
	}
	return print(&api.RuntimeInfo{
		Name:    runtimeName,
		Version: &api.RuntimeVersion{Version: v, Revision: c},
		Features: &api.Any{
			TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/features/Features", Value: features,
		},
	})
}

func print(m api.Message) error {
	data, err := m.MarshalVT()
	if err == nil {
		_, err = os.Stdout.Write(data)
	}
	return err
}
