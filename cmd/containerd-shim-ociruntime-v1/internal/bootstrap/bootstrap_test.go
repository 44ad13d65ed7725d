package bootstrap

import (
	"bytes"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	bootstrapapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	runc "github.com/containerd/containerd/api/types/runc/options"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestParse(t *testing.T) {
	a, err := Parse(strings.Fields("-namespace n -address /a -publish-binary /c -id i -bundle /b -debug start"))
	if err != nil || *a != (Args{Namespace: "n", Address: "/a", Publish: "/c", ID: "i", Bundle: "/b", Debug: true, Action: "start"}) {
		t.Errorf("%+v, %v", a, err)
	}
	for _, line := range []string{
		"-id i start", "-namespace n start", "-namespace n -id i stop", "-namespace n -id i start now",
		"-namespace n -id ../i start", "-namespace .. -id i start", "-nonsense",
	} {
		if _, err := Parse(strings.Fields(line)); err == nil {
			t.Errorf("%s: no error", line)
		}
	}
}

func TestMessage(t *testing.T) {
	a := &Args{ID: "i", Namespace: "n"}
	options, err := anypb.New(&runc.Options{Root: "/r"})
	if err != nil {
		t.Fatal(err)
	}
	old, _ := proto.Marshal(options)
	params := &bootstrapapi.BootstrapParams{InstanceID: "i", Namespace: "n", ContainerdTtrpcAddress: "/t", SocketDir: proto.String("/d")}
	if err := params.AddExtension(options); err != nil {
		t.Fatal(err)
	}
	message, _ := proto.Marshal(params)
	params.InstanceID = "another"
	another, _ := proto.Marshal(params)
	for name, c := range map[string]struct {
		data         []byte
		isNew, given bool
	}{"empty": {nil, false, false}, "options": {old, false, true}, "bootstrap": {message, true, true}, "of another": {another, false, true}} {
		m, err := ReadMessage(bytes.NewReader(c.data), a)
		if err != nil || m.New != c.isNew || (m.Options != nil) != c.given {
			t.Errorf("%s: %+v, %v", name, m, err)
			continue
		}
		answer, err := m.Answer("unix:///s")
		var result bootstrapapi.BootstrapResult
		switch {
		case err != nil:
			t.Error(err)
		case !c.isNew && string(answer) != "unix:///s":
			t.Errorf("%s: answer %q", name, answer)
		case c.isNew && (proto.Unmarshal(answer, &result) != nil || result.GetVersion() != 3 || result.GetAddress() != "unix:///s" || m.Events != "/t" || m.SocketDir != "/d"):
			t.Errorf("%s: answer %v to %+v", name, &result, m)
		}
	}
	if _, err := ReadMessage(strings.NewReader("\xff\xff"), a); err == nil {
		t.Error("garbage: no error")
	}
	if _, err := ReadMessage(bytes.NewReader(make([]byte, maxMessage+1)), a); err == nil {
		t.Error("too long: no error")
	}
}

func TestGroup(t *testing.T) {
	for _, c := range []struct {
		annotations map[string]string
		want        string
	}{
		{nil, "i"},
		{map[string]string{"io.kubernetes.cri.sandbox-id": "pod"}, "pod"},
		{map[string]string{"io.kubernetes.cri.sandbox-id": "pod", "io.containerd.runc.v2.group": "g"}, "g"},
	} {
		if got := Group(c.annotations, "i"); got != c.want {
			t.Errorf("%v: %s, not %s", c.annotations, got, c.want)
		}
	}
}

func TestSocketPath(t *testing.T) {
	got, err := SocketPath("", "/run/containerd/containerd.sock", "k8s.io", "pod")
	// sha256sum of "/run/containerd/containerd.sock/k8s.io/pod"
	if err != nil || filepath.Dir(got) != socketDir || len(filepath.Base(got)) != 64 {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := SocketPath("/"+strings.Repeat("x", 60), "/a", "n", "g"); err == nil {
		t.Error("too long a path: no error")
	}
}

// Of many starts at once, with the socket of a dead shim in their way, one makes the socket.
func TestListenTogether(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "s")
		dead, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		dead.Close()
		var made atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				l, err := Listen(path)
				if err != nil {
					t.Error(err)
				}
				if l != nil {
					made.Add(1)
					t.Cleanup(func() { l.Close() })
				}
			})
		}
		all.Wait()
		if n := made.Load(); n != 1 {
			t.Fatalf("%d sockets were made", n)
		}
		if err := RemoveDead(path); err != nil || !Alive(path) {
			t.Fatalf("a socket in use was removed: %v", err)
		}
	}
}
