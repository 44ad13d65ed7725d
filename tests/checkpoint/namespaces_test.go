package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// 13
func TestUserNamespace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ devices, shared bool }{{false, false}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("devices %v shared %v", c.devices, c.shared), func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.MapIDs(100000, 65536)
			look := "stat -c '%n %A %u:%g %t:%T' /dev/null /dev/zero; id -u; cat /proc/self/uid_map; head -c3 /dev/zero | wc -c; cat /proc/keys"
			if c.devices {
				mode, id := os.FileMode(0o640), uint32(5)
				b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/mine", Type: "c", Major: 1, Minor: 5, FileMode: &mode, UID: &id, GID: &id}}
				allow := int64(1)
				minor := int64(5)
				b.Spec.Linux.Resources.Devices = append(b.Spec.Linux.Resources.Devices,
					specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &allow, Minor: &minor, Access: "rwm"})
				look += "; stat -c '%A %u:%g %t:%T' /dev/mine; head -c2 /dev/mine | wc -c"
			}
			// What its root may not go to is bound all the same.
			closed := harness.TempDir(t)
			if err := errors.Join(os.Mkdir(closed+"/in", 0o755), os.Chmod(closed, 0o700)); err != nil {
				t.Fatal(err)
			}
			b.Mount(closed+"/in", "/closed", "bind", "bind")
			look += "; ls -ld /closed | cut -c1-10"
			if c.shared {
				b.share()
			}
			b.run()
			before, mounts, propagation := b.MustExec("sh", "-c", look), b.mountinfo(), b.propagation()
			b.again()
			if after := b.MustExec("sh", "-c", look); after != before {
				t.Errorf("before %q\nafter %q", before, after)
			}
			sameLines(t, "mountinfo", mounts, b.mountinfo())
			sameLines(t, "propagation", propagation, b.propagation())
			b.counts(1)
			// Its pipes are its own: who opens them by name needs that.
			var st unix.Stat_t
			if err := unix.Stat(fmt.Sprintf("/proc/%d/fd/1", b.Pid()), &st); err != nil || st.Uid != 100000 {
				t.Errorf("standard output belongs to %d, %v", st.Uid, err)
			}
			info, err := os.Stat(b.images)
			if err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the directory of the images: %v, %v", info, err)
			}
			if out, _ := exec.Command("stat", "-c", "%u", b.images).Output(); strings.TrimSpace(string(out)) != "0" {
				t.Errorf("the directory of the images belongs to %s", out)
			}
		})
	}
}

// 14
func TestTimeNamespace(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/ns/time"); err != nil {
		t.Skip("this kernel has no time namespaces")
	}
	b := newBox(t)
	b.Namespace(specs.TimeNamespace, "")
	b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1000000}, "monotonic": {Secs: 2000000}}
	b.run()
	up := func() float64 {
		seconds, _, _ := strings.Cut(b.MustExec("cat", "/proc/uptime"), " ")
		n, err := strconv.ParseFloat(seconds, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := up()
	b.again()
	if after := up(); before < 1000000 || after < before || after > before+300 {
		t.Errorf("up for %f seconds, then for %f", before, after)
	}
}

// 15
func TestJoinedNamespaces(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name specs.LinuxNamespaceType
		link string
	}{{specs.NetworkNamespace, "net"}, {specs.PIDNamespace, "pid"}, {specs.IPCNamespace, "ipc"}, {specs.UTSNamespace, "uts"}, {specs.CgroupNamespace, "cgroup"}} {
		t.Run(kind.link, func(t *testing.T) {
			t.Parallel()
			if kind.link == "cgroup" && harness.Unified() {
				t.Skip("cgroup v2 has no processes in a cgroup with cgroups below that have controllers")
			}
			owner := newBox(t)
			if kind.link == "cgroup" && slices.Contains(owner.Flags, "--systemd-cgroup") {
				t.Skip("systemd makes no scope in a scope")
			}
			owner.Namespace(specs.CgroupNamespace, "")
			owner.Sh("while :; do sleep 0.1; done") // which reaps
			owner.run()
			path := fmt.Sprintf("/proc/%d/ns/%s", owner.Pid(), kind.link)
			b := newBox(t)
			b.Namespace(kind.name, path)
			b.Sh("while read l; do echo got $l; done")
			b.feed = true
			switch kind.link {
			case "uts":
				b.Spec.Hostname = ""
			case "cgroup":
				b.Spec.Linux.CgroupsPath = owner.Spec.Linux.CgroupsPath + "/below"
			}
			b.run()
			b.ask("before")
			pid := b.Pid()
			b.checkpoint()
			// In a shared pid namespace a zombie still has its number.
			harness.Eventually(t, "the process to be reaped", func() bool { _, err := os.Stat(fmt.Sprint("/proc/", pid)); return err != nil })
			b.restore()
			if got := b.ask("after"); got != "got after" {
				t.Errorf("it says %q", got)
			}
			want, err := os.Readlink(path)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", b.Pid(), kind.link)); got != want {
				t.Errorf("it is in %s (%v), not in %s", got, err, want)
			}
			if s := owner.status(); s != specs.StateRunning {
				t.Errorf("the owner of the namespace is %s", s)
			}
		})
	}
}

// 15
func TestHostNetwork(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.NoNamespace(specs.NetworkNamespace)
	b.run().again().counts(1)
}

// 16
func TestOwnNetwork(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.Spec.Linux.Sysctl = map[string]string{
		"net.ipv4.ip_unprivileged_port_start": "7", "kernel.msgmax": "9000", "net.ipv4.conf.all.forwarding": "1",
	}
	b.run()
	look := func() string {
		return b.MustExec("sh", "-c", `cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start kernel/msgmax net/ipv4/conf/all/forwarding; cat /sys/class/net/lo/operstate
			ip -o link | sed 's/:.*<\(.*\)>.*/ \1/'; ip -o addr | grep -o 'inet6* [^ ]*' | sort`)
	}
	before := look()
	b.again()
	if after := look(); after != before || !strings.Contains(after, "UP") {
		t.Errorf("before %q\nafter %q", before, after)
	}
}

// criu's own default stops the traffic of a network namespace with a program of the host's.
func TestWithoutIPTables(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t).run()
	b.apart = `for dir in $(echo "$PATH" | tr : " ") /usr/local/sbin /usr/sbin /sbin; do
		[ ! -e $dir/iptables-restore ] || mount --bind /dev/null $dir/iptables-restore
	done`
	refused(t, b.tryCheckpoint("--network-lock", "iptables"), "iptables-restore", "--network-lock nftables")
	b.goesOn()
	b.again()
	b.counts(1)
}

// 16
func TestNetDevices(t *testing.T) {
	t.Parallel()
	if harness.Peer() != "" {
		t.Skip("linux.netDevices of 1.3")
	}
	b := newBox(t)
	name := "ck" + strconv.Itoa(os.Getpid()%100000)
	ip := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	// Few kernels of virtual machines have devices of type dummy.
	device := []string{"link", "add", name, "type", "dummy"}
	if ip(device...) != nil {
		device = []string{"link", "add", name, "type", "veth", "peer", "name", name + "p"}
		if err := ip(device...); err != nil {
			t.Skip(err)
		}
	}
	t.Cleanup(func() { _ = ip("link", "del", name) })
	b.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{name: {Name: "inside"}}
	if err := ip("addr", "add", "198.51.100.7/24", "dev", name); err != nil {
		t.Fatal(err)
	}
	b.run()
	look := func() string { return b.MustExec("ip", "-o", "addr", "show", "dev", "inside") }
	if before := look(); !strings.Contains(before, "198.51.100.7/24") {
		t.Fatal(before)
	}
	b.checkpoint()
	// The kernel removes it with its network namespace, some time after the last process.
	harness.Eventually(t, "a new device", func() bool { return ip(device...) == nil })
	if err := ip("addr", "add", "198.51.100.8/24", "dev", name); err != nil {
		t.Fatal(err)
	}
	b.restore()
	if after := look(); !strings.Contains(after, "198.51.100.8/24") {
		t.Error(after)
	}
}
