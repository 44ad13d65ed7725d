package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// cgroupView is what the container sees of cgroups: its own, and those that are mounted.
func (b *box) cgroupView() string {
	b.t.Helper()
	text := b.MustExec("sh", "-c", `cat /proc/1/cgroup; cat /proc/self/mountinfo; ls -A /sys/fs/cgroup; for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ -e $d/cgroup.procs ] || continue
			echo $d has $(ls -A $d | grep -v '\.' | sort); [ $(wc -l <$d/cgroup.procs) -lt 9 ] || echo $d has strangers; done`)
	var list []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, " - ") && !strings.Contains(line, " - cgroup") {
			continue
		}
		list = append(list, strings.TrimSpace(numbers.ReplaceAllString(line, "$2 ")))
	}
	return strings.Join(list, "\n")
}

// 10
func TestCgroupView(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{true, false} {
		for _, mode := range []string{"", "soft", "ignore"} {
			t.Run(fmt.Sprintf("namespace %v mode %s", own, mode), func(t *testing.T) {
				t.Parallel()
				if mode == "soft" && hiddenCgroups(t) {
					t.Skip("there are cgroup hierarchies that are not mounted here")
				}
				if harness.Peer() == "runc" && own && mode == "ignore" {
					t.Skip("runc: the container sees the cgroups of the host")
				}
				b := newBox(t)
				b.NoNamespace(specs.CgroupNamespace)
				if own {
					b.Namespace(specs.CgroupNamespace, "")
				}
				b.run()
				before := b.cgroupView()
				var flags []string
				if mode != "" {
					flags = []string{"--manage-cgroups-mode", mode}
				}
				dirs := b.CgroupDirs()
				b.again(flags...)
				sameLines(t, "cgroups", before, b.cgroupView())
				if now := b.CgroupDirs(); !slices.Equal(dirs, now) {
					t.Errorf("cgroups %v became %v", dirs, now)
				}
				b.counts(1)
			})
		}
	}
}

// hiddenCgroups says whether the kernel has hierarchies that this machine does not show.
func hiddenCgroups(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(line, ":")
		names, _, _ := strings.Cut(rest, ":")
		if !slices.ContainsFunc(harness.Hierarchies(), func(h harness.Hierarchy) bool {
			return h.Unified && names == "" || !h.Unified && slices.Contains(h.Controllers, strings.Split(names, ",")[0])
		}) {
			return true
		}
	}
	return false
}

// 11
func TestOtherID(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"soft", "ignore"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			if mode == "soft" && hiddenCgroups(t) {
				t.Skip("there are cgroup hierarchies that are not mounted here")
			}
			if slices.Contains(newBox(t).Flags, "--systemd-cgroup") {
				t.Skip("systemd gives each container a cgroup of its own name")
			}
			b := newBox(t).run()
			b.checkpoint("--manage-cgroups-mode", mode)
			b.gone()
			old := b.Spec.Linux.CgroupsPath
			before := *b.Bundle
			b.ID += "-other"
			b.Spec.Linux.CgroupsPath = old + "-other"
			b.Save()
			b.restore("--manage-cgroups-mode", mode)
			b.counts(1)
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", b.Pid()))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				line = strings.TrimSpace(line)
				if strings.HasSuffix(line, old) {
					t.Errorf("it is in its old cgroup: %s", line)
				}
			}
			for _, h := range harness.Hierarchies() {
				if _, err := os.Stat(filepath.Join(h.Dir, old)); err == nil {
					t.Errorf("the old cgroup has come back: %s%s", h.Dir, old)
				}
			}
			if view := b.cgroupView(); strings.Contains(view, old+" ") {
				t.Errorf("it sees its old cgroup: %s", view)
			}
			b.Do("delete", "--force")
			b.gone()
			b.ID, b.Spec.Linux.CgroupsPath = before.ID, old
		})
	}
}

// 12
func TestTightLimits(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "pids")
	memory := int64(4 << 20)
	pids := int64(3)
	b := newBox(t)
	b.Edit(func(s *specs.Spec) {
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &memory}
		s.Linux.Resources.Pids = &specs.LinuxPids{Limit: &pids}
	})
	b.run()
	b.again()
	b.counts(1)
	if got := b.CgroupValue("pids", "pids.max", "pids.max"); got != "3" {
		t.Errorf("pids.max %s", got)
	}
	if got := b.CgroupValue("memory", "memory.limit_in_bytes", "memory.max"); got != fmt.Sprint(memory) {
		t.Errorf("memory limit %s", got)
	}
	// And once more, from a bundle that allows more: config.json counts.
	b.checkpoint()
	pids = 30
	b.Save()
	b.restore()
	if got := b.CgroupValue("pids", "pids.max", "pids.max"); got != "30" {
		t.Errorf("pids.max %s", got)
	}
}

// 29
func TestHostCgroupMountStays(t *testing.T) {
	t.Parallel()
	before := cgroupMounts(t)
	newBox(t).run().again().counts(1)
	if after := cgroupMounts(t); after != before {
		t.Errorf("the host's cgroup mounts were\n%s\nand are\n%s", before, after)
	}
}

func cgroupMounts(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, " - cgroup") && strings.Contains(line, " /sys/fs/cgroup") {
			list = append(list, line)
		}
	}
	return strings.Join(list, "")
}

// 23
func TestSystemdScope(t *testing.T) {
	t.Parallel()
	need(t)
	for _, mode := range []string{"soft", "ignore"} {
		t.Run(mode, func(t *testing.T) {
			if mode == "soft" && hiddenCgroups(t) {
				t.Skip("there are cgroup hierarchies that are not mounted here")
			}
			b := newBox(t)
			b.Bundle = harness.Systemd(t).Sh(counter)
			harness.NeedController(t, "pids")
			pids := int64(20)
			b.Spec.Linux.Resources.Pids = &specs.LinuxPids{Limit: &pids}
			b.run()
			b.again("--manage-cgroups-mode", mode)
			b.counts(1)
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", b.Pid()))
			if err != nil || !strings.Contains(string(text), b.ID+".scope") {
				t.Errorf("it is not in its scope: %s, %v", text, err)
			}
			if got := b.CgroupValue("pids", "pids.max", "pids.max"); got != "20" {
				t.Errorf("pids.max %s", got)
			}
		})
	}
}
