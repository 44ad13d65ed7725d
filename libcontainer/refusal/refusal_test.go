package refusal

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/feature"
)

func TestSentence(t *testing.T) {
	const inval = unix.EINVAL
	now := feature.Version{Major: 6, Minor: 18}
	for name, c := range map[string]struct {
		call string
		e    evidence
		want string
	}{
		"old kernel": {
			"mount_setattr", evidence{errno: unix.ENOSYS, again: unix.ENOSYS, kernel: feature.Version{Major: 5, Minor: 10}},
			"Linux 5.10 does not have it; this runtime needs 5.15 or newer",
		},
		"old kernel, flags that came later": {
			"close_range", evidence{errno: unix.ENOSYS, again: unix.ENOSYS, kernel: feature.Version{Major: 5, Minor: 4}, filtered: true},
			"Linux 5.4 does not have it; this runtime needs 5.15 or newer",
		},
		"hidden by a filter": {
			"clone3", evidence{errno: unix.ENOSYS, again: unix.ENOSYS, kernel: now, filtered: true},
			"Linux 6.18 has it; the seccomp filter that this runtime was started under hides it and must allow clone3",
		},
		"hidden by something else": {
			"openat2", evidence{errno: unix.ENOSYS, again: unix.ENOSYS, kernel: feature.Version{Major: 5, Minor: 15}},
			"Linux 5.15 has it; a sandbox around this runtime hides it and must allow openat2, or this kernel was built without",
		},
		"unknown kernel": {
			"openat2", evidence{errno: unix.ENOSYS, again: unix.ENOSYS},
			"this runtime needs Linux 5.15 or newer, and no sandbox that hides openat2",
		},
		"hidden from the container alone": {"statx", evidence{errno: unix.ENOSYS, again: inval, kernel: now}, ""},
		"refused by a filter": {
			"pidfd_open", evidence{errno: unix.EPERM, again: unix.EPERM, kernel: now, filtered: true},
			"refused by the seccomp filter that this runtime was started under, which must allow pidfd_open",
		},
		"refused by something else": {
			"unshare", evidence{errno: unix.EACCES, again: unix.EACCES, kernel: now},
			"refused by a sandbox around this runtime, which must allow unshare",
		},
		"a mount call, by one who may mount": {
			"fsopen", evidence{errno: unix.EPERM, again: unix.EPERM, mayMount: true, filtered: true},
			"refused by the seccomp filter that this runtime was started under, which must allow fsopen",
		},
		"a mount call with another word than the kernel's": {
			"fsopen", evidence{errno: unix.EACCES, again: unix.EACCES, filtered: true},
			"refused by the seccomp filter that this runtime was started under, which must allow fsopen",
		},
		"a mount call, by one who may not": {
			"fsmount", evidence{errno: unix.EPERM, again: unix.EPERM, filtered: true},
			"perhaps refused by the seccomp filter that this runtime was started under, which must allow fsmount",
		},
		"a mount call, by one who may not, without a filter": {"fsmount", evidence{errno: unix.EPERM, again: unix.EPERM}, ""},
		"the kernel's own no":                                {"setns", evidence{errno: unix.EPERM, again: unix.EBADF, filtered: true}, ""},
		"confined": {
			"move_mount", evidence{errno: unix.EACCES, again: inval, profile: "docker-default", filtered: true},
			"perhaps refused by the AppArmor profile docker-default, which confines this runtime",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, ok := lookup(c.call)
			if !ok {
				t.Fatal("unknown call")
			}
			got := f.sentence(c.e)
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			// Engines take these words for others' errors.
			for _, word := range []string{"no such file", "permission denied", "not found"} {
				if strings.Contains(got, word) {
					t.Errorf("%q says %q", got, word)
				}
			}
		})
	}
}

// Errors that say something of the arguments are nobody's refusal, and stay what they are.
func TestExplainLeavesOtherErrors(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "/x", Err: unix.EPERM}
	for _, err := range []error{nil, unix.ENOENT, unix.EBUSY, unix.EPERM, unix.EACCES, unix.ENOSYS, path, errors.New("other")} {
		// Nothing here refuses this call.
		if got := Explain("close_range", err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	if got := Explain("no_such_call", unix.ENOSYS); got != unix.ENOSYS {
		t.Errorf("an unknown call: %v", got)
	}
}

func TestErrorKeepsItsCause(t *testing.T) {
	err := fmt.Errorf("mounts[0]: %w", &Error{Call: "fsopen", Why: "refused by …", err: unix.EPERM})
	if !errors.Is(err, unix.EPERM) || err.Error() != "mounts[0]: fsopen: operation not permitted (refused by …)" {
		t.Errorf("%v", err)
	}
}

// The question is put to the kernel that we have: it has every call, and does nothing.
func TestAgainIsHarmless(t *testing.T) {
	if filtered() {
		t.Skip("these tests run under a seccomp filter themselves")
	}
	for _, name := range strings.Fields("clone clone3 close_range faccessat2 fsconfig fsmount fsopen memfd_create mount mount_setattr move_mount " +
		"open_tree openat2 pidfd_open pidfd_send_signal pivot_root prlimit64 seccomp setns statx umount2 unshare") {
		c, ok := lookup(name)
		if !ok || c.since == (feature.Version{}) {
			t.Errorf("%s: not in the table", name)
			continue
		}
		switch errno := c.again(); errno {
		case unix.EINVAL, unix.EBADF, unix.EFAULT, unix.E2BIG:
		case unix.EPERM:
			if !c.mounts || mayMount() {
				t.Errorf("%s: %v", name, errno)
			}
		default:
			t.Errorf("%s: %v", name, errno)
		}
	}
}

func TestEnforced(t *testing.T) {
	for label, want := range map[string]string{
		"docker-default (enforce)\n": "docker-default", "a b (enforce)": "a b", "unconfined\n": "", "x (complain)": "", "": "",
		"system_u:system_r:container_t:s0\x00": "",
	} {
		if got := enforced(label); got != want {
			t.Errorf("%q: %q", label, got)
		}
	}
}
