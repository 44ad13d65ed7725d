//go:build amd64 || arm64

package initimage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

const (
	nativePlans = 400
	qemuPlans   = 60
	// imagesDir names the folder into which this test's binary for another architecture writes its
	// images.
	imagesDir = "OCIRUNTIME_TEST_IMAGES"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(imagesDir); dir != "" {
		if err := writeImages(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func writeImages(dir string) error {
	for seed := range uint64(qemuPlans) {
		image, err := Link(randomPlan(seed, true), []int{3, 4})
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprint(seed)), image, 0o700)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The op loop and the interpreter must agree about every plan: its outcome, its report and every
// word of its page.
func TestLoopAgreesWithInterp(t *testing.T) {
	ends := map[plan.End]int{}
	for seed := range uint64(nativePlans) {
		p := randomPlan(seed, false)
		image, err := Link(p, []int{3, 4})
		if err != nil {
			t.Fatal(err)
		}
		ends[compare(t, seed, p, start(t, image))]++
	}
	if ends[plan.EndExited] < nativePlans/10 || ends[plan.EndFailed] < nativePlans/10 {
		t.Errorf("one-sided plans: %v", ends)
	}
}

func TestLoopOfARM64AgreesWithInterp(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		t.Skip("this is arm64: the other test runs the same loop")
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		if qemu, err = exec.LookPath("qemu-aarch64"); err != nil {
			t.Skip("no qemu-aarch64 (Debian: qemu-user-static)")
		}
	}
	dir := t.TempDir()
	tool := filepath.Join(dir, "initimage.test")
	build := exec.Command("go", "test", "-c", "-o", tool, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build for arm64: %v\n%s", err, out)
	}
	write := exec.Command(qemu, tool)
	write.Env = append(os.Environ(), imagesDir+"="+dir)
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("write images: %v\n%s", err, out)
	}
	for seed := range uint64(qemuPlans) {
		compare(t, seed, randomPlan(seed, true), startCommand(t, exec.Command(qemu, filepath.Join(dir, fmt.Sprint(seed)))))
	}
}

// compare holds what the image did against what the interpreter says.
func compare(t *testing.T, seed uint64, p *plan.Plan, i *started) plan.End {
	t.Helper()
	m := &model{umask: 0o22}
	want, err := plan.Interp(p, []int{3, 4}, m)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	got := i.wait(t)
	switch {
	case !got.Exited() || got.ExitStatus() != want.Status:
		t.Errorf("seed %d: ended with %#x, the interpreter with status %d", seed, got, want.Status)
	case !bytes.Equal(i.report(t), m.report):
		t.Errorf("seed %d: the report differs from the interpreter's %x", seed, m.report)
	}
	page := bytes.Clone(i.page)
	// Only the kernel knows the pid.
	copy(page[plan.PagePid:], want.Page[plan.PagePid:plan.PagePid+4])
	for off := 0; off < plan.PageSize; off += 4 {
		a, b := binary.NativeEndian.Uint32(page[off:]), binary.NativeEndian.Uint32(want.Page[off:])
		if a != b {
			t.Fatalf("seed %d: the word at %d of the page is %#x, the interpreter's %#x", seed, off, a, b)
		}
	}
	return want.End
}

// started is a running image.
type started struct {
	cmd  *exec.Cmd
	sock *os.File
	page []byte
}

// start runs an image from a sealed memfd.
func start(t *testing.T, image []byte) *started {
	t.Helper()
	f, err := Seal(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Above the numbers to which os/exec moves the image's own descriptors.
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 64)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	return startCommand(t, exec.Command(fmt.Sprintf("/proc/self/fd/%d", fd)))
}

// startCommand gives the image the two files that every plan has: the report socket and the page.
func startCommand(t *testing.T, cmd *exec.Cmd) *started {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Only then has our end deadlines.
	if err := unix.SetNonblock(pair[0], true); err != nil {
		t.Fatal(err)
	}
	s := &started{cmd: cmd, sock: os.NewFile(uintptr(pair[0]), "sync")}
	theirs := os.NewFile(uintptr(pair[1]), "sync")
	defer theirs.Close()
	fd, err := unix.MemfdCreate("progress", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	page := os.NewFile(uintptr(fd), "progress")
	defer page.Close()
	if err := page.Truncate(plan.PageJoined + plan.PageSize); err != nil {
		t.Fatal(err)
	}
	if s.page, err = unix.Mmap(fd, 0, plan.PageJoined+plan.PageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		t.Fatal(err)
	}
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{theirs, page}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.sock.Close()
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		_ = unix.Munmap(s.page)
	})
	return s
}

// wait is how the init ended: the image, or the child that it spawned.
func (s *started) wait(t *testing.T) unix.WaitStatus {
	t.Helper()
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	pid := s.child()
	if pid == 0 {
		return unix.WaitStatus(s.cmd.ProcessState.Sys().(syscall.WaitStatus))
	}
	if err != nil {
		t.Fatalf("the image that spawned the init: %v", err)
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			if err != nil {
				t.Fatalf("wait for the spawned child: %v", err)
			}
			return status
		}
	}
}

func (s *started) child() int {
	if pid := binary.NativeEndian.Uint32(s.page[plan.PageJoined:]); pid != 0 {
		return int(pid)
	}
	return int(binary.NativeEndian.Uint32(s.page[plan.PagePid:]))
}

// report is the message that a failed init leaves, or nothing.
func (s *started) report(t *testing.T) []byte {
	t.Helper()
	b := make([]byte, 16)
	n, err := s.sock.Read(b)
	if n == 0 {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}
