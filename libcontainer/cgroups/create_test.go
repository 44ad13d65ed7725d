package cgroups

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// A new v1 cpuset is empty, and no process can enter it, until it and its parents get values.
func TestCpusetInherits(t *testing.T) {
	host := needV1(t, "cpuset")
	cg := create(t, host, nil)
	parent, err := os.ReadFile(filepath.Join(cg.Paths()["cpuset"], "../../cpuset.cpus"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fileOf(t, cg, "cpuset", "cpuset.cpus"); got == "" || got != strings.TrimSpace(string(parent)) {
		t.Errorf("cpuset.cpus = %q, the root has %q", got, parent)
	}
	if fileOf(t, cg, "cpuset", "cpuset.mems") == "" {
		t.Error("cpuset.mems is empty")
	}
}

func TestCreateErrors(t *testing.T) {
	host := needRoot(t)
	v2 := &Layout{}
	if host.V2 != nil {
		v2 = v2Only(t)
	}
	for _, tc := range []struct {
		name, json, want string
		host             *Layout
	}{
		{"no such CPU", `{"cpu":{"cpus":"4000"}}`, "linux.resources.cpu.cpus: write 4000 to ", host},
		{"no such page size", `{"hugepageLimits":[{"pageSize":"3MB","limit":0}]}`, "not offered by this kernel: it has no huge pages of 3MB", v2},
		{"no such file", `{"unified":{"hugetlb.nonsense":"1"}}`, `linux.resources.unified["hugetlb.nonsense"]: open `, v2},
		{"bad value", `{"unified":{"cgroup.max.depth":"deep"}}`, `linux.resources.unified["cgroup.max.depth"]: write deep to `, v2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set, err := Compile(parseResources(t, tc.json), tc.host)
			if err != nil {
				t.Skip(err)
			}
			name := uniqueName(t)
			cg, err := Create(tc.host, Config{Path: name + "/a/b", ID: "b", Settings: set})
			if err == nil {
				t.Errorf("created: %v; want an error with %q", cg.Paths(), tc.want)
				cg.Remove(time.Second)
			} else if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") ||
				strings.Contains(err.Error(), "no such file") {
				t.Errorf("error %q, want one line with %q", err, tc.want)
			}
			if found := leftovers(t, host, name); len(found) > 0 {
				t.Errorf("left behind: %v", found)
			}
		})
	}
}

func TestCreateRefusesUsedCgroup(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cg := create(t, host, nil)
		rel := strings.TrimPrefix(cg.nodes[0].Dir().Path, host.nodeMount(cg))
		cfg := Config{Path: rel, ID: "x"}
		// Before its init is in it, only the lock tells that it is taken.
		_, err := Create(host, cfg)
		if want := fmt.Sprintf(" is taken: process %d (", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("cgroup of another creation: %v, want %q in it", err, want)
		}
		if err := RemoveUnused(cg.Paths()); err != nil || !cg.Exists() {
			t.Errorf("the cgroup of another creation was removed as unused: %v", err)
		}
		spawn(t, cg, "exec sleep 60")
		if err := cg.Finish(); err != nil {
			t.Fatal(err)
		}
		_, err = Create(host, cfg)
		if err == nil || !strings.Contains(err.Error(), "cgroup is not empty: 1 process(es) found") {
			t.Fatalf("used cgroup: %v", err)
		}
		if err := cg.KillAll(); err != nil {
			t.Fatal(err)
		}
		if _, err := cg.Wait(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		if err := cg.Freeze(); err != nil {
			t.Fatal(err)
		}
		if _, err = Create(host, cfg); err == nil || !strings.Contains(err.Error(), "frozen") {
			t.Fatalf("frozen cgroup: %v", err)
		}
		if err := cg.Thaw(); err != nil {
			t.Fatal(err)
		}
		again, err := Create(host, cfg)
		if err != nil {
			t.Fatalf("empty cgroup: %v", err)
		}
		again.Close()
	})
}

// Of many creations with one cgroupsPath one gets it, whatever is there before.
func TestCreateAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		for range 20 {
			name := uniqueName(t)
			results := make(chan *Cgroup)
			for range 4 {
				go func() {
					cg, err := Create(host, Config{Path: "/" + name, ID: "x"})
					if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
						t.Error(err)
					}
					results <- cg
				}()
			}
			var winners []*Cgroup
			for range 4 {
				if cg := <-results; cg != nil {
					winners = append(winners, cg)
				}
			}
			if len(winners) != 1 {
				t.Errorf("%d of 4 creations got the cgroup", len(winners))
			}
			for _, cg := range winners {
				if err := cg.Remove(time.Second); err != nil {
					t.Error(err)
				}
			}
			if found := leftovers(t, host, name); len(found) > 0 {
				t.Fatalf("left behind: %v", found)
			}
		}
	})
}

// An init would freeze at its birth in a new cgroup below a frozen one, and nobody could end it.
func TestCreateBelowAFrozenCgroup(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		parent := create(t, host, nil)
		if err := parent.Freeze(); err != nil {
			t.Skip(err)
		}
		rel := strings.TrimPrefix(parent.nodes[0].Dir().Path, host.nodeMount(parent)) + "/child"
		cg, err := Create(host, Config{Path: rel, ID: "x"})
		if err == nil || !strings.Contains(err.Error(), "a cgroup above it is frozen") {
			t.Errorf("%v, %v", cg, err)
		}
		for _, p := range parent.Paths() {
			if _, err := os.Stat(p + "/child"); err == nil {
				t.Errorf("left %s/child", p)
			}
		}
	})
}

// When even the removal of what was made fails, the caller learns of it.
func TestCreateLeavesSomething(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		name := uniqueName(t)
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			for _, dir := range leftovers(t, host, name) {
				if err := backend.Rmdir(dir); err != nil {
					t.Error(err)
				}
			}
		})
		// The first write puts a process into the cgroup, the second one fails.
		enter := Write{V2: true, File: "cgroup.procs", Value: strconv.Itoa(cmd.Process.Pid)}
		if host.V2 == nil {
			enter.V2, enter.Controller = false, host.V1[0].Controllers[0]
		}
		fail := enter
		fail.File = "no.such.file"
		_, err := Create(host, Config{Path: "/" + name, ID: "x", Settings: &Settings{Writes: []Write{enter, fail}}})
		var left *LeftoverError
		if !errors.As(err, &left) {
			t.Fatalf("%v, want a LeftoverError", err)
		}
		if !strings.Contains(left.Err.Error(), "no.such.file") || !strings.Contains(left.Left.Error(), "remove cgroup") {
			t.Errorf("failed for %q, left for %q", left.Err, left.Left)
		}
		if len(leftovers(t, host, name)) == 0 {
			t.Error("nothing is left")
		}
	})
}

func TestUmask(t *testing.T) {
	host := needRoot(t)
	old := unix.Umask(0o077)
	cg := create(t, host, nil)
	unix.Umask(old)
	for _, p := range cg.Paths() {
		for _, dir := range []string{p, filepath.Dir(p)} {
			if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o755 {
				t.Errorf("%s: %v, %v", dir, st.Mode(), err)
			}
		}
	}
}

func TestOwner(t *testing.T) {
	host := v2Only(t)
	name := uniqueName(t)
	cg, err := Create(host, Config{Path: "/" + name, ID: "x", Owner: &Owner{UID: 12345, GID: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer cg.Remove(time.Second)
	for file, want := range map[string]uint32{"": 12345, "cgroup.procs": 12345, "cgroup.subtree_control": 12345, "cgroup.max.depth": 0, "cgroup.kill": 0} {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(cg.Paths()[""], file), &st); err != nil {
			t.Fatal(err)
		}
		if st.Uid != want || st.Gid != 0 {
			t.Errorf("%q belongs to %d:%d, want %d:0", file, st.Uid, st.Gid, want)
		}
	}
}

func TestRootless(t *testing.T) {
	host := needRoot(t)
	name := uniqueName(t)
	set, err := Compile(nil, host)
	if err != nil {
		t.Fatal(err)
	}
	limited, err := Compile(parseResources(t, `{"pids":{"limit":5}}`), host)
	if err != nil {
		t.Skip(err)
	}
	asNobody(t, func() {
		cfg := Config{Path: "/" + name + "/x", ID: "x", Settings: set}
		if _, err := Create(host, cfg); !errors.Is(err, unix.EACCES) {
			t.Errorf("not rootless: %v", err)
		}
		cfg.Rootless = true
		cg, err := Create(host, cfg)
		if err != nil {
			t.Errorf("rootless: %v", err)
			return
		}
		if why := cg.none; !strings.Contains(why, "rootless") || !strings.Contains(why, "create cgroup") {
			t.Errorf("None = %q", why)
		}
		cfg.Settings = limited
		_, err = Create(host, cfg)
		if err == nil || !strings.HasPrefix(err.Error(), "linux.resources.pids.limit: cannot be set without a cgroup: rootless") {
			t.Errorf("rootless with a limit: %v", err)
		}
	})
	if found := leftovers(t, host, name); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

// A user without privileges gets a container's cgroup inside of one that was given to them.
func TestRootlessDelegated(t *testing.T) {
	host := v2Only(t)
	mine, err := Create(host, Config{Path: "/" + uniqueName(t), ID: "x", Owner: &Owner{UID: 65534, GID: 65534}})
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Remove(time.Second)
	set, err := Compile(parseResources(t, `{"unified":{"cgroup.max.depth":"2"}}`), host)
	if err != nil {
		t.Fatal(err)
	}
	own := strings.TrimPrefix(mine.Paths()[""], host.V2.Mount) + "/session"
	asNobody(t, func() {
		inside := &Layout{V2: &Hierarchy{Mount: host.V2.Mount, Own: own, Controllers: host.V2.Controllers}}
		cg, err := Create(inside, Config{ID: "box", Settings: set, Rootless: true})
		if err != nil {
			t.Error(err)
			return
		}
		if got, want := cg.Paths()[""], mine.Paths()[""]+"/box"; got != want || cg.none != "" {
			t.Errorf("cgroup %q (%s), want %q", got, cg.none, want)
		}
		if got := fileOf(t, cg, "", "cgroup.max.depth"); got != "2" {
			t.Errorf("cgroup.max.depth = %q", got)
		}
		if err := cg.Remove(time.Second); err != nil {
			t.Error(err)
		}
	})
}

// Beside a threaded cgroup every new one is born invalid and has to become threaded as well.
func TestThreadedParent(t *testing.T) {
	host := v2Only(t)
	name := uniqueName(t)
	first, err := Create(host, Config{Path: "/" + name + "/first"})
	if err != nil {
		t.Fatal(err)
	}
	parent := filepath.Dir(first.Paths()[""])
	defer func() {
		if err := errors.Join(first.Remove(time.Second), backend.Rmdir(parent)); err != nil {
			t.Error(err)
		}
	}()
	if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("-hugetlb"), 0); err != nil {
		t.Log("without hugetlb: ", err)
	}
	if err := os.WriteFile(filepath.Join(first.Paths()[""], "cgroup.type"), []byte("threaded"), 0); err != nil {
		t.Skip("this parent can't become threaded: ", err)
	}
	second, err := Create(&Layout{V2: &Hierarchy{Mount: host.V2.Mount, Own: "/"}}, Config{Path: "/" + name + "/second"})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Remove(time.Second)
	if got := fileOf(t, second, "", "cgroup.type"); got != "threaded" {
		t.Errorf("cgroup.type = %q", got)
	}
	if pids, err := second.Pids(); err != nil || len(pids) > 0 {
		t.Errorf("Pids of a threaded cgroup = %v, %v", pids, err)
	}
	if err := second.KillAll(); err != nil {
		t.Errorf("KillAll of a threaded cgroup: %v", err)
	}
	set := &Settings{Writes: []Write{{Controller: "memory", V2: true, File: "memory.max", Value: "1", From: "linux.resources.memory.limit"}}}
	_, err = Create(&Layout{V2: &Hierarchy{Mount: host.V2.Mount, Own: "/"}}, Config{Path: "/" + name + "/third", Settings: set})
	if err == nil || !strings.HasPrefix(err.Error(), "linux.resources.memory.limit: cannot limit memory in a threaded cgroup") {
		t.Errorf("a memory limit in a threaded cgroup: %v", err)
	}
}

// A process that makes many containers keeps nothing open of those that it has made.
func TestFinishClosesEverything(t *testing.T) {
	onEach(t, func(t *testing.T, host *Layout) {
		open := func() []string {
			list, err := filepath.Glob("/proc/self/fd/*")
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		before := len(open())
		cg := create(t, host, parseResources(t, `{"devices":[{"allow":false}]}`))
		in, err := cg.Enter()
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		if err := cg.Finish(); err != nil {
			t.Fatal(err)
		}
		if after := len(open()); after != before {
			t.Errorf("%d descriptors before, %d afterwards", before, after)
		}
	})
}
