package shim

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/containerd/api/types"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// Both commands say the same version, and -info says it to containerd.
func TestVersion(t *testing.T) {
	runtime, err := exec.Command(harness.Path(), "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	version := strings.Fields(string(runtime))[2]
	out, err := exec.Command(shimPath(t), "-v").Output()
	if err != nil || !strings.Contains(string(out), " version "+version+" (io.containerd.ociruntime.v1)\n") {
		t.Errorf("%q, %v: not version %s", out, err, version)
	}
	out, err = exec.Command(shimPath(t), "-info").Output()
	var info types.RuntimeInfo
	if err == nil {
		err = proto.Unmarshal(out, &info)
	}
	if err != nil || info.Name != "io.containerd.ociruntime.v1" || info.Version.GetVersion() != version {
		t.Errorf("%v, %v", &info, err)
	}
	if features := string(info.Features.GetValue()); !strings.Contains(features, `"mountExtensions"`) {
		t.Errorf("features %s", features)
	}
}

// Of starts at once, one makes the daemon, and all answer with its address.
func TestStartsAtOnce(t *testing.T) {
	rounds := 20
	if long() {
		rounds = 100
	}
	for range rounds {
		p := newPod(t)
		dir := harness.TempDir(t)
		config := fmt.Sprintf(`{"ociVersion":"1.0.0","root":{"path":"rootfs"},"annotations":{"io.kubernetes.cri.sandbox-id":%q}}`, p.name)
		const n = 2
		var addresses [n]string
		var all sync.WaitGroup
		for i := range n {
			bundle := filepath.Join(dir, fmt.Sprint("c", i))
			if err := os.Mkdir(bundle, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(bundle+"/config.json", []byte(config), 0o644); err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				var err error
				if addresses[i], err = p.start(bundle, fmt.Sprint("c", i)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if addresses[0] == "" || addresses[0] != addresses[1] {
			t.Fatalf("addresses %q", addresses)
		}
		if daemons := daemonsOf(p); len(daemons) != 1 {
			t.Errorf("daemons %v", daemons)
		}
		p.address, p.client = addresses[0], dial(t, addresses[0])
		var a api.ConnectResponse
		p.must("Connect", &api.ConnectRequest{ID: "c0"}, &a)
		p.pid = int(a.ShimPid)
	}
}

// daemonsOf are the processes that serve a pod: its directory is in their command lines.
func daemonsOf(p *pod) (pids []int) {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range found {
		text, err := os.ReadFile(name)
		if err == nil && bytes.Contains(text, []byte(program)) && bytes.Contains(text, []byte(p.dir+"/containerd")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// What is no message is an error, and no daemon stays behind.
func TestGarbageOnStdin(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Save()
	for _, c := range []struct {
		stdin string
		args  []string
	}{
		{"\xff\xff\xff", []string{"start"}},
		{strings.Repeat("x", 5<<20), []string{"start"}},
		{"", []string{"stop"}},
		{"", []string{"-nonsense", "start"}},
		{"", []string{"start", "now"}},
	} {
		cmd := p.command(b.Dir, b.ID, c.args...)
		cmd.Stdin = strings.NewReader(c.stdin)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), program+": ") || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%.20q, %q: %v, %q", c.stdin, c.args, err, out)
		}
	}
	p.dir = filepath.Join(p.dir, strings.Repeat("long", 20))
	if _, err := p.start(b.Dir, b.ID); err == nil || !strings.Contains(err.Error(), "a socket's path has at most 106 bytes") {
		t.Errorf("too long a path: %v", err)
	}
	if daemons := daemonsOf(p); len(daemons) != 0 {
		t.Errorf("daemons %v", daemons)
	}
}

// The kernel makes no huge pages of the daemon's heap, however little is in use of it, and what the
// daemon is told for that, its containers are not.
func TestNoHugePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("this kernel makes no huge pages")
	}
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000")
	init := p.run(b, streams{})
	maps := readFile(t, fmt.Sprintf("/proc/%d/smaps", p.pid))
	if !regexp.MustCompile(`(?m)^VmFlags:.* nh\b`).MatchString(maps) {
		t.Error("no part of the daemon's memory is without huge pages")
	}
	if env := readFile(t, fmt.Sprintf("/proc/%d/environ", init)); strings.Contains(env, "GODEBUG") || strings.Contains(env, "GOMAXPROCS") {
		t.Errorf("the container has %q", env)
	}
}

// ShimCgroup is where the daemon is, and its containers are not.
func TestShimCgroup(t *testing.T) {
	name := filepath.Base(harness.Work()) + "/shims"
	p := newPod(t)
	p.options.ShimCgroup = "/" + name
	b := p.bundle().Args("sleep", "1000").Save()
	if _, err := p.start(b.Dir, b.ID); err == nil || !strings.Contains(err.Error(), "there is no cgroup /"+name) {
		t.Errorf("a cgroup that is not there: %v", err)
	}
	if daemons := daemonsOf(p); len(daemons) != 0 {
		t.Errorf("after a failed start: daemons %v", daemons)
	}
	var dirs []string
	for _, h := range harness.Hierarchies() {
		dir := filepath.Join(h.Dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if !h.Unified && slices.Contains(h.Controllers, "cpuset") {
			fillCpuset(t, dir)
		}
		dirs = append(dirs, dir)
	}
	t.Cleanup(func() {
		for _, dir := range dirs {
			// The ended daemon is in it until somebody has waited for it.
			harness.Eventually(t, "the removal of "+dir, func() bool { return unix.Rmdir(dir) == nil })
		}
	})
	init := p.run(b, streams{})
	for _, dir := range dirs {
		pids := harness.CgroupPids(dir)
		if !slices.Contains(pids, p.pid) || slices.Contains(pids, init) {
			t.Errorf("%s has %v, not the daemon %d, or the container %d", dir, pids, p.pid, init)
		}
	}
	p.remove(b.ID)
	p.end()
	p.client = nil
}

// fillCpuset gives a new cgroup of v1's cpuset the CPUs and memory nodes that it needs before a
// process may be in it: those of the cgroups above.
func fillCpuset(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{filepath.Dir(dir), dir} {
		for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(filepath.Dir(d), name))
			if err == nil {
				err = os.WriteFile(filepath.Join(d, name), value, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
