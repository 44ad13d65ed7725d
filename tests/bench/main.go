// Command bench measures OCI runtimes against each other on this machine, in one interleaved run:
// they take turns, in an order that changes from round to round, so that whatever else the machine
// does meets all of them. It needs root. Everything runs below a subreaper of its own, in a private
// mount namespace, and is removed at the end.
//
// Only what compares runtimes belongs here, and the guard of what was won (counts_test.go), which
// measures no time.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// options is the command line.
type options struct {
	rounds   int
	only     string
	svg      string
	runtimes runtimeList
}

// innerEnv tells the second start of this program that it is in its namespace.
const innerEnv = "OCIRUNTIME_BENCH_INNER"

func main() {
	if os.Getenv(innerEnv) == "" {
		os.Exit(outer())
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 30, "how often each command is measured")
	flag.StringVar(&o.only, "only", "", "only scenarios whose name contains this")
	flag.StringVar(&o.svg, "svg", "", "file for a picture of the ratios")
	flag.Var(&o.runtimes, "runtime", "NAME=PATH of a runtime; may be repeated, the first is the one compared with the others (default: bin/ociruntime, runc and crun as installed, the newest runc, a static crun)")
	flag.Parse()
	if err := bench(&o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// outer starts this program again in a mount namespace of its own: there, what one of the runtimes
// needs can be hidden without touching the machine.
func outer() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), innerEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	// The inner process cleans up after a signal, which a terminal sends to both.
	signal.Ignore(unix.SIGINT, unix.SIGTERM)
	var exit *exec.ExitError
	switch err := cmd.Run(); {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	default:
		fmt.Fprintln(os.Stderr, "bench: start in a mount namespace (root is needed):", err)
		return 1
	}
}

// bench is the whole run.
func bench(o *options) (err error) {
	if len(o.runtimes) == 0 {
		if err := o.runtimes.defaults(); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	if err := hideHybrid(); err != nil {
		return err
	}
	if err := ownRun(o.runtimes); err != nil {
		return err
	}
	e, err := newEnv(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.remove()) }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGINT, unix.SIGTERM)
	e.stop = stop
	fmt.Print(machine(o))
	t, err := e.measure()
	if err != nil {
		return err
	}
	if len(t.lines) > 0 {
		fmt.Print(t.text())
	}
	shims, err := e.shimTable()
	if err != nil {
		return fmt.Errorf("through containerd: %w", err)
	}
	if shims != nil {
		fmt.Print(shims.text())
	}
	if o.svg == "" {
		return nil
	}
	return os.WriteFile(o.svg, []byte(t.svg()), 0o644)
}

// hideHybrid lets crun run on hosts with cgroup v1 and a v2 tree beside it, which it refuses: an
// empty list of controllers makes it see v1 alone. The others take no notice.
func hideHybrid() error {
	const list = "/sys/fs/cgroup/unified/cgroup.controllers"
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if _, err := os.Stat(list); err != nil {
		return nil // no such host
	}
	if err := unix.Mount("/dev/null", list, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("hide %s: %w", list, err)
	}
	return nil
}

// ownRun gives the runtimes the directories for their state that they choose themselves, in a /run
// of our own. It is a tmpfs, as on every host that systemd has booted: files on a disk would cost
// each command several times as much.
func ownRun(runtimes []*runtime) error {
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount a tmpfs on /run: %w", err)
	}
	for _, r := range runtimes {
		r.root = "/run/" + r.name
	}
	return nil
}

// runtime is one of those that are measured.
type runtime struct {
	name, path string
	root       string // its --root
	version    string
}

// The programs that the runtime is compared with. The last two are no runtimes.
const (
	runc       = "runc" // the distribution's
	runcNewest = "runc-newest"
	crun       = "crun" // the distribution's
	crunStatic = "crun-static"
	floorName  = "floor"    // the kernel's calls of the plan alone: floor/floor.c
	emptyGo    = "empty Go" // a Go program that does nothing
)

// runtimeList is the -runtime flag.
type runtimeList []*runtime

func (l *runtimeList) String() string { return "" }

func (l *runtimeList) Set(text string) error {
	name, path, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is not NAME=PATH", text)
	}
	return l.add(name, path)
}

func (l *runtimeList) add(name, path string) error {
	if slices.ContainsFunc(*l, func(r *runtime) bool { return r.name == name }) {
		return fmt.Errorf("two runtimes are called %s", name)
	}
	full, err := exec.LookPath(path)
	if err != nil {
		return err
	}
	full, err = filepath.Abs(full)
	*l = append(*l, &runtime{name: name, path: full})
	return err
}

// defaults are our own build, what the distribution has installed, and the strongest of each kind,
// which scripts beside this file build.
func (l *runtimeList) defaults() error {
	top, err := sourceTop()
	if err != nil {
		return err
	}
	if err := l.add("ociruntime", filepath.Join(top, "bin/ociruntime")); err != nil {
		return err
	}
	for _, name := range []string{runc, runcNewest, crun, crunStatic} {
		path := name
		var why bytes.Buffer
		if name == runcNewest || name == crunStatic {
			fmt.Fprintf(os.Stderr, "bench: looking for %s, which is built where it is not there yet\n", name)
			cmd := exec.Command(filepath.Join(top, "tests/bench", name))
			cmd.Stderr = &why
			out, _ := cmd.Output() // without a path, the error of LookPath
			path = strings.TrimSpace(string(out))
		}
		if err := l.add(name, path); err != nil {
			fmt.Fprintf(os.Stderr, "bench: without %s: %v %s\n", name, err, bytes.TrimSpace(why.Bytes()))
		}
	}
	return nil
}

// sourceTop is the directory of go.mod.
func sourceTop() (string, error) {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.Join(errors.New("not in the source tree"), err)
}
