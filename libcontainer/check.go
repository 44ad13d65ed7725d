package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/diagnose"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// CheckFiles says what stands in the way of a container of a configuration, as far as files tell:
// what is to be bound is there, and the program is in the root file system and one for this
// machine. Nothing is touched, and no privileges are needed; of what the caller may not see nothing
// is said.
func CheckFiles(bundle string, spec *specs.Spec) (bad problem.Problems, odd problem.Warnings) {
	if spec.Process == nil {
		bad = append(bad, problem.Problem{Path: "process", Msg: "must be set for a container that is to be started"})
	}
	bad = append(bad, missingSources(spec, bundle)...)
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
	c.asRoot = asRoot
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
		if !mountopt.ParseMountOptions(m.Options).Bind {
			continue
		}
		source := compile.HostPath(m.Source, bundle)
		if _, err := os.Lstat(source); !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if root := compile.RootfsPath(spec, bundle); root != "" && strings.HasPrefix(source, root+"/") {
			continue // in the container, where a mount may bring it
		}
		bad = append(bad, problem.Problem{Path: fmt.Sprintf("mounts[%d].source", i), Msg: fmt.Sprintf("there is no %s to bind on %s", source, m.Destination)})
	}
	return bad
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
