// Package checkpoint dumps and restores real containers, as root, and looks at
// them from inside and from outside. It needs criu, which the script beside it
// gets: without it, or where criu can't dump a plain process, every test is
// skipped with the reason. RUNTIME names another runtime to be judged.
package checkpoint

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { harness.Main(m, probes) }

// findCRIU puts a usable criu in front of PATH, and tries it on a sleeping
// process: there are kernels and hypervisors that it can't work with.
var findCRIU = sync.OnceValue(func() error {
	out, err := exec.Command("./criu").Output()
	if err != nil {
		var why string
		if exit, ok := err.(*exec.ExitError); ok {
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
	dir, err := os.MkdirTemp(harness.Work(), "criu")
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

// need skips a test where there is no criu.
func need(t *testing.T) {
	t.Helper()
	if err := findCRIU(); err != nil {
		t.Skip(err)
	}
}
