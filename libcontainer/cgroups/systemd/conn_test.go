package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	godbus "github.com/godbus/dbus/v5"
)

// A connection that is closed under us is made once more.
func TestConnectsAgain(t *testing.T) {
	systemd := newFakeSystemd(t, func(string, []any) any { return nil })
	m := &Manager{user: true}
	if err := m.connect(); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Root(); err == nil {
		t.Error("an answer from nobody")
	}
	// go-systemd makes two each time. The last one may be cut before it is accepted, and counted.
	for end := time.Now().Add(10 * time.Second); systemd.connected.Load() < 4 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	systemd.listener.Close()
	if n := systemd.connected.Load(); n != 4 {
		t.Errorf("%d connections, want 4", n)
	}
	m.Close()
	dir := os.Getenv("XDG_RUNTIME_DIR")
	_, err := m.Root()
	if err == nil || !strings.Contains(err.Error(), dir+"/systemd/private: ") || !strings.Contains(err.Error(), dir+"/bus: ") {
		t.Errorf("error %v", err)
	}
}

// realSystemd is connected to this host's systemd, directly or over the bus.
func realSystemd(t *testing.T, overBus bool) *Manager {
	t.Helper()
	if _, err := os.Stat("/run/systemd/system"); err != nil || os.Geteuid() != 0 {
		t.Skip("no systemd here, or not root: make hostsd-test has one")
	}
	m := &Manager{}
	t.Cleanup(m.Close)
	direct, bus := m.addresses()
	address := direct
	if overBus {
		address = bus
	}
	if err := m.connectTo(address, overBus); err != nil {
		t.Fatal(err)
	}
	return m
}

// sleeper is a process for a scope.
func sleeper(t *testing.T) (pid int) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dead := make(chan struct{})
	go func() { _ = cmd.Wait(); close(dead) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-dead })
	return cmd.Process.Pid
}

func TestRealSystemd(t *testing.T) {
	for name, overBus := range map[string]bool{"direct": false, "bus": true} {
		t.Run(name, func(t *testing.T) {
			m := realSystemd(t, overBus)
			root, err := m.Root()
			if err != nil || root != "" && !strings.HasPrefix(root, "/") {
				t.Errorf("root %q, error %v", root, err)
			}
			u, err := Parse(fmt.Sprintf("system.slice:0te.st:%s_%d", name, time.Now().UnixNano()), "", false)
			if err != nil {
				t.Fatal(err)
			}
			pid := sleeper(t)
			props := []Property{{Name: "TasksMax", Value: godbus.MakeVariant(uint64(7))}, {Name: "TimeoutStopUSec", Value: godbus.MakeVariant(uint64(9_000_000))}}
			if err := m.Start(u, pid, props); err != nil {
				t.Fatal(err)
			}
			defer m.Stop(u.Name)
			own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
			if err != nil || !strings.Contains(string(own), u.Path(root)+"\n") {
				t.Errorf("the process is in %s (%v)", own, err)
			}
			show := func(property string) string {
				out, err := exec.Command("systemctl", "show", "--value", "-p", property, u.Name).Output()
				if err != nil {
					t.Fatal(err)
				}
				return strings.TrimSpace(string(out))
			}
			if got := show("TasksMax") + " " + show("TimeoutStopUSec"); got != "7 9s" {
				t.Errorf("properties %s", got)
			}
			if err := m.Start(u, sleeper(t), nil); errorName(err) != "UnitExists" || !strings.Contains(err.Error(), u.Name) {
				t.Errorf("error %v of a second unit of that name", err)
			}
			if err := m.Set(u.Name, []Property{{Name: "TasksMax", Value: godbus.MakeVariant(uint64(8))}, {Name: "OOMPolicy", Value: godbus.MakeVariant("kill")}}); err != nil {
				t.Error(err)
			}
			if got := show("TasksMax"); got != "8" {
				t.Errorf("TasksMax %s after a change", got)
			}
			if err := m.Set(u.Name, []Property{{Name: "Nonsense", Value: godbus.MakeVariant(true)}}); err == nil || !strings.Contains(err.Error(), "Nonsense") {
				t.Errorf("error %v", err)
			}
			if oom, err := m.OutOfMemory(u.Name); oom || err != nil {
				t.Errorf("out of memory: %v, error %v", oom, err)
			}
			for range 2 {
				if err := m.Stop(u.Name); err != nil {
					t.Error(err)
				}
			}
			if got := show("ActiveState"); got != "inactive" {
				t.Errorf("afterwards the unit is %s", got)
			}
		})
	}
}

// systemd executes itself anew when its package is updated, and closes all direct connections.
func TestRealSystemdAnew(t *testing.T) {
	m := realSystemd(t, false)
	if exec.Command("systemd-detect-virt", "--quiet").Run() != nil {
		t.Skip("not in a virtual machine or a container: this would be the systemd of somebody's machine")
	}
	if _, err := m.Root(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemctl", "daemon-reexec").CombinedOutput(); err != nil {
		t.Fatalf("daemon-reexec: %v: %s", err, out)
	}
	if _, err := m.Root(); err != nil {
		t.Error(err)
	}
}
