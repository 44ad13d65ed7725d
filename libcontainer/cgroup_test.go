package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// A cgroup that could be made, but neither limited nor removed, is still known by the container's
// record, and deleted with it.
func TestRecordOfALeftCgroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("cgroups need root")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	host, err := cgroups.Probe()
	must(err)
	busy := exec.Command("sleep", "1000")
	must(busy.Start())
	release := sync.OnceFunc(func() { _ = busy.Process.Kill(); _ = busy.Wait() })

	r := &Runtime{Root: t.TempDir(), Warn: func(m string) { t.Error(m) }}
	c := newCreation(r, "c", &CreateOptions{Run: true, Spec: &specs.Spec{Linux: &specs.Linux{}}})
	c.facts, c.host, c.path = &facts.Facts{}, host, fmt.Sprintf("/ociruntime-left-%d", os.Getpid())
	// The first write puts a process into the cgroup, the second one fails.
	enter := cgroups.Write{V2: true, File: "cgroup.procs", Value: strconv.Itoa(busy.Process.Pid)}
	if host.V2 == nil {
		enter.V2, enter.Controller = false, host.V1[0].Controllers[0]
	}
	fail := enter
	fail.File = "no.such.file"
	c.set = &cgroups.Settings{Writes: []cgroups.Write{enter, fail}}
	c.places, err = host.Locate(c.path, c.id)
	must(err)
	left, err := cgroups.Open(plannedPaths(c.places))
	must(err)

	t.Cleanup(func() { release(); must(left.Remove(time.Second)) })

	c.dir, err = state.Create(r.Root, c.id)
	must(err)
	must(c.record())
	if err := errors.Join(c.makeCgroup(), c.unmake(t.Context())); err == nil || !left.Exists() {
		t.Fatalf("%v, and the cgroup is left: %v", err, left.Exists())
	}
	release()
	again, err := r.Load(c.id)
	must(err)
	must(again.Delete(t.Context(), true))
	if left.Exists() {
		t.Error("after delete, the cgroup is still there")
	}
}
