package integration

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// from makes a command run in a network namespace: that is then the host's for the runtime.
func (n *netns) from(cmd *exec.Cmd) *exec.Cmd {
	in := exec.Command("nsenter", append([]string{"--net=" + n.path(), "--", cmd.Path}, cmd.Args[1:]...)...)
	in.Env = cmd.Env
	return in
}

// veth makes a pair of devices: name, up and with addresses, in n, and "peer" in another namespace.
func (n *netns) veth(name string, other *netns) {
	n.t.Helper()
	n.ip("link", "add", name, "mtu", "1420", "type", "veth", "peer", "peer")
	n.ip("link", "set", "peer", "netns", other.path())
	n.ip("addr", "add", "10.77.0.2/24", "dev", name)
	n.ip("addr", "add", "2001:db8:77::2/64", "dev", name, "nodad")
	n.ip("link", "set", name, "up")
	other.ip("addr", "add", "10.77.0.1/24", "dev", "peer")
	other.ip("addr", "add", "2001:db8:77::1/64", "dev", "peer", "nodad")
	other.ip("link", "set", "peer", "up")
}

func netDevices(devices map[string]string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.NetDevices = map[string]specs.LinuxNetDevice{}
		for name, as := range devices {
			s.Linux.NetDevices[name] = specs.LinuxNetDevice{Name: as}
		}
	}
}

func (n *netns) ping(address string) {
	n.t.Helper()
	if out, err := n.run("busybox", "ping", "-c", "1", "-W", "5", address); err != nil {
		n.t.Errorf("ping %s: %v: %s", address, err, out)
	}
}

// A device comes into the container with its name changed, its addresses kept, and traffic passes.
func TestNetDeviceMoves(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(b *harness.Bundle, other *netns){
		"new namespace":                    func(*harness.Bundle, *netns) {},
		"user namespace":                   func(b *harness.Bundle, _ *netns) { b.MapIDs(100000, 65536) },
		"joined namespace":                 func(b *harness.Bundle, own *netns) { b.Namespace(specs.NetworkNamespace, own.path()) },
		"joined namespace, user namespace": joinedAndMapped,
		"device name of sysctl is inside": func(b *harness.Bundle, _ *netns) {
			b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.conf.eth7.rp_filter": "2"}
		},
		"hook of the runtime sees it there": func(b *harness.Bundle, _ *netns) { seesDevice(b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, other := newNetns(t), newNetns(t)
			home.veth("host7", other)
			b := sleeper(t).Edit(netDevices(map[string]string{"host7": "eth7"}))
			edit(b, newNetns(t))
			if res := b.RunCmd(home.from(b.Command("create"))); res.Code != 0 {
				t.Fatalf("create: %s", res.Stderr)
			}
			if links := home.ip("link"); strings.Contains(links, "host7") {
				t.Errorf("the device is still on the host: %s", links)
			}
			b.Must("start", b.ID)
			contains(t, b.MustExec("ip", "addr", "show", "dev", "eth7"), "mtu 1420", "UP", "10.77.0.2/24", "2001:db8:77::2/64")
			other.ping("10.77.0.2")
			other.ping("2001:db8:77::2")
		})
	}
}

// joinedAndMapped leaves out sysfs, which a user namespace can mount only with a network namespace
// of its own.
func joinedAndMapped(b *harness.Bundle, own *netns) {
	b.MapIDs(100000, 65536).Namespace(specs.NetworkNamespace, own.path())
	b.Spec.Mounts = slices.DeleteFunc(b.Spec.Mounts, func(m specs.Mount) bool { return strings.HasPrefix(m.Destination, "/sys") })
}

func seesDevice(b *harness.Bundle) {
	b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{
		Path: "/bin/sh", Args: []string{"sh", "-c", `pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/'); grep -q eth7 /proc/$pid/net/dev`},
	}}}
}

// A template is filled in by the kernel, for several devices in the order of their names.
func TestNetDeviceTemplate(t *testing.T) {
	t.Parallel()
	home := newNetns(t)
	home.ip("link", "add", "a0", "address", "02:00:00:00:00:0a", "type", "veth", "peer", "b0")
	home.ip("link", "set", "b0", "address", "02:00:00:00:00:0b")
	b := sleeper(t).Edit(netDevices(map[string]string{"b0": "net%d", "a0": "net%d"}))
	if res := b.RunCmd(home.from(b.Command("create"))); res.Code != 0 {
		t.Fatalf("create: %s", res.Stderr)
	}
	b.Must("start", b.ID)
	contains(t, b.MustExec("ip", "link", "show", "dev", "net0"), "02:00:00:00:00:0a")
	contains(t, b.MustExec("ip", "link", "show", "dev", "net1"), "02:00:00:00:00:0b")
}

// When create fails, the device is back on the host as it was, wherever the failure was.
func TestNetDeviceUndo(t *testing.T) {
	t.Parallel()
	hook := func(path string, args ...string) []specs.Hook {
		return []specs.Hook{{Path: path, Args: append([]string{path}, args...)}}
	}
	for name, c := range map[string]struct {
		edit func(b *harness.Bundle, own *netns)
		word string
	}{
		"missing device": {func(b *harness.Bundle, _ *netns) { b.Edit(netDevices(map[string]string{"host7": "eth7", "nope0": ""})) }, `linux.netDevices.nope0: link not found for interface nope0`},
		"loopback":       {func(b *harness.Bundle, _ *netns) { b.Edit(netDevices(map[string]string{"host7": "eth7", "lo": "lo7"})) }, `linux.netDevices.lo`},
		"name in use":    {func(b *harness.Bundle, _ *netns) { b.Edit(netDevices(map[string]string{"host7": "lo"})) }, `linux.netDevices.host7`},
		"later failure":  {func(b *harness.Bundle, _ *netns) { b.Args("/nonexistent") }, "/nonexistent"},
		"failing hook":   {func(b *harness.Bundle, _ *netns) { b.Spec.Hooks = &specs.Hooks{CreateRuntime: hook("/bin/false")} }, "createRuntime"},
		"in a joined namespace": {func(b *harness.Bundle, own *netns) {
			b.Namespace(specs.NetworkNamespace, own.path()).Args("/nonexistent")
		}, "/nonexistent"},
		"the runtime's own": {func(b *harness.Bundle, _ *netns) { b.Namespace(specs.NetworkNamespace, "/proc/self/ns/net") }, "linux.netDevices"},
		"killed by its own hook": {func(b *harness.Bundle, _ *netns) {
			b.Spec.Hooks = &specs.Hooks{CreateRuntime: hook("/bin/sh", "-c", `kill -9 $(sed 's/.*"pid": *\([0-9]*\).*/\1/')`)}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, other := newNetns(t), newNetns(t)
			home.veth("host7", other)
			before := home.ip("-o", "link", "show", "dev", "host7")
			b := sleeper(t).Edit(netDevices(map[string]string{"host7": "eth7"}))
			c.edit(b, newNetns(t))
			res := b.RunCmd(home.from(b.Command("create")))
			if res.Code == 0 {
				t.Fatal("create succeeded")
			}
			contains(t, res.Message(), c.word)
			if after := home.ip("-o", "link", "show", "dev", "host7"); after != before {
				t.Errorf("before: %s\nafter: %s", before, after)
			}
			contains(t, home.ip("addr", "show", "dev", "host7"), "10.77.0.2/24", "2001:db8:77::2/64")
			other.ping("10.77.0.2")
		})
	}
}

// The container's end does not bring a virtual device back (config-linux.md: the runtime must not),
// and a joined namespace keeps it.
func TestNetDeviceStays(t *testing.T) {
	t.Parallel()
	home, other, own := newNetns(t), newNetns(t), newNetns(t)
	home.veth("host7", other)
	b := sleeper(t).Namespace(specs.NetworkNamespace, own.path()).Edit(netDevices(map[string]string{"host7": ""}))
	if res := b.RunCmd(home.from(b.Command("create"))); res.Code != 0 {
		t.Fatalf("create: %s", res.Stderr)
	}
	b.Must("start", b.ID)
	b.Kill()
	b.Delete()
	contains(t, own.ip("addr", "show", "dev", "host7"), "10.77.0.2/24")
}
