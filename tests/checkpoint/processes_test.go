package checkpoint

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// talks makes the box run a probe that answers lines.
func (b *box) talks(probe string, args ...string) *box {
	b.t.Helper()
	b.Probe(probe, args...)
	b.feed = true
	return b
}

func (b *box) says(first string) {
	b.t.Helper()
	harness.Eventually(b.t, first, func() bool { return b.out.last() == first || b.err.last() != "" })
	if b.err.last() != "" {
		b.t.Skip(b.err.text())
	}
}

// ask gives the answer to a line.
func (b *box) ask(line string) string {
	b.t.Helper()
	before := strings.Count(b.out.text(), "\n") + min(len(b.out.text()), 1)
	if _, err := fmt.Fprintln(b.in, line); err != nil {
		b.t.Fatal(err)
	}
	harness.Eventually(b.t, "an answer to "+line, func() bool { return strings.Count(b.out.text(), "\n")+min(len(b.out.text()), 1) > before })
	return b.out.last()
}

// 17
func TestTCP(t *testing.T) {
	t.Parallel()
	b := newBox(t).talks("tcp").run()
	b.says("connected")
	res := b.tryCheckpoint()
	refused(t, res, "--tcp-established", "dump.log")
	if got := b.ask("one"); got != "over TCP one" {
		t.Errorf("after a dump that was refused: %q", got)
	}
	b.checkpoint("--tcp-established")
	b.restore("--tcp-established")
	if got := b.ask("two"); got != "over TCP two" {
		t.Errorf("after the restore: %q", got)
	}
}

// 17
func TestTCPClose(t *testing.T) {
	t.Parallel()
	if harness.Peer() == "runc" {
		t.Skip("runc has no --tcp-close")
	}
	b := newBox(t).talks("tcp").run()
	b.says("connected")
	b.checkpoint("--tcp-established")
	b.restore("--tcp-close")
	if got := b.ask("word"); strings.HasPrefix(got, "over TCP") {
		t.Errorf("the connection is still there: %q", got)
	}
}

// 18
func TestOpenFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, flag, want string }{
		{"deleted", "", "deleted text of /deleted"},
		{"lock", "--file-locks", "lock held: EAGAIN"},
		{"linked", "--link-remap", "linked text of /linked"},
		{"pair", "", "pair hello<nil>"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.Writable()
			b.talks("open", c.what).run()
			b.says("ready")
			if got := b.ask("before"); got != c.want {
				t.Fatalf("before: %q", got)
			}
			var flags []string
			if c.flag != "" {
				res := b.tryCheckpoint()
				refused(t, res, "dump.log")
				if harness.Peer() == "" && !strings.Contains(res.Message(), c.flag) {
					t.Errorf("the error does not name the way out, %s: %s", c.flag, res.Message())
				}
				flags = []string{c.flag}
			}
			if harness.Peer() == "runc" && c.flag == "--link-remap" {
				t.Skip("runc 1.1 has no --link-remap")
			}
			b.checkpoint(flags...)
			if c.flag == "--link-remap" {
				flags = nil
			}
			b.restore(flags...)
			if got := b.ask("after"); got != c.want {
				t.Errorf("after: %q", got)
			}
		})
	}
}

// 18
func TestExtUnixSocket(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	dir := harness.TempDir(t)
	b.Mount(dir, dir, "bind", "bind") // criu connects to the name that the socket has
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	if err := unix.Bind(socket, &unix.SockaddrUnix{Name: filepath.Join(dir, "s")}); err != nil {
		t.Fatal(err)
	}
	b.Probe("unix", dir+"/s")
	b.NoNamespace(specs.NetworkNamespace) // criu sees the sockets of one network namespace
	b.feed = true
	b.run()
	b.says("ready")
	refused(t, b.tryCheckpoint(), "--ext-unix-sk")
	b.checkpoint("--ext-unix-sk")
	b.restore("--ext-unix-sk")
	if got := b.ask("word"); got != "sent" {
		t.Errorf("it says %q", got)
	}
	buf := make([]byte, 10)
	if n, _, err := unix.Recvfrom(socket, buf, unix.MSG_DONTWAIT); err != nil || string(buf[:n]) != "word" {
		t.Errorf("received %q, %v", buf[:max(n, 0)], err)
	}
}

// statusOf is what the kernel says of the container's process, less what a restore may change.
func (b *box) statusOf() string {
	b.t.Helper()
	var all []string
	keep := []string{"Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Cap", "Cpus_allowed", "Mems_allowed", "SigBlk", "SigIgn", "SigCgt", "Shd", "Umask", "Threads", "NSpid", "NStgid"}
	for _, name := range []string{"status", "limits", "oom_score_adj", "cmdline", "environ", "comm"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", b.Pid(), name))
		if err != nil {
			b.t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if name == "status" && !hasAnyPrefix(line, keep) || strings.HasPrefix(line, "NS") {
				continue
			}
			all = append(all, name+" "+strings.TrimSpace(line))
		}
	}
	return strings.Join(all, "\n")
}

func hasCapability(t *testing.T, n int) bool {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	return data[n/32].Effective&(1<<(n%32)) != 0
}

func hasAnyPrefix(line string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// 19
func TestProperties(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	score, umask := 500, uint32(0o027)
	b.Edit(func(s *specs.Spec) {
		p := s.Process
		p.OOMScoreAdj, p.User = &score, specs.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{7, 8}, Umask: &umask}
		p.Rlimits = append(p.Rlimits, specs.POSIXRlimit{Type: "RLIMIT_CORE", Soft: 5, Hard: 50})
		p.Capabilities.Bounding = []string{"CAP_KILL"}
		p.Capabilities.Effective, p.Capabilities.Permitted = nil, []string{"CAP_KILL"}
		p.Capabilities.Inheritable, p.Capabilities.Ambient = []string{"CAP_KILL"}, []string{"CAP_KILL"}
		s.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchAARCH64},
			Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdirat", "mkdir"}, Action: specs.ActErrno}},
		}
	})
	if !hasCapability(t, unix.CAP_SYS_RESOURCE) {
		// criu may not ask for the limits of another user's process then.
		b.Spec.Process.User.UID, b.Spec.Process.User.GID = 0, 0
	}
	b.run()
	b.counts(1)
	before := b.statusOf()
	b.again()
	b.counts(1)
	sameLines(t, "properties", before, b.statusOf())
	if !strings.Contains(before, "Seccomp:\t2") {
		t.Errorf("no seccomp filter in %s", before)
	}
}

// 19: what criu does not know of.
func TestOtherProperties(t *testing.T) {
	t.Parallel()
	if harness.Peer() != "" {
		t.Skip("not in runc 1.1")
	}
	b := newBox(t).talks("self")
	nice := int32(5)
	b.Spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Nice: nice}
	b.Spec.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 6}
	b.run()
	before := b.ask("?")
	b.again()
	sameLines(t, "property", strings.ReplaceAll(before, "; ", "\n"), strings.ReplaceAll(b.ask("?"), "; ", "\n"))
	if !strings.Contains(before, "_ses."+b.ID) {
		t.Errorf("no session keyring of its own: %s", before)
	}
}

// A service in a container may have a mount namespace of its own, and the null device from there.
func TestNestedMountNamespace(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t)
	b.Writable()
	b.Edit(func(s *specs.Spec) {
		c := s.Process.Capabilities
		c.Bounding, c.Permitted = append(c.Bounding, "CAP_SYS_ADMIN"), append(c.Permitted, "CAP_SYS_ADMIN")
		c.Effective = append(c.Effective, "CAP_SYS_ADMIN")
	})
	// A sleep that is restored may end with EINTR.
	b.Sh(`unshare -m sh -c 'mount -t tmpfs tmpfs /mnt && echo inner >/mnt/file && while :; do sleep 1000; done </dev/null' & ` + counter)
	if err := os.MkdirAll(filepath.Join(b.Rootfs, "mnt"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.run()
	inner := func() (text string) {
		t.Helper()
		harness.Eventually(t, "the file in the other mount namespace", func() bool {
			for _, pid := range harness.Children(b.Pid()) {
				if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/mnt/file", pid)); err == nil {
					text = string(data)
				}
			}
			return text != ""
		})
		return text
	}
	if got := inner(); got != "inner\n" {
		t.Errorf("at first %q", got)
	}
	b.again()
	b.counts(1)
	if got := inner(); got != "inner\n" {
		t.Errorf("then %q", got)
	}
}

// The kernel shows a process's memory policy in front of each of its mappings.
func TestMemoryPolicy(t *testing.T) {
	t.Parallel()
	ours(t)
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skip("this kernel has no NUMA policies")
	}
	for _, c := range []struct {
		policy specs.LinuxMemoryPolicy
		want   string
	}{
		{specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0"}, "bind:0"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolInterleave, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes}}, "interleave=static:0"},
		{specs.LinuxMemoryPolicy{Mode: specs.MpolPreferred}, "local"},
	} {
		b := newBox(t)
		b.Spec.Linux.MemoryPolicy = &c.policy
		b.run()
		policies := func() string {
			t.Helper()
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/numa_maps", b.Pid()))
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			for line := range strings.Lines(string(data)) {
				found[strings.Fields(line)[1]] = true
			}
			return strings.Join(slices.Sorted(maps.Keys(found)), " ")
		}
		if got := policies(); got != c.want {
			t.Errorf("created with %s, not %s", got, c.want)
		}
		b.again()
		b.counts(1)
		if got := policies(); got != c.want {
			t.Errorf("restored with %s, not %s", got, c.want)
		}
		if got := b.err.text(); got != "" {
			t.Errorf("a warning: %s", got)
		}
	}
}
