package diagnose

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestJudge(t *testing.T) {
	rootfs := t.TempDir()
	for name, content := range map[string]string{"bin/script": "#!/bin/none\n", "bin/empty": "", "file": "x"} {
		path := filepath.Join(rootfs, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/bin/self", filepath.Join(rootfs, "bin/self")); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=/usr/bin:/bin"}
	for _, tt := range []struct {
		rootfs, program string
		env             []string
		mount           string
		want            string
	}{
		{rootfs, "script", env, "", "process.args: /bin/script is a script for the interpreter /bin/none, which is not in the container"},
		{rootfs, "/bin/empty", nil, "", "process.args: /bin/empty is empty"},
		{rootfs, "none", env, "/proc", "process.args: there is no none in the root file system"},
		{rootfs, "/none", nil, "/dev/shm", "process.args: there is no /none in the root file system"},
		{rootfs, "/file/none", nil, "", "process.args: there is no /file/none in the root file system"},
		{rootfs, "/opt/none", nil, "/opt", ""}, // nobody knows what will be there
		{rootfs, "none", env, "/usr/lib", "process.args: there is no none in the root file system?"},
		{rootfs, "none", nil, "", ""}, // without a PATH
		{rootfs, "self", env, "", ""}, // a loop, which is no answer
		{rootfs + "/none", "x", env, "", "root.path: there is no root file system in " + rootfs + "/none: no such file or directory"},
		{rootfs + "/file", "x", env, "", "root.path: there is no root file system in " + rootfs + "/file: not a directory"},
	} {
		spec := &specs.Spec{Root: &specs.Root{}, Process: &specs.Process{Args: []string{tt.program}, Env: tt.env, Cwd: "/"}}
		if tt.mount != "" {
			spec.Mounts = []specs.Mount{{Destination: tt.mount}}
		}
		place, why, sure := Judge(spec, rootfs, tt.rootfs)
		got := place + ": " + why
		if why == "" {
			got = ""
		} else if !sure {
			got += "?"
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.program, got, tt.want)
		}
	}
	if _, why, _ := Judge(&specs.Spec{}, rootfs, rootfs); why != "" {
		t.Errorf("nothing to run: %q", why)
	}
	// In a mount namespace of others there may be anything.
	others := &specs.Spec{Root: &specs.Root{}, Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.MountNamespace, Path: "/x"}}}}
	if _, why, _ := Judge(others, rootfs, rootfs+"/none"); why != "" || Rootfs(others, rootfs+"/none") != nil {
		t.Errorf("in another mount namespace: %q", why)
	}
}
