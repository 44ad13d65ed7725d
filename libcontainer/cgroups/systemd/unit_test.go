package systemd

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		path, id string
		user     bool
		name     string // of the unit
		dir      string
	}{
		{"system.slice:runc:abc", "x", false, "runc-abc.scope", "/system.slice/runc-abc.scope"},
		{"", "box", false, "ociruntime-box.scope", "/system.slice/ociruntime-box.scope"},
		{"", "box", true, "ociruntime-box.scope", "/user.slice/ociruntime-box.scope"},
		{":libpod:abc", "x", false, "libpod-abc.scope", "/system.slice/libpod-abc.scope"},
		{"-.slice:a:b", "x", false, "a-b.scope", "/a-b.scope"},
		{"a-b-c.slice:p:n", "x", false, "p-n.scope", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope"},
		{"kubepods-besteffort-pod1_2.slice:cri-containerd:f00", "x", false, "cri-containerd-f00.scope",
			"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-f00.scope"},
		{"system.slice:ignored:pod-7.slice", "x", false, "pod-7.slice", "/pod.slice/pod-7.slice"},
	} {
		u, err := Parse(c.path, c.id, c.user)
		if err != nil {
			t.Errorf("%q: %v", c.path, err)
			continue
		}
		if got := u.Path(""); u.Name != c.name || got != c.dir {
			t.Errorf("%q: unit %s at %s, want %s at %s", c.path, u.Name, got, c.name, c.dir)
		}
		const root = "/user.slice/user-1.slice/user@1.service"
		if got := u.Path(root); got != root+c.dir {
			t.Errorf("%q: %s below %s", c.path, got, root)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, path := range []string{
		"/a/b", "a", "a:b", "a:b:c:d", "system.slice:p:", "system:p:n", "a--b.slice:p:n", "-a.slice:p:n", "a-.slice:p:n", ".slice:p:n",
		"../x.slice:p:n", "a/b.slice:p:n", "system.slice:p:a/b", "system.slice:p:a b", "system.slice:p:a\nb", "system.slice:p:é",
		"system.slice:p:a--b.slice", "system.slice:p:" + strings.Repeat("x", 250),
	} {
		if u, err := Parse(path, "id", false); err == nil || !strings.HasPrefix(err.Error(), "linux.cgroupsPath: ") {
			t.Errorf("%q: %v, error %v", path, u, err)
		}
	}
}
