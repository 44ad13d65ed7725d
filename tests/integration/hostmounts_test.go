package integration

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// bare is a container without any namespace.
func bare(t *testing.T, script string) *harness.Bundle {
	b := harness.NewBundle(t).Sh(script)
	b.Spec.Linux.Namespaces, b.Spec.Hostname = nil, ""
	b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths = nil, nil
	return b
}

// A container without any namespace: its mounts are the host's, below its own
// root and in one mount, which goes with it.
func TestNoNamespaces(t *testing.T) {
	t.Parallel()
	wantLines(t, bare(t, "test -c /dev/null && test -d /proc/self && echo mounted").MustRun(), "mounted")
	b := bare(t, "sleep 1000")
	onHost := func() int { return strings.Count(readFile(t, "/proc/self/mountinfo"), " "+b.Rootfs) }
	b.Start()
	if onHost() == 0 {
		t.Error("nothing is mounted on the host")
	}
	if got, want := namespace(t, b.Pid(), "mnt"), namespace(t, os.Getpid(), "mnt"); got != want {
		t.Errorf("mount namespace %s, the host's is %s", got, want)
	}
	b.Kill()
	b.Delete()
	if n := onHost(); n != 0 {
		t.Errorf("%d mounts are left on the host", n)
	}
}

// An engine that takes the mount of the root file system away, and so the container's, may still
// delete the container.
func TestDeleteWhenRootIsUnmounted(t *testing.T) {
	t.Parallel()
	b := bare(t, "sleep 1000")
	if err := unix.Mount(b.Rootfs, b.Rootfs, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	unmount := func() {
		for unix.Unmount(b.Rootfs, unix.MNT_DETACH) == nil {
		}
	}
	t.Cleanup(unmount)
	b.Start()
	b.Kill()
	unmount()
	b.Delete()
}

// What somebody else has mounted on the root since is not the container's to take away.
func TestDeleteLeavesWhatOthersHaveMountedOnTheRoot(t *testing.T) {
	t.Parallel()
	b := bare(t, "sleep 1000")
	if err := unix.Mount(b.Rootfs, b.Rootfs, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for unix.Unmount(b.Rootfs, unix.MNT_DETACH) == nil {
		}
	})
	b.Start()
	b.Kill()
	if err := unix.Unmount(b.Rootfs, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("others", b.Rootfs, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	b.Delete()
	m := mountAt(t, mountsOf(t, readFile(t, "/proc/self/mountinfo")), b.Rootfs)
	if m.source != "others" {
		t.Errorf("another mount than the container's has gone with it: %+v", m)
	}
}
