package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// inspection is the part of the JSON of inspect that is held against what /proc says.
type inspection struct {
	Namespaces []struct {
		Type, Relation, Path string
		Inode                uint64
	}
	Processes []struct {
		Host    int `json:"host_pid"`
		Inside  int `json:"pid"`
		Command string
	}
	Use *struct {
		Memory, Pids struct{ Used, Limit uint64 }
	}
	Process *struct {
		UID          uint32                                    `json:"host_uid"`
		UIDMap       []struct{ Inside, Outside, Count uint32 } `json:"uid_map"`
		Capabilities map[string][]string
		Seccomp      string
		Filters      int                                 `json:"seccomp_filters"`
		NoNewPrivs   bool                                `json:"no_new_privs"`
		Limits       []struct{ Name, Soft, Hard string } `json:"rlimits"`
		Mounts       []struct{ Destination, Type string }
	}
}

func inspected(t *testing.T, b *harness.Bundle) (v inspection) {
	t.Helper()
	if err := json.Unmarshal([]byte(b.Must("inspect", "--format", "json", b.ID)), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestInspect(t *testing.T) {
	t.Parallel()
	ours(t, "has no such command")
	harness.NeedController(t, "memory")
	other := sleeper(t).Start()
	b := sleeper(t).Sh("sleep 1000 & wait").Caps("CAP_KILL", "CAP_CHOWN").MapIDs(100000, 65536).
		Namespace(specs.NetworkNamespace, nsPath(other.Pid(), "net")).NoNamespace(specs.IPCNamespace).
		Edit(func(s *specs.Spec) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"reboot"}, Action: specs.ActErrno}}}
			s.Process.NoNewPrivileges = true
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 111, Hard: 222}}
			// No sysfs of a network namespace that another user namespace owns.
			s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool {
				return m.Type == "sysfs" || strings.HasPrefix(m.Destination, "/sys") || m.Type == "mqueue"
			})
			s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20))}}
		})
	b.Start()
	harness.Eventually(t, "the child runs", func() bool {
		// It executes its own file by /proc/self/exe, and is named after that for a moment.
		all := inspected(t, b).Processes
		return len(all) == 2 && all[1].Command == "sleep"
	})
	v := inspected(t, b)
	for _, ns := range v.Namespaces {
		want := map[string]string{"network": "joined", "ipc": "shared", "time": "shared", "cgroup": "shared"}[ns.Type]
		if ns.Type == "cgroup" && slices.ContainsFunc(b.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.CgroupNamespace }) {
			want = "own"
		}
		if want == "" {
			want = "own"
		}
		file := map[string]string{"mount": "mnt", "network": "net"}[ns.Type]
		if file == "" {
			file = ns.Type
		}
		if link := namespace(t, b.Pid(), file); ns.Relation != want || link != fmt.Sprintf("%s:[%d]", file, ns.Inode) {
			t.Errorf("%+v, want %s, %s", ns, want, link)
		}
	}
	p := v.Process
	if p == nil || v.Use == nil {
		t.Fatalf("%+v", v)
	}
	if v.Processes[0].Host != b.Pid() || v.Processes[0].Inside != 1 || v.Processes[0].Command != "sh" || v.Processes[1].Inside < 2 || v.Processes[1].Command != "sleep" {
		t.Errorf("processes: %+v", v.Processes)
	}
	if v.Use.Memory.Limit != 64<<20 || v.Use.Memory.Used == 0 {
		t.Errorf("memory: %+v", v.Use.Memory)
	}
	if p.UID != 100000 || len(p.UIDMap) != 1 || p.UIDMap[0].Outside != 100000 || p.UIDMap[0].Count != 65536 {
		t.Errorf("ids: %+v", p)
	}
	if !slices.Equal(p.Capabilities["effective"], []string{"CAP_CHOWN", "CAP_KILL"}) || len(p.Capabilities["ambient"]) != 0 {
		t.Errorf("capabilities: %v", p.Capabilities)
	}
	if p.Seccomp != "filter" || p.Filters < 1 || !p.NoNewPrivs {
		t.Errorf("seccomp: %+v", p)
	}
	if !slices.ContainsFunc(p.Limits, func(l struct{ Name, Soft, Hard string }) bool {
		return l.Name == "open files" && l.Soft == "111" && l.Hard == "222"
	}) {
		t.Errorf("limits: %v", p.Limits)
	}
	if !slices.ContainsFunc(p.Mounts, func(m struct{ Destination, Type string }) bool { return m.Destination == "/proc" && m.Type == "proc" }) {
		t.Errorf("mounts: %v", p.Mounts)
	}
	contains(t, b.Must("inspect", b.ID), "network", "joined "+nsPath(other.Pid(), "net"), "is 1 inside", "CHOWN KILL",
		"65536 from 0 on are the host's from 100000 on", "limit 64.0 MiB", "filter", "open files")
	b.Kill()
	if v := inspected(t, b); v.Process != nil || v.Processes != nil || v.Namespaces != nil {
		t.Errorf("of a stopped container: %+v", v)
	}
	contains(t, b.Must("inspect", b.ID), "stopped")
}

func TestStats(t *testing.T) {
	t.Parallel()
	ours(t, "has no such command")
	harness.NeedController(t, "memory")
	harness.NeedController(t, "pids")
	b := harness.NewBundle(t).Sh("while :; do :; done").Edit(resources(func(r *specs.LinuxResources) {
		r.Memory = &specs.LinuxMemory{Limit: ptr(int64(64 << 20))}
		r.Pids = &specs.LinuxPids{Limit: ptr(int64(77))}
	})).Start()
	stopped := b.Runtime.Bundle().Args("true").Start()
	stopped.WaitStatus(specs.StateStopped)
	var uses []struct {
		ID           string
		CPU          float64 `json:"cpu_percent"`
		Memory, Pids struct{ Used, Limit uint64 }
	}
	out := b.Must("stats", "--no-stream", "--interval", "300ms", "--format", "json")
	if err := json.Unmarshal([]byte(out), &uses); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	if len(uses) != 1 || uses[0].ID != b.ID || uses[0].CPU < 1 || uses[0].CPU > 150 ||
		uses[0].Memory.Limit != 64<<20 || uses[0].Memory.Used == 0 || uses[0].Pids.Used != 1 || uses[0].Pids.Limit != 77 {
		t.Errorf("%+v", uses)
	}
	table := b.Must("stats", "--no-stream", "--interval", "50ms", b.ID)
	contains(t, table, "CPU %", b.ID, "64.0 MiB", "77")
	if strings.Contains(table, "\x1b") || strings.Count(table, "\n") != 2 {
		t.Errorf("table: %q", table)
	}
	for id, want := range map[string]string{"nosuch": "container does not exist: there is no nosuch", stopped.ID: "is not running"} {
		if res := b.Runtime.Run("stats", id); res.Code != 1 || !strings.Contains(res.Message(), want) {
			t.Errorf("%s: %+v", id, res)
		}
	}
}

// The table is renewed in place on a terminal, and ends with a signal, or with the last container
// that was asked for.
func TestStatsGoOn(t *testing.T) {
	t.Parallel()
	ours(t, "has no such command")
	b := sleeper(t).Start()
	cmd := b.Cmd("stats", "--interval", "20ms")
	master := startOnPty(t, cmd)
	readUntil(t, master, "\x1b[J\x1b[H")
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit %d with Ctrl-C", code)
	}
	cmd = b.Cmd("stats", "--interval", "20ms", b.ID)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	first := make([]byte, 1)
	if _, err := r.Read(first); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pid := b.Pid()
	go func() { time.Sleep(100 * time.Millisecond); _ = unix.Kill(pid, unix.SIGKILL) }()
	buf := make([]byte, 1<<16)
	for {
		n, err := r.Read(buf)
		if strings.Contains(string(buf[:n]), "\x1b") {
			t.Errorf("escape sequences in a pipe: %q", buf[:n])
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("with the end of the container: %v", err)
	}
}
