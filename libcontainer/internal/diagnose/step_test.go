package diagnose

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

func TestExplainCreate(t *testing.T) {
	rootfs, bundle := t.TempDir(), t.TempDir()
	for name, mode := range map[string]os.FileMode{"etc/file": 0o644, "bin/app": 0o600, "usr/bin/app": 0o644} {
		name = filepath.Join(rootfs, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, nil, mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(bundle, "dir"), 0o755), os.WriteFile(filepath.Join(bundle, "file"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	bind := func(from, to string) specs.Mount {
		return specs.Mount{Type: "bind", Source: from, Destination: to, Options: []string{"rbind"}}
	}
	for name, tt := range map[string]struct {
		from  string
		call  plan.Call
		errno unix.Errno
		mount specs.Mount // the second of two: the first brings a file
		want  string
	}{
		"unknown file system":   {"mounts[1]", plan.SysFsopen, unix.ENODEV, specs.Mount{Type: "cheese", Destination: "/x"}, `mounts[1].type: this kernel has no file system "cheese", and no module for it: /proc/filesystems lists those that it has`},
		"misspelt":              {"mounts[1]", plan.SysFsopen, unix.ENODEV, specs.Mount{Type: "porc", Destination: "/x"}, `: did you mean "proc"?`},
		"meant to be bound":     {"mounts[1]", plan.SysFsopen, unix.ENODEV, specs.Mount{Type: "cheese", Source: "dir", Destination: "/x"}, "; to bind " + bundle + "/dir, add bind or rbind to mounts[1].options"},
		"file on directory":     {"mounts[1]", plan.SysMoveMount, unix.EINVAL, bind("file", "/etc"), "mounts[1].destination has to be a file, or nothing yet, as /etc/file"},
		"directory on file":     {"mounts[1]", plan.SysOpenat2, unix.ENOTDIR, bind("dir", "/etc/file"), "/etc/file is a file, on which no directory can be mounted: mounts[1].destination has to be a directory, or nothing yet"},
		"file system on file":   {"mounts[1]", plan.SysOpenat2, unix.ENOTDIR, specs.Mount{Type: "tmpfs", Destination: "/etc/file/"}, "/etc/file is a file, on which no file system can be mounted"},
		"through a file":        {"mounts[1]", plan.SysOpenat2, unix.ENOTDIR, bind("dir", "/etc/file/x"), "/etc/file is a file, and mounts[1].destination leads through it"},
		"on an earlier mount":   {"mounts[1]", plan.SysOpenat2, unix.ENOTDIR, bind("dir", "/opt/x"), "/opt/x is a file, on which"},
		"out of sight":          {"mounts[1]", plan.SysOpenat2, unix.ENOTDIR, bind("dir", "/none/x"), "a file is at mounts[1].destination, or on the way to it"},
		"another word":          {"mounts[1]", plan.SysOpenat2, unix.EACCES, bind("dir", "/etc/file"), ""},
		"directory, not a file": {"mounts[1]", plan.SysMoveMount, unix.EINVAL, bind("dir", "/etc"), ""},
		"no such mount":         {"mounts[2]", plan.SysFsopen, unix.ENODEV, specs.Mount{}, ""},
		"working directory":     {"process.cwd", plan.SysOpenat2, unix.ENOTDIR, bind("dir", "/x"), "/etc/file is a file"},
		"not executable":        {"process.args", plan.SysFaccessat2, unix.ENOENT, specs.Mount{}, "/bin/app is not executable: its mode is 0600"},
		"of another step":       {"linux.maskedPaths[0]", plan.SysOpenat2, unix.ENOTDIR, specs.Mount{}, ""},
	} {
		spec := &specs.Spec{
			Process: &specs.Process{Args: []string{"app"}, Cwd: "/etc/file", Env: []string{"PATH=/none:/bin:/usr/bin"}},
			Mounts:  []specs.Mount{bind("file", "/opt/x"), tt.mount},
		}
		failed := &launch.StepError{Step: &plan.Step{From: tt.from}, Op: &plan.Op{Call: tt.call, Msg: "step"}, Errno: tt.errno}
		got := ExplainCreate(failed, spec, bundle, rootfs).Error()
		if plain := failed.Error(); tt.want == "" && got != plain || !strings.HasPrefix(got, plain) || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	if err := errors.New("other"); ExplainCreate(err, &specs.Spec{}, bundle, rootfs) != err {
		t.Error("an error of no step has changed")
	}
}

func TestExplainMissingSetting(t *testing.T) {
	op := plan.OpenProc(plan.Num(3), "sys/kernel/ostyp", unix.O_WRONLY).Says("step")
	err := &launch.StepError{Step: &plan.Step{From: `linux.sysctl["kernel.ostyp"]`}, Op: &op, Errno: unix.ENOENT}
	const want = `step: no such file or directory (there is no /proc/sys/kernel/ostyp in the container's namespaces: did you mean "ostype"?)`
	if got := ExplainCreate(err, &specs.Spec{}, "/", "/").Error(); got != want {
		t.Error(got)
	}
}
