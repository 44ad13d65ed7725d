package shim

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// deleted is what the shim's delete says of a container, as containerd asks after each deletion.
func (p *pod) deleted(b *harness.Bundle) *api.DeleteResponse {
	p.t.Helper()
	var a api.DeleteResponse
	out, err := p.command(b.Dir, b.ID, "-bundle", b.Dir, "delete").Output()
	if err == nil {
		err = proto.Unmarshal(out, &a)
	}
	if err != nil {
		p.t.Errorf("delete: %v", err)
	}
	return &a
}

// After a regular deletion the shim's delete says the same as the daemon did, and the socket is
// gone with the last container.
func TestDeleteAfterDeletion(t *testing.T) {
	p := newPod(t)
	first, second := p.bundle().Sh("exit 3"), p.bundle().Sh("exit 4")
	for _, b := range []*harness.Bundle{first, second} {
		p.run(b, streams{})
		p.wait(b.ID, "")
	}
	for _, b := range []*harness.Bundle{first, second} {
		var told api.DeleteResponse
		p.must("Delete", &api.DeleteRequest{ID: b.ID}, &told)
		p.done("Shutdown", &api.ShutdownRequest{ID: b.ID})
		_, err := os.Stat(strings.TrimPrefix(p.address, "unix://"))
		if gone := os.IsNotExist(err); gone != (b == second) {
			t.Errorf("%s: the socket is gone: %v", b.ID, gone)
		}
		if a := p.deleted(b); !proto.Equal(a, &told) || a.Pid == 0 || a.ExitedAt == nil {
			t.Errorf("%v, not %v", a, &told)
		}
	}
}

// A bundle that is used again has no answer of before.
func TestDeleteOfSecondLife(t *testing.T) {
	p := newPod(t)
	p.run(p.bundle().Args("sleep", "1000"), streams{})
	b := p.bundle().Args("sleep", "1000")
	p.run(b, streams{})
	p.remove(b.ID)
	if a := p.deleted(b); a.ExitStatus != 137 {
		t.Errorf("first life: %v", a)
	}
	p.must("Create", &api.CreateTaskRequest{ID: b.ID, Bundle: b.Dir, Options: p.packed()}, &api.CreateTaskResponse{})
	p.deleted(b) // as if its daemon were dead
	if dirs := b.CgroupDirs(); dirs != nil {
		t.Errorf("%v is there", dirs)
	}
}

// A start that containerd gives up and kills leaves neither a daemon nor a socket.
func TestStartIsGivenUp(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000").Save()
	for range 5 {
		cmd := p.command(b.Dir, b.ID, "start")
		stdin, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			_, err = stdin.Write(p.message(b.ID))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed; this is the end of stdin, too
		harness.Eventually(t, "the end of what was started", func() bool { return len(daemonsOf(p)) == 0 })
		if sockets, _ := filepath.Glob(p.dir + "/" + strings.Repeat("[0-9a-f]", 64)); sockets != nil {
			t.Errorf("%q are there", sockets)
		}
	}
}

// A shim that is built without its own entry point does the same.
func TestPlainBuild(t *testing.T) {
	plain := filepath.Join(harness.TempDir(t), program)
	build := exec.Command("go", "build", "-buildvcs=false", "-o", plain, "../../cmd/"+program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go here to build it with")
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := newPod(t)
	p.program = plain
	b := p.bundle().Sh("exit 3")
	p.run(b, streams{})
	if status := p.wait(b.ID, ""); status != 3 {
		t.Errorf("status %d", status)
	}
	var told api.DeleteResponse
	p.must("Delete", &api.DeleteRequest{ID: b.ID}, &told)
	p.must("Shutdown", &api.ShutdownRequest{ID: b.ID}, &emptypb.Empty{})
	if a := p.deleted(b); !proto.Equal(a, &told) {
		t.Errorf("%v, not %v", a, &told)
	}
}
