// Package diagnose finds out why a program could not be executed, where the kernel's word alone
// misleads: a script without its interpreter, a program without its loader or for another machine.
package diagnose

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// ExplainFiles tells a runtime that has run out of descriptors which limit is in the way, and how
// many its plan takes, if there is one already. Go raises the soft limit in every program.
func ExplainFiles(err error, pl *plan.Plan) error {
	var step *launch.StepError
	var limit unix.Rlimit
	if !errors.Is(err, unix.EMFILE) || errors.As(err, &step) || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return err
	}
	takes := "more than that"
	if pl != nil {
		takes = fmt.Sprintf("about %d", launch.FilesWanted(pl))
	}
	return fmt.Errorf("%w (the runtime's hard limit of open files, ulimit -Hn, is %d, and this takes %s)", err, limit.Max, takes)
}

// ExplainExec adds the likely reason to a process that could not be brought into the container, and
// to a program that can't be executed although its file exists: a file that is not executable, a
// foreign architecture, a missing interpreter or loader, a carriage return at the end of a #! line.
// It reads the program in the root file system, resolved there; what it can't find out it leaves.
func ExplainExec(err error, spec *specs.Spec, rootfs string) error {
	var step *launch.StepError
	if errors.As(err, &step) && step.Op.Joins() && errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("%w (perhaps for linux.resources.pids.limit, which has to leave room for two: the new process and, for a moment, its parent)", err)
	}
	if step == nil || step.Step.From != "process.args" || spec.Process == nil || len(spec.Process.Args) == 0 {
		return err
	}
	if !errors.Is(err, unix.ENOEXEC) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EACCES) {
		return err
	}
	root, oerr := os.OpenFile(rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	if oerr != nil {
		return err
	}
	defer root.Close()
	for _, path := range candidates(spec.Process) {
		f, oerr := openIn(root, path)
		if oerr != nil {
			continue
		}
		defer f.Close()
		executed := step.Op.Call == plan.SysExecve
		why := ""
		if executed {
			why = diagnose(&image{root: root}, f)
		} else if st, err := f.Stat(); err == nil && !st.IsDir() {
			// Not of a directory: engines take these words for another error.
			why = notExecutable(f)
		}
		switch {
		case why != "":
			return fmt.Errorf("%w (%s %s)", err, path, why)
		case executed: // and none of those behind it
			return err
		}
	}
	return err
}

// candidates are the places where the program can be.
func candidates(p *specs.Process) []string {
	name := p.Args[0]
	switch {
	case filepath.IsAbs(name):
		return []string{name}
	case strings.Contains(name, "/"):
		return []string{filepath.Join(p.Cwd, name)}
	}
	var list []string
	for _, e := range p.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			for _, dir := range filepath.SplitList(v) {
				list = append(list, filepath.Join(dir, name))
			}
		}
	}
	return list
}

// openIn opens a file of the image as [fs.OpenRegular] does; what is no regular file it only finds.
func openIn(root *os.File, path string) (*os.File, error) {
	found, err := fs.FindInRoot(int(root.Fd()), path, 0)
	if err != nil {
		return nil, err
	}
	fd, err := fs.OpenRegular(found)
	if err != nil {
		return os.NewFile(uintptr(found), path), nil
	}
	unix.Close(found)
	return os.NewFile(uintptr(fd), path), nil
}

// diagnose says what is wrong with a program, or nothing.
func diagnose(im *image, f *os.File) string {
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return ""
	}
	head := make([]byte, 256)
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	switch {
	case n == 0:
		return "is empty"
	case bytes.HasPrefix(head, []byte("#!")):
		return diagnoseScript(im, string(head))
	case bytes.HasPrefix(head, []byte(elfMagic)):
		return diagnoseELF(im, f)
	}
	return "is neither an ELF program nor a script with a #! line"
}

func diagnoseScript(im *image, head string) string {
	line, _, _ := strings.Cut(head[2:], "\n")
	if strings.HasSuffix(line, "\r") {
		return fmt.Sprintf("has a carriage return at the end of its #! line: the kernel looks for %q", strings.TrimSpace(line)+"\r")
	}
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return "has an empty #! line"
	}
	f, err := im.open(fields[0])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return ""
	case err != nil:
		return fmt.Sprintf("is a script for the interpreter %s, which is not in the container", fields[0])
	}
	f.Close()
	return ""
}

func diagnoseELF(im *image, f *os.File) string {
	e, err := readELF(f)
	if err != nil {
		return "is a damaged ELF program"
	}
	if native := nativeMachine(); e.machine != native && native != 0 {
		return fmt.Sprintf("is a program for %s, and this machine is %s", e.machine, native)
	}
	if e.loader == "" {
		return ""
	}
	l, err := im.open(e.loader)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return ""
	case err != nil:
		return fmt.Sprintf("needs the library loader %s, which is not in the container", e.loader)
	}
	l.Close()
	return ""
}
