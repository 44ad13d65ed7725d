package harness

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// NeedCRIU skips a test where there is no criu that can dump a plain process.
func NeedCRIU(t T) {
	t.Helper()
	if err := findCRIU(); err != nil {
		t.Skip(err)
	}
}

// findCRIU puts a usable criu in front of PATH, and tries it on a sleeping process: there are
// kernels and hypervisors that it can't work with.
var findCRIU = sync.OnceValue(func() error {
	_, here, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(here), "../checkpoint/criu")
	if !filepath.IsAbs(script) { // built with -trimpath, for another machine
		script = "../checkpoint/criu"
	}
	out, err := exec.Command(script).Output()
	if err != nil {
		var why string
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
			why = lines[len(lines)-1]
		}
		return fmt.Errorf("no criu: %s (%w)", why, err)
	}
	criu := strings.TrimSpace(string(out))
	if err := os.Setenv("PATH", filepath.Dir(criu)+":"+os.Getenv("PATH")); err != nil {
		return err
	}
	version, _ := exec.Command(criu, "--version").Output()
	if err := tryCRIU(criu); err != nil {
		return fmt.Errorf("criu %s can't dump a plain process here: %w", strings.Join(strings.Fields(string(version)), " "), err)
	}
	return nil
})

func tryCRIU(criu string) error {
	dir, err := os.MkdirTemp(Work(), "criu")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// What we have from our caller may be of another mount namespace, where criu would not find it.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return err
	}
	sleep := exec.Command("sleep", "1000")
	sleep.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := sleep.Start(); err != nil {
		return err
	}
	defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
	out, err := exec.Command("timeout", "30", criu, "dump", "-D", dir, "-t", strconv.Itoa(sleep.Process.Pid), "-v1").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
