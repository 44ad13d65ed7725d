package libcontainer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/criu"
	"github.com/ociruntime/ociruntime/libcontainer/intelrdt"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// Delete removes the groups that the record calls the container's, and no other.
func TestRemoveResctrl(t *testing.T) {
	for name, c := range map[string]struct {
		own, mon bool
		left     string
	}{
		"shared class":                {false, false, "class class/mon_groups class/mon_groups/c1"},
		"monitored in a shared class": {false, true, "class class/mon_groups"},
		// a plain directory is not removed with what is in it
		"class of the container's own": {true, true, "class class/mon_groups"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			mon := filepath.Join(root, "class/mon_groups/c1")
			if err := os.MkdirAll(mon, 0o755); err != nil {
				t.Fatal(err)
			}
			ct := &Container{rec: &state.Record{IntelRdtPath: root + "/class", IntelRdtMonPath: mon, IntelRdtOwn: c.own, IntelRdtMonMade: c.mon}}
			if err := ct.removeResctrl(); (err != nil) != c.own {
				t.Error(err)
			}
			var left []string
			for _, dir := range []string{"class", "class/mon_groups", "class/mon_groups/c1"} {
				if _, err := os.Stat(filepath.Join(root, dir)); err == nil {
					left = append(left, dir)
				}
			}
			if got := strings.Join(left, " "); got != c.left {
				t.Errorf("left %q, want %q", got, c.left)
			}
			if c.own {
				if err := os.Remove(root + "/class/mon_groups"); err != nil {
					t.Fatal(err)
				}
				if err := ct.removeResctrl(); err != nil {
					t.Error(err)
				}
				if _, err := os.Stat(root + "/class"); err == nil {
					t.Error("the class is still there")
				}
			}
		})
	}
	if err := (&Container{rec: &state.Record{}}).removeResctrl(); err != nil {
		t.Error(err)
	}
}

func TestUpdateResctrl(t *testing.T) {
	dir := t.TempDir() + "/class"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/schemata", []byte("L3:0=ff\nMB:0=100\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ct := &Container{rec: &state.Record{IntelRdtPath: dir}}
	cfg := &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=ff"}
	if _, err := ct.updateResctrl(cfg, &UpdateOptions{MemBwSchema: "L3:0=1"}); err == nil {
		t.Error("a bandwidth without MB:")
	}
	undo, err := ct.updateResctrl(cfg, &UpdateOptions{MemBwSchema: "MB:0=50"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.L3CacheSchema != "L3:0=ff" || cfg.MemBwSchema != "MB:0=50" {
		t.Errorf("configuration %+v", cfg)
	}
	// A tree of plain files keeps every line that was written.
	for _, want := range []string{"L3:0=ff\nMB:0=100\nMB:0=50\n", "L3:0=ff\nMB:0=100\nMB:0=50\nL3:0=ff\nMB:0=100\n"} {
		if got, err := os.ReadFile(dir + "/schemata"); err != nil || string(got) != want {
			t.Errorf("schemata %q, %v, want %q", got, err, want)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	}
}

// A restored container's processes inherit the group from criu.
func TestRestoreResctrl(t *testing.T) {
	class := filepath.Join(t.TempDir(), "class")
	mon := filepath.Join(class, "mon_groups/c1")
	for _, dir := range []string{class, mon} {
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "tasks"), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	sleep := exec.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
	spec := &specs.Spec{Process: &specs.Process{}}
	c := &restoration{
		creation: &creation{launching: launching{rt: &Runtime{NoCgroup: true}, spec: spec, resctrl: intelrdt.Open(class, mon, true, true)}},
		ro:       &RestoreOptions{}, worker: &criu.Worker{Pid: sleep.Process.Pid},
	}
	if err := c.placeWorker(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{class, mon} {
		if got, err := os.ReadFile(filepath.Join(dir, "tasks")); err != nil || strings.TrimSpace(string(got)) != strconv.Itoa(sleep.Process.Pid) {
			t.Errorf("%s/tasks holds %q, %v", dir, got, err)
		}
	}
}
