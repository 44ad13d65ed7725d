package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// probeWatchJoins looks at every process that is not yet a program of the container's, the way
// somebody does who wants to become the host's root through it, and prints what he would get that
// the program has not. CAP_SYS_PTRACE opens all of /proc/PID to him.
func probeWatchJoins([]string) error {
	told := map[string]bool{}
	tell := func(s string) {
		if !told[s] {
			told[s] = true
			fmt.Println(s)
		}
	}
	own := procStatus("self")
	for {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err != nil || pid == os.Getpid() || !joining(e.Name()) {
				continue
			}
			found := append(loot(e.Name(), own), "seen")
			if joining(e.Name()) {
				for _, s := range found {
					tell(s)
				}
			}
		}
	}
}

func joining(pid string) bool {
	exe, _ := os.Readlink("/proc/" + pid + "/exe")
	return strings.HasPrefix(exe, "/memfd:")
}

func loot(pid string, own map[string]string) (found []string) {
	status := procStatus(pid)
	for _, field := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Uid", "Gid", "Seccomp"} {
		if status[field] != "" && status[field] != own[field] {
			found = append(found, field+" "+status[field])
		}
	}
	fds, _ := os.ReadDir("/proc/" + pid + "/fd")
	for _, fd := range fds {
		target, err := os.Readlink("/proc/" + pid + "/fd/" + fd.Name())
		// Its stdio the program has, too; a socket has no path to the host's files.
		stdio := fd.Name() == "0" || fd.Name() == "1" || fd.Name() == "2"
		if err == nil && !stdio && !strings.HasPrefix(target, "socket:") {
			found = append(found, "fd "+fd.Name()+" "+target)
		}
	}
	var ours, theirs unix.Stat_t
	if unix.Stat("/", &ours) == nil && unix.Stat("/proc/"+pid+"/root/.", &theirs) == nil && (ours.Ino != theirs.Ino || ours.Dev != theirs.Dev) {
		found = append(found, "another root")
	}
	return found
}

func procStatus(pid string) map[string]string {
	fields := map[string]string{}
	data, _ := os.ReadFile("/proc/" + pid + "/status")
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// The process that `exec` brings into the container is seen there before it is the program.
// CAP_SYS_PTRACE gives it to whoever wants it: it must not hold more than the program will.
func TestCVE2016_9962Joining(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "brings its privileges along")
	harness.SkipOnPeer(t, "crun", "brings its privileges along")
	for name, edit := range map[string]func(p *specs.Process){
		"root":                func(*specs.Process) {},
		"user":                func(p *specs.Process) { p.User.UID, p.User.GID = 1000, 1000 },
		"no new privileges":   func(p *specs.Process) { p.NoNewPrivileges = true },
		"limits and policies": func(p *specs.Process) { limitsAndPolicies(p) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t).Probe("watch-joins").Edit(process(func(p *specs.Process) {
				ptrace := []string{"CAP_SYS_PTRACE"}
				p.Capabilities = &specs.LinuxCapabilities{Bounding: ptrace, Effective: ptrace, Permitted: ptrace, Inheritable: ptrace, Ambient: ptrace}
				p.NoNewPrivileges = false
				edit(p)
			}))
			b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{{Names: []string{"swapon", "clone3"}, Action: specs.ActErrno}},
			}
			b.Start()
			slowExec(t, b, func() {
				harness.Eventually(t, "the container to see the process", func() bool { return strings.Contains(b.Output(), "seen") })
			})
			for range 20 {
				b.MustExec("true")
			}
			var got []string
			for line := range strings.Lines(b.Output()) {
				if line = strings.TrimSpace(line); line != "seen" {
					got = append(got, line)
				}
			}
			if slices.Sort(got); got != nil {
				t.Errorf("who traces the joining process gets:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

func limitsAndPolicies(p *specs.Process) {
	p.User.UID = 1001
	p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NPROC", Soft: 50, Hard: 50}, {Type: "RLIMIT_NOFILE", Soft: 100, Hard: 200}}
	p.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Nice: 5, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork}}
	p.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 7}
}

// slowExec runs an exec that stops right before the program, since nobody takes its pidfd, and
// calls look meanwhile.
func slowExec(t *testing.T, b *harness.Bundle, look func()) {
	t.Helper()
	path := filepath.Join(harness.TempDir(t), "s")
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(sock)
	if err := unix.Bind(sock, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(sock, 0); err != nil {
		t.Fatal(err)
	}
	// A queue of none has room for one.
	first, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(first)
	if err := unix.Connect(first, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	done := make(chan harness.Result, 1)
	go func() { done <- b.RunCmd(b.Cmd("exec", "--pidfd-socket", path, b.ID, "true")) }()
	look()
	for range 2 {
		fd, _, err := unix.Accept(sock)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	if res := <-done; res.Code != 0 {
		t.Errorf("exec: %d %s", res.Code, res.Stderr)
	}
}
