package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// User is an unprivileged user who exists for one test alone: the commands
// that run as him see their own /etc/passwd, /etc/subuid and /etc/subgid.
type User struct {
	ID     uint32
	SubIDs uint32 // the first of 65536 subordinate ids, or 0 for none
	dir    string
}

// NewUser makes a user with subordinate ids.
func NewUser(t T) *User {
	t.Helper()
	u := &User{ID: 21000, SubIDs: 3000000, dir: TempDir(t)}
	id := fmt.Sprint(u.ID)
	for name, content := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/bin/sh\ntester:x:" + id + ":" + id + "::" + u.dir + ":/bin/sh\n",
		"group":  "root:x:0:\ntester:x:" + id + ":\n",
		"subuid": fmt.Sprintf("tester:%d:65536\n", u.SubIDs),
		"subgid": fmt.Sprintf("tester:%d:65536\n", u.SubIDs),
	} {
		if err := os.WriteFile(filepath.Join(u.dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(u.dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	chown(t, u.dir, int(u.ID))
	return u
}

// command turns a command of root into the same one of the user.
func (u *User) command(cmd *exec.Cmd) {
	script := `for f in passwd group subuid subgid; do [ ! -e /etc/$f ] || mount --bind "$0/$f" /etc/$f; done
exec setpriv --reuid ` + fmt.Sprint(u.ID) + ` --regid ` + fmt.Sprint(u.ID) + ` --clear-groups --inh-caps=-all -- env -i PATH="$PATH" HOME="$0" USER=tester XDG_RUNTIME_DIR="$0/run" "$@"`
	cmd.Args = append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-c", script, u.dir}, cmd.Args...)
	if path, err := exec.LookPath("unshare"); err == nil {
		cmd.Path = path
	}
}

// Rootless makes a bundle of the user, the way `spec --rootless` writes it:
// uid 0 inside is the user outside, and with subordinate ids the rest follows.
func (u *User) Rootless(t T, subIDs bool) *Bundle {
	t.Helper()
	r := &Runtime{t: t, Root: filepath.Join(u.dir, "run", "state"), User: u}
	b := r.Bundle()
	chown(t, b.Dir, int(u.ID))
	b.NoNamespace(specs.NetworkNamespace).Namespace(specs.UserNamespace, "")
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: u.ID, Size: 1}}
	if subIDs {
		maps = append(maps, specs.LinuxIDMapping{ContainerID: 1, HostID: u.SubIDs, Size: 65535})
	}
	s := b.Spec
	s.Linux.UIDMappings, s.Linux.GIDMappings = maps, maps
	s.Linux.Resources, s.Linux.CgroupsPath = nil, ""
	var mounts []specs.Mount
	for _, m := range s.Mounts {
		switch m.Destination {
		case "/sys":
			m = specs.Mount{Destination: "/sys", Type: "none", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"}}
		case "/dev/pts":
			m.Options = []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
		}
		mounts = append(mounts, m)
	}
	s.Mounts = mounts
	return b
}

// Shell is a command of the user that isn't the runtime's.
func (u *User) Shell(script string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", script)
	u.command(cmd)
	return cmd
}
