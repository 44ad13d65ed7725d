package harness

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The environment of the inner test process.
const (
	innerEnv   = "OCITEST_WORK"  // the run's scratch directory; set means "inner"
	runtimeEnv = "RUNTIME"       // absolute path of the binary under test
	probeEnv   = "OCITEST_PROBE" // run this probe and nothing else

	// cgroupsEnv set to "systemd" has systemd make the cgroups of all tests.
	cgroupsEnv = "OCITEST_CGROUPS"

	// patienceEnv multiplies time limits.
	patienceEnv = "OCITEST_PATIENCE"
)

// Main runs the tests of a package in a child process and looks afterwards
// whether the machine is as it was: mounts, cgroups, processes, files.
//
// The parent is a subreaper, so that it inherits every process that the tests
// lose: it reaps them at once (the machine's own process 1 may take seconds, and a
// zombie still occupies its cgroup), and what is alive at the end is a leak.
// It also cleans up when the tests panic or run out of time.
//
// probes are small programs that a test may run inside a container through
// the test binary itself: see Bundle.Probe.
func Main(m *testing.M, probes map[string]func(args []string) error) {
	if name := os.Getenv(probeEnv); name != "" {
		os.Exit(runProbe(probes[name]))
	}
	if os.Getenv(innerEnv) != "" {
		os.Exit(inner(m))
	}
	if os.Geteuid() != 0 {
		fmt.Println("skipped: these tests make containers and need root")
		os.Exit(0)
	}
	code, err := outer()
	if err != nil {
		fmt.Fprintln(os.Stderr, "harness:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// ProbeEnv is the variable that makes this test program run a probe.
func ProbeEnv(name string) string { return probeEnv + "=" + name }

func runProbe(probe func(args []string) error) int {
	if probe == nil {
		fmt.Fprintln(os.Stderr, "no such probe")
		return 120
	}
	if err := probe(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 121
	}
	return 0
}

// inner runs the tests and checks this process's own descriptors.
func inner(m *testing.M) int {
	before := openFiles()
	code := m.Run()
	left := leftOpen(before)
	// What a goroutine reads from is closed when that one has noticed.
	for range 100 {
		if left == nil {
			return code
		}
		time.Sleep(10 * time.Millisecond)
		left = leftOpen(before)
	}
	for _, name := range left {
		fmt.Println("LEAK: open file of the test process:", name)
		code = max(code, 1)
	}
	return code
}

// leftOpen names what is open and was not before.
func leftOpen(before []string) (names []string) {
	for _, name := range openFiles() {
		// Go's poller and the cgroup files of its CPU limit are opened late.
		if !slices.Contains(before, name) && !strings.HasPrefix(name, "anon_inode:") && !strings.HasPrefix(name, "/sys/fs/cgroup/") {
			names = append(names, name)
		}
	}
	return names
}

// openFiles names what each descriptor of this process points at.
func openFiles() []string {
	var names []string
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.HasPrefix(name, "/proc/") {
			names = append(names, name)
		}
	}
	return names
}

func outer() (int, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("become a subreaper: %w", err)
	}
	if err := standsAlone(); err != nil {
		return 0, err
	}
	work := filepath.Join(commonTempDir(), "ocitest-"+strconv.Itoa(os.Getpid()))
	// Containers with mapped ids walk through it, hence readable by all.
	for _, dir := range []string{work, work + "/tmp"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return 0, err
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return 0, err
		}
	}
	runtime, err := findRuntime(work)
	if err != nil {
		return 0, errors.Join(err, os.RemoveAll(work))
	}
	before, err := takeSnapshot()
	if err != nil {
		return 0, err
	}
	code, err := superviseTests(work, runtime)
	if err != nil {
		return 0, err
	}
	leaks := cleanUp(work, before)
	for _, leak := range leaks {
		fmt.Println("LEAK:", leak)
		code = max(code, 1)
	}
	if len(leaks) == 0 {
		fmt.Println("no leaks: mounts, cgroups, processes and files are as before")
	}
	return code, nil
}

// besideRuntime are the programs that tests look for beside the runtime.
func besideRuntime() []string {
	return []string{"containerd-shim-ociruntime-v1", "ociruntime-recvtty"}
}

// findRuntime gives the absolute path of the binary under test: of a copy, if it lies where only
// root may go, as in a clone below /root.
func findRuntime(work string) (string, error) {
	name := os.Getenv(runtimeEnv)
	if name == "" {
		bin := filepath.Join(work, "ociruntime")
		return bin, Build(bin)
	}
	full, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", runtimeEnv, err)
	}
	if full, err = filepath.Abs(full); err != nil || openToAll(filepath.Dir(full)) {
		return full, err
	}
	for _, name := range besideRuntime() {
		err := CopyFile(filepath.Join(filepath.Dir(full), name), filepath.Join(work, name), 0o755)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	bin := filepath.Join(work, filepath.Base(full))
	return bin, CopyFile(full, bin, 0o755)
}

// openToAll reports whether every user may walk into a directory.
func openToAll(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if dir == "/" {
			return true
		}
	}
}

// commonTempDir is the directory for temporary files, or the system's if only root may go there.
func commonTempDir() string {
	for _, dir := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if full, err := filepath.Abs(dir); err == nil && openToAll(full) {
			return full
		}
	}
	return os.TempDir()
}

// standsAlone gives an error if this program needs shared libraries: it is the probe inside of
// containers, which have none. Go makes such a program of package net wherever there is a C
// compiler.
func standsAlone() error {
	self, err := elf.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	for _, p := range self.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("these tests run inside of containers, too: build them with CGO_ENABLED=0, as make integration does")
		}
	}
	return nil
}

// Build makes the runtime as `make build` does, but for its version.
func Build(bin string) error {
	flags := "-s -w"
	if goruntime.GOARCH == "amd64" || goruntime.GOARCH == "arm64" {
		flags += " -E ociruntime_start"
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags=urfave_cli_no_docs,urfave_cli_no_suggest",
		"-ldflags", flags, "-o", bin, "github.com/ociruntime/ociruntime/cmd/ociruntime")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// superviseTests starts this program again as the inner process, reaps
// everything until that one ends, and gives its exit code.
func superviseTests(work, runtime string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGHUP)
	defer signal.Stop(signals)
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), innerEnv+"="+work, runtimeEnv+"="+runtime, "TMPDIR="+work+"/tmp")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for the tests: %w", err)
		case pid != cmd.Process.Pid:
		case status.Signaled():
			fmt.Println("the test process was killed:", status.Signal())
			return 1, nil
		default:
			return status.ExitStatus(), nil
		}
	}
}
