//go:build amd64 || arm64

package initimage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// waiting is a plan of some size whose init stops at a rendezvous and then exits with status 7.
func waiting(spawn bool) *plan.Plan {
	b := plan.NewBuilder()
	b.Step("default", "share the page", b.MapPage(plan.PageSize))
	if spawn {
		b.Step("linux.namespaces", "spawn", b.SpawnChild(0, nil))
	}
	for i := range 300 {
		b.Step("default", "fill the image", plan.OpenFile(plan.CWD(), fmt.Sprintf("/nowhere/%d", i), 0, 0, 0).Allowing(unix.ENOENT))
	}
	b.Host("meet", "hooks", "meet")
	b.Step("default", "end", plan.Exit(7))
	return &b.Plan
}

// meet waits until the init has come to its rendezvous.
func (s *started) meet(t *testing.T) (pid int) {
	t.Helper()
	if err := s.sock.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, err := s.sock.Read(b); n != 1 || err != nil {
		t.Fatalf("the init sent %x, %v", b[:n], err)
	}
	if pid = s.child(); pid == 0 {
		pid = s.cmd.Process.Pid
	}
	return pid
}

func (s *started) goOn(t *testing.T, status int) {
	t.Helper()
	if _, err := s.sock.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	if w := s.wait(t); w.ExitStatus() != status {
		t.Errorf("ended with %#x, not with status %d", w, status)
	}
}

func proc(t *testing.T, pid int, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// field is a number after "key:" in a file of /proc.
func field(t *testing.T, text, key string) int {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n"+key+":")
	if !ok {
		t.Fatalf("no %s in %s", key, text)
	}
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A created container costs its host this much memory, and one thread.
func TestWaitingInitIsSmall(t *testing.T) {
	s := start(t, link(t, waiting(false)))
	pid := s.meet(t)
	rollup := proc(t, pid, "smaps_rollup")
	kib := field(t, rollup, "Pss_Anon") + field(t, rollup, "Pss_File") + field(t, rollup, "Pss_Shmem")
	t.Logf("proportional memory %d KiB, private and dirty %d KiB", kib, field(t, rollup, "Private_Dirty"))
	if private := field(t, rollup, "Private_Dirty"); private >= 64 || kib >= 100 {
		t.Errorf("the waiting init holds %d KiB, %d of them written", kib, private)
	}
	if n := field(t, proc(t, pid, "status"), "Threads"); n != 1 {
		t.Errorf("%d threads", n)
	}
	s.goOn(t, 7)
}

// The init has the descriptors of its plan and no others, and its program can't be opened for
// writing.
func TestWaitingInitHoldsNothingOfOurs(t *testing.T) {
	// What the shell before us has left open is not ours.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	leak, err := os.CreateTemp(t.TempDir(), "leak")
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	s := start(t, link(t, waiting(false)))
	pid := s.meet(t)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, fd := range fds {
		names = append(names, fd.Name())
	}
	if got := strings.Join(names, " "); got != "0 1 2 3 4" {
		t.Errorf("descriptors %s", got)
	}
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	if f, err := os.OpenFile(exe, os.O_WRONLY, 0); err == nil {
		// Root may open it; the seals are what counts.
		if _, err := f.WriteAt([]byte{0}, 0); err == nil {
			t.Error("the running image could be written")
		}
		f.Close()
	}
	if target, err := os.Readlink(exe); err != nil || !strings.Contains(target, imageName) {
		t.Errorf("the program is %s, %v", target, err)
	}
	s.goOn(t, 7)
}

func TestSpawnedInitIsOurOwnChild(t *testing.T) {
	s := start(t, link(t, waiting(true)))
	pid := s.meet(t)
	if pid == s.cmd.Process.Pid {
		t.Fatal("nothing was spawned")
	}
	if ppid := field(t, proc(t, pid, "status"), "PPid"); ppid != os.Getpid() {
		t.Errorf("its parent is %d, we are %d", ppid, os.Getpid())
	}
	s.goOn(t, 7)
}

// What the host believes to be the pid of a child that others may take over, the child itself can't
// write.
func TestJoinedChildCannotChangeItsPid(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("default", "share the page", b.MapPage(plan.PageSize))
	page, spawn := b.JoinChild()
	b.Step("default", "get ready", page...)
	b.Step("default", "spawn", spawn)
	b.Host("meet", "hooks", "meet")
	b.Step("default", "lie", plan.Sys(plan.Store32, plan.Page(plan.PageJoined), plan.Num(1)))
	b.Step("default", "end", plan.Exit(7))
	s := start(t, link(t, &b.Plan))
	pid := s.meet(t)
	if ppid := field(t, proc(t, pid, "status"), "PPid"); pid == s.cmd.Process.Pid || ppid != os.Getpid() {
		t.Errorf("%d is a child of %d, we are %d", pid, ppid, os.Getpid())
	}
	if _, err := s.sock.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	if w := s.wait(t); !w.Signaled() || w.Signal() != unix.SIGSEGV {
		t.Errorf("it ended with %#x", w)
	}
	if s.child() != pid {
		t.Errorf("the page now says %d", s.child())
	}
}

// A host that dies takes the waiting init with it: nobody could ever tell it to go on.
func TestInitEndsWithItsHost(t *testing.T) {
	s := start(t, link(t, waiting(false)))
	s.meet(t)
	s.sock.Close()
	if w := s.wait(t); w.ExitStatus() != 255 {
		t.Errorf("ended with %#x", w)
	}
	op, errno := binary.NativeEndian.Uint32(s.page[plan.PageOp:]), unix.Errno(binary.NativeEndian.Uint32(s.page[plan.PageErrno:]))
	if last := uint32(waiting(false).OpCount() - 2); op != last || errno != unix.EPROTO {
		t.Errorf("the page says op %d (of %d), %v", op, last, errno)
	}
}

// The page, and not only the report, tells where a failed init stood.
func TestFailedInitReports(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("default", "share the page", b.MapPage(plan.PageSize))
	b.Step("default", "fail", plan.Umask(0), plan.OpenFile(plan.CWD(), "/nowhere", 0, 0, 0))
	s := start(t, link(t, &b.Plan))
	if w := s.wait(t); w.ExitStatus() != 255 {
		t.Errorf("ended with %#x", w)
	}
	want := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, 2), uint32(unix.ENOENT))
	if got := s.report(t); !bytes.Equal(got, want) || !bytes.Equal(s.page[:8], want) {
		t.Errorf("report %x, page %x, want %x", got, s.page[:8], want)
	}
}

// The descriptors that an init brings to a rendezvous arrive, whole.
func TestInitPassesDescriptors(t *testing.T) {
	b := plan.NewBuilder()
	fd := b.Reg()
	b.Step("default", "share the page", b.MapPage(plan.PageSize))
	b.Step("default", "open", plan.OpenFile(plan.CWD(), "/proc/self/status", 0, 0, 0).Into(fd))
	b.HostWith("take", "hooks", "take two descriptors", plan.Val(fd), plan.Num(2))
	b.Step("default", "end", plan.Exit(7))
	s := start(t, link(t, &b.Plan))
	if err := s.sock.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	raw, err := s.sock.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n, oobn int
	var rerr error
	oob := make([]byte, 128)
	if err := raw.Read(func(sock uintptr) bool {
		n, oobn, _, _, rerr = unix.Recvmsg(int(sock), make([]byte, 8), oob, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(rerr, unix.EAGAIN)
	}); err != nil || rerr != nil || n != 1 {
		t.Fatalf("received %d bytes, %v, %v", n, err, rerr)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%v, %v", messages, err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 2 {
		t.Fatalf("descriptors %v, %v", fds, err)
	}
	defer unix.Close(fds[1])
	file := os.NewFile(uintptr(fds[0]), "status")
	defer file.Close()
	text := make([]byte, 4096)
	if n, _ := file.Read(text); !strings.Contains(string(text[:n]), fmt.Sprintf("\nPid:\t%d\n", s.cmd.Process.Pid)) {
		t.Errorf("the first descriptor is not the init's own status:\n%s", text[:n])
	}
	s.goOn(t, 7)
}

// The kernel takes the structures as they are encoded, where a wrong size or layout would be an
// error.
func TestKernelTakesTheStructures(t *testing.T) {
	b := plan.NewBuilder()
	b.Step("default", "share the page", b.MapPage(plan.PageSize))
	allow := []byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f} // return SECCOMP_RET_ALLOW
	b.Step("default", "use them",
		plan.Sys(plan.SysPrlimit64, plan.Num(0), plan.Num(unix.RLIMIT_NOFILE), plan.Bytes(plan.Rlimit64(64, 64), "64"), plan.Num(0)),
		plan.Sys(plan.SysSchedSetattr, plan.Num(0), plan.Bytes(plan.SchedAttr(&unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: 19}), "batch"), plan.Num(0)),
		plan.Sys(plan.SysRtSigprocmask, plan.Num(2), plan.Bytes(binary.NativeEndian.AppendUint64(nil, 1<<9), "{SIGUSR1}"), plan.Num(0), plan.Num(8)),
		plan.Sys(plan.SysCapset, plan.Bytes(plan.CapHeader(), "header"), plan.Bytes(plan.CapData(0, 0, 0), "none")),
		plan.Prctl(unix.PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", plan.Num(1)),
		plan.Sys(plan.SysSeccomp, plan.Num(unix.SECCOMP_SET_MODE_FILTER), plan.Num(0), b.SockFprog("filter", allow)))
	b.Host("look", "hooks", "look")
	b.Step("default", "end", plan.Exit(7))
	s := start(t, link(t, &b.Plan))
	pid := s.meet(t)
	for file, want := range map[string]string{
		"limits": "Max open files            64                   64",
		"status": "\nSigBlk:\t0000000000000200\n",
		"stat":   " 39 19 1 ", // priority, nice (which nobody is forbidden), threads
	} {
		if text := proc(t, pid, file); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	status := proc(t, pid, "status")
	for _, want := range []string{"\nCapEff:\t0000000000000000\n", "\nSeccomp:\t2\n", "\nNoNewPrivs:\t1\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	s.goOn(t, 7)
}

// An op that is told to retry tries so many times more, and no more.
func TestRetryIsBounded(t *testing.T) {
	calls := func(retry uint8) int {
		b := plan.NewBuilder()
		recv := plan.Sys(plan.SysRecvfrom, plan.Val(plan.Report), b.Buf("b", make([]byte, 8)), plan.Num(1), plan.Num(unix.MSG_DONTWAIT))
		recv.Retry = retry
		b.Step("default", "share the page", b.MapPage(plan.PageSize))
		b.Step("default", "receive", recv.Allowing(unix.EAGAIN), plan.Exit(7))
		return trace(t, link(t, &b.Plan))
	}
	once := calls(0)
	for _, retry := range []uint8{1, 7, 255} {
		if n := calls(retry) - once; n != int(retry) {
			t.Errorf("%d more calls for %d retries", n, retry)
		}
	}
}

// trace runs an image under ptrace and counts its system calls.
func trace(t *testing.T, image []byte) (calls int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, image, 0o700); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	page, err := unix.MemfdCreate("progress", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(page)
	if err := unix.Ftruncate(page, plan.PageSize); err != nil {
		t.Fatal(err)
	}
	// The tracer is the thread that starts it.
	pid, err := syscall.ForkExec(file, []string{"init"}, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2, uintptr(pair[1]), uintptr(page)},
		Sys:   &syscall.SysProcAttr{Ptrace: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
			t.Fatal(err)
		}
		if status.Exited() {
			if status.ExitStatus() != 7 {
				t.Errorf("the traced image ended with %#x", status)
			}
			return calls / 2 // each stops twice; the last never returns
		}
		calls++
		if err := unix.PtraceSyscall(pid, 0); err != nil {
			t.Fatal(err)
		}
	}
}
