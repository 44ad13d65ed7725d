package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// need is a system call and the commands that can't do without: "run create" fail and leave nothing
// behind, all others work, and "kill?" may do either. With a user namespace more of them may need
// it.
type need struct{ call, by, userns string }

// needs is what the commands need on this host. What they don't they must do without: `kill` and
// `delete` work in a sandbox that containers can't be made in.
func needs(t *testing.T) []need {
	born, scope, thaw, cgroupns := "", "", "kill", ""
	if slices.ContainsFunc(harness.Hierarchies(), func(h harness.Hierarchy) bool { return h.Unified }) {
		born = "run create exec" // in a cgroup of the v2 tree
	}
	if bySystemd(t) {
		// Its first process; systemd may have removed the cgroup before kill looks whether it is
		// frozen.
		scope, thaw = "create", "kill?"
	}
	if harness.Unified() {
		cgroupns = "run create"
	}
	list := []need{
		{call: "clone3", by: born, userns: "run create"},
		{call: "openat2", by: "run create exec " + thaw},
		{call: "fsopen", by: "run create"},
		{call: "fsconfig", by: "run create"},
		{call: "fsmount", by: "run create"},
		{call: "move_mount", by: "run create"},
		{call: "open_tree", by: "run create"},
		{call: "mount_setattr", by: "run create"},
		{call: "close_range", by: "run create exec"},
		{call: "pidfd_open", by: "run exec kill"},
		{call: "pidfd_send_signal", by: "exec kill"},
		{call: "memfd_create", by: "run exec " + scope},
		{call: "pivot_root", by: "run create"},
		{call: "unshare", by: cgroupns, userns: "run create"},
		// for a network namespace that was made meanwhile, which those of users are not
		{call: "setns", by: "exec run? create?"},
		{call: "statx", by: "run create exec"},
		{call: "faccessat2", by: "run create exec"},
		{call: "prlimit64", by: "run create exec"},
		{call: "renameat2"},
		{call: "execveat"},
		{call: "waitid"},
	}
	if born == "" {
		// Without cgroup.kill, `delete --force` needs it as well, and leaves what it can't kill.
		list = slices.DeleteFunc(list, func(n need) bool { return n.call == "pidfd_send_signal" })
	}
	return list
}

// A kernel without a call that we need, or a filter around the runtime that refuses it, gets one
// sentence, which names the call and what it takes. Nothing is left behind.
func TestRefusedCalls(t *testing.T) {
	t.Parallel()
	ours(t, "its own calls and texts")
	for _, n := range needs(t) {
		for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM, unix.EACCES} {
			if n.call == "faccessat2" && errno == unix.EACCES {
				continue // that is what it says of a program that may not be executed
			}
			for _, userns := range []bool{false, true} {
				if userns && errno != unix.ENOSYS {
					continue // the words are the same
				}
				t.Run(fmt.Sprintf("%s/%s/userns=%t", n.call, unix.ErrnoName(errno), userns), func(t *testing.T) {
					t.Parallel()
					r := &refused{t: t, f: &harness.Refusal{Call: n.call, Errno: errno}, by: n.by}
					if userns {
						r.by += " " + n.userns
					}
					r.live(userns)
				})
			}
		}
	}
}

// refused takes containers through their lives with each command in turn under the filter.
type refused struct {
	t  *testing.T
	f  *harness.Refusal
	by string
}

func (r *refused) bundle(userns bool) *harness.Bundle {
	b := sleeper(r.t).Mount("/etc", "/mnt", "bind", "rbind", "ro")
	if userns {
		b.MapIDs(100000, 65536)
	}
	return b
}

// try carries out a command under the filter and says whether it worked, as it should or not.
func (r *refused) try(b *harness.Bundle, verb string, do func() harness.Result) bool {
	r.t.Helper()
	b.Refuse = r.f
	res := do()
	b.Refuse = nil
	needed := strings.Fields(r.by)
	if res.Code == 0 && slices.Contains(needed, verb+"?") {
		return true
	}
	if !slices.Contains(needed, verb) && !slices.Contains(needed, verb+"?") {
		if res.Code != 0 || res.Stderr != "" {
			r.t.Errorf("%s does not need it: %+v", verb, res)
		}
		return res.Code == 0
	}
	code := 1
	if verb == "exec" {
		code = 255
	}
	if res.Code != code || strings.Count(res.Stderr, "\n") != 1 {
		r.t.Errorf("%s: not one line and exit %d: %+v", verb, code, res)
	}
	said := fmt.Sprintf("%s: %v (", r.f.Call, r.f.Errno)
	why := "refused by the seccomp filter that this runtime was started under, which must allow " + r.f.Call + ")"
	if r.f.Errno == unix.ENOSYS {
		why = " has it; the seccomp filter that this runtime was started under hides it and must allow " + r.f.Call + ")"
	}
	if msg := res.Message(); strings.Count(msg, said) != 1 || !strings.HasSuffix(msg, why) {
		r.t.Errorf("%s: %q and %q are missing in %q", verb, said, why, msg)
	}
	return res.Code == 0
}

func (r *refused) live(userns bool) {
	short := r.bundle(userns).Args("true")
	r.try(short, "run", func() harness.Result { return short.Run() })
	r.nothing(short)

	b := r.bundle(userns)
	if !r.try(b, "create", func() harness.Result { return b.TryCreate() }) {
		r.nothing(b)
		b.Create()
	}
	if !r.try(b, "start", func() harness.Result { return b.Do("start") }) {
		if s := b.State().Status; s != specs.StateCreated {
			r.t.Errorf("%s after a start that failed", s)
		}
		b.Must("start", b.ID)
	}
	r.try(b, "exec", func() harness.Result { return b.Exec("true") })
	for _, dir := range b.CgroupDirs() {
		if pids := harness.CgroupPids(dir); !slices.Equal(pids, []int{b.Pid()}) {
			r.t.Errorf("processes %v in %s, the container's is %d", pids, dir, b.Pid())
		}
	}
	if !r.try(b, "kill", func() harness.Result { return b.Runtime.Run("kill", b.ID, "KILL") }) {
		// openat2 is needed behind the signal, to thaw a frozen container.
		_ = b.Runtime.Run("kill", b.ID, "KILL")
	}
	b.WaitStatus(specs.StateStopped)
	r.try(b, "delete", func() harness.Result { return b.Do("delete") })
	r.nothing(b)

	b = r.bundle(userns).Create()
	r.try(b, "delete", func() harness.Result { return b.Do("delete", "--force") })
	r.nothing(b)
}

// nothing checks that nothing is left of a container. Mounts and processes are looked for at the
// end of all tests.
func (r *refused) nothing(b *harness.Bundle) {
	r.t.Helper()
	if dirs := b.CgroupDirs(); dirs != nil {
		r.t.Errorf("left cgroups: %v", dirs)
	}
	if _, err := os.Stat(filepath.Join(b.Root, b.ID)); !errors.Is(err, fs.ErrNotExist) {
		r.t.Errorf("left %s in --root", b.ID)
	}
}

// Whoever may not mount can't tell a filter's EPERM from the kernel's.
func TestRefusedRootless(t *testing.T) {
	t.Parallel()
	ours(t, "its own calls and texts")
	u := harness.NewUser(t)
	for call, say := range map[string]string{
		"fsopen":        "fsopen: operation not permitted (perhaps refused by the seccomp filter that this runtime was started under, which must allow fsopen)",
		"mount_setattr": "mount_setattr: operation not permitted (refused by the seccomp filter that this runtime was started under, which must allow mount_setattr)",
	} {
		b := u.Rootless(t, false).Args("true")
		b.Refuse = &harness.Refusal{Call: call, Errno: unix.EPERM}
		res := b.Run()
		b.Refuse = nil
		if res.Code != 1 || strings.Count(res.Stderr, "\n") != 1 || !strings.HasSuffix(res.Message(), say) {
			t.Errorf("%s: %+v", call, res)
		}
	}
}

// What keeps a forced delete from killing the init keeps it from forgetting the container, too.
func TestRefusedKillKeepsTheRecord(t *testing.T) {
	t.Parallel()
	ours(t, "its own calls and texts")
	b := harness.NewUser(t).Rootless(t, false).Args("sleep", "1000").Start()
	if b.CgroupDirs() != nil {
		t.Skip("this user has cgroups, and so another way to kill")
	}
	pid := b.Pid()
	b.Refuse = &harness.Refusal{Call: "pidfd_open", Errno: unix.EPERM}
	res := b.Do("delete", "--force")
	b.Refuse = nil
	if res.Code != 1 || strings.Count(res.Stderr, "\n") != 1 || !strings.HasPrefix(res.Message(), "kill the container's init: pidfd_open: operation not permitted (") || !harness.Alive(pid) {
		t.Errorf("delete --force: %+v", res)
	}
	b.Must("delete", "--force", b.ID)
	if harness.Alive(pid) {
		t.Error("the process lives")
	}
}

// A command that works without close_range hands nothing of an engine's to hooks.
func TestRefusedCloseRangeLeaksNothing(t *testing.T) {
	t.Parallel()
	ours(t, "its own calls and texts")
	out := filepath.Join(t.TempDir(), "fds")
	b := sleeper(t).Edit(func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "ls -l /proc/self/fd >" + out}}}}
	}).Create()
	leak, err := os.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	b.Refuse = &harness.Refusal{Call: "close_range", Errno: unix.ENOSYS}
	cmd := b.Cmd("delete", "--force", b.ID)
	b.Refuse = nil
	cmd.ExtraFiles = []*os.File{leak}
	if res := b.RunCmd(cmd); res.Code != 0 {
		t.Fatalf("delete: %+v", res)
	}
	if fds := readFile(t, out); !strings.Contains(fds, " 2 -> ") || strings.Contains(fds, "/etc/passwd") {
		t.Errorf("the hook has %s", fds)
	}
}

// Docker's own AppArmor profile denies mounts to what runs in its containers, and so to a runtime
// there. The kernel's word is the same as for others.
func TestRefusedByAppArmor(t *testing.T) {
	t.Parallel()
	ours(t, "its own calls and texts")
	profile := harness.AppArmorProfile(t, "mount")
	if _, err := os.Stat("/sys/kernel/security/apparmor/features/mount/move_mount"); err != nil {
		t.Skip("AppArmor lets move_mount pass here, as before Linux 6.7")
	}
	b := harness.NewBundle(t).Args("true")
	cmd := b.Command("run")
	exe, err := exec.LookPath("aa-exec")
	if err != nil {
		t.Skip("no aa-exec on this host")
	}
	cmd.Path, cmd.Args = exe, append([]string{exe, "-p", profile, "--"}, cmd.Args...)
	res := b.RunCmd(cmd)
	say := "move_mount: permission denied (perhaps refused by the AppArmor profile " + profile + ", which confines this runtime)"
	if res.Code != 1 || strings.Count(res.Stderr, "\n") != 1 || !strings.HasSuffix(res.Message(), say) {
		t.Errorf("%+v, not %q", res, say)
	}
}
