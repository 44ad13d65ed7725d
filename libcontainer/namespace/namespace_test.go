package namespace

import (
	"os"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestByName(t *testing.T) {
	for name, want := range map[specs.LinuxNamespaceType]uint64{
		specs.UserNamespace: unix.CLONE_NEWUSER, specs.MountNamespace: unix.CLONE_NEWNS, specs.PIDNamespace: unix.CLONE_NEWPID,
		specs.NetworkNamespace: unix.CLONE_NEWNET, specs.IPCNamespace: unix.CLONE_NEWIPC, specs.UTSNamespace: unix.CLONE_NEWUTS,
		specs.CgroupNamespace: unix.CLONE_NEWCGROUP, specs.TimeNamespace: unix.CLONE_NEWTIME,
	} {
		k, ok := ByName(string(name))
		if !ok || k.Flag != want {
			t.Errorf("%s: %#x %v, want %#x", name, k.Flag, ok, want)
		}
		// A kernel may have been built without some, but none without these.
		if _, err := os.Stat("/proc/self/ns/" + k.Link); err != nil && name != specs.TimeNamespace {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "net", "mnt", "PID"} {
		if k, ok := ByName(name); ok {
			t.Errorf("%q is %v", name, k)
		}
	}
}

func TestNames(t *testing.T) {
	got := Names(unix.CLONE_NEWNET | unix.CLONE_NEWUSER | unix.CLONE_PARENT)
	if want := []string{"user", "network"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
