package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/diagnose"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// CheckFiles says what stands in the way of a container of a configuration, as far as files tell:
// what is to be bound and to be joined is there, and the program is in the root file system and one
// for this machine. Nothing is touched, and no privileges are needed; of what the caller may not
// see nothing is said.
func CheckFiles(bundle string, spec *specs.Spec) (bad problem.Problems, odd problem.Warnings) {
	if spec.Process == nil {
		bad = append(bad, problem.Problem{Path: "process", Msg: "must be set for a container that is to be started"})
	}
	bad = append(bad, missingSources(spec, bundle)...)
	bad = append(bad, missingNamespaces(spec)...)
	place, why, sure := diagnose.Judge(spec, bundle, compile.RootfsPath(spec, bundle))
	switch {
	case why == "":
	case sure:
		bad = append(bad, problem.Problem{Path: place, Msg: why})
	default:
		odd = append(odd, problem.Problem{Path: place, Msg: why + ", unless a mount brings it"})
	}
	return bad, odd
}

// CheckHost says what this host does not have, or can't do, of what a checked configuration asks
// for. With asRoot it is asked for root's container in the first user namespace.
func (r *Runtime) CheckHost(bundle string, spec *specs.Spec, asRoot bool) (odd problem.Warnings, err error) {
	rt := *r
	rt.Warn = func(text string) { odd = append(odd, placed(text)) }
	c := newCreation(&rt, "check", &CreateOptions{Bundle: bundle, Spec: spec})
	c.asRoot, c.toRead = asRoot, true
	err = c.compile()
	defer c.scope.close()
	defer c.files.Close()
	if err == nil {
		err = c.asCaller()
	}
	if err != nil {
		err = problem.Problems{placed(err.Error())}
	}
	return odd, err
}

// missingSources are the files of the host that are to be bound and are not there, unless a mount
// before brings them.
func missingSources(spec *specs.Spec, bundle string) (bad problem.Problems) {
	for i := range spec.Mounts {
		m := &spec.Mounts[i]
		o := mountopt.ParseMountOptions(m.Options)
		if !o.Bind {
			continue
		}
		source := compile.HostPath(m.Source, bundle)
		if _, brought := probe.MountedInside(compile.RootfsPath(spec, bundle), source, spec.Mounts[:i]); brought || !missing(source, o.SrcNoFollow || o.CopySymlink) {
			continue
		}
		bad = append(bad, problem.Problem{Path: fmt.Sprintf("mounts[%d].source", i), Msg: fmt.Sprintf("there is no %s to bind on %s", source, m.Destination)})
	}
	return bad
}

// missingNamespaces are those to join whose paths lead to nothing.
func missingNamespaces(spec *specs.Spec) (bad problem.Problems) {
	if spec.Linux == nil {
		return nil
	}
	for i, ns := range spec.Linux.Namespaces {
		if ns.Path != "" && missing(ns.Path, false) {
			bad = append(bad, problem.Problem{Path: problem.NamespaceFile(i), Msg: fmt.Sprintf("there is no %s to join", ns.Path)})
		}
	}
	return bad
}

func missing(path string, linkWillDo bool) bool {
	look := os.Stat
	if linkWillDo {
		look = os.Lstat
	}
	_, err := look(path)
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
}

// placed takes a message apart that has its place in front.
func placed(text string) problem.Problem {
	place, msg, ok := strings.Cut(text, ": ")
	top, _, _ := strings.Cut(place, ".")
	top, _, _ = strings.Cut(top, "[")
	switch top {
	case "process", "root", "mounts", "linux", "hooks", "annotations", "hostname", "domainname":
		if ok && !strings.Contains(place, " ") {
			return problem.Problem{Path: place, Msg: msg}
		}
	}
	return problem.Problem{Msg: text}
}
