package netdev

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// host puts the test into a network namespace of its own, and gives a socket of a second one.
func host(t *testing.T) (target *os.File) {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip on this host (tests/install-deps)")
	}
	// The thread is not given back: it ends with the test's goroutine, and the namespaces with it.
	runtime.LockOSThread()
	for i := range 2 {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Skipf("no network namespace can be made here: %v", err)
		}
		if i == 0 {
			s, err := open()
			if err != nil {
				t.Fatal(err)
			}
			target = s.file
			t.Cleanup(func() { target.Close() })
		}
	}
	return target
}

// ip runs ip in the test's namespace. In a batch everything behind a comma is a command of its own.
func ip(t *testing.T, commands string) string {
	t.Helper()
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(commands, ", ", "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v: %s", commands, err, out)
	}
	return string(out)
}

// inside runs ip in the namespace of a socket.
func inside(t *testing.T, target *os.File, commands string) string {
	t.Helper()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	ns, err := (&socket{file: target}).namespace()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Fatal(err)
		}
	}()
	return ip(t, commands)
}

func mover(t *testing.T, target *os.File) *Mover {
	t.Helper()
	m, err := NewMover(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func has(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in\n%s", w, text)
		}
	}
}

func hasNot(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(text, w) {
			t.Errorf("%q in\n%s", w, text)
		}
	}
}

const pair = "link add h0 address 02:00:00:00:00:11 mtu 1400 type veth peer h1, link set h1 up, link set h0 up, "

func TestMoveKeepsAttributesAndAddresses(t *testing.T) {
	target := host(t)
	ip(t, pair+"addr add 10.1.2.3/24 brd + dev h0 label h0:x, addr add 10.1.2.4/24 dev h0, addr add 10.9.9.1 peer 10.9.9.2/32 dev h0, "+
		"addr add 2001:db8::1/64 nodad dev h0, addr add 10.5.5.5/24 dev h0 valid_lft 1000 preferred_lft 1000, addr add 169.254.1.1/16 scope link dev h0")
	m := mover(t, target)
	if err := m.Move("h0", "eth0"); err != nil {
		t.Fatal(err)
	}
	out := inside(t, target, "addr show dev eth0, link show dev eth0")
	has(t, out, "mtu 1400", "02:00:00:00:00:11", "UP", "inet 10.1.2.3/24 brd 10.1.2.255 scope global eth0:x", "inet 10.1.2.4/24 scope global secondary",
		"inet 10.9.9.1 peer 10.9.9.2/32", "inet6 2001:db8::1/64 scope global nodad")
	hasNot(t, out, "10.5.5.5", "169.254.1.1", "nodad tentative")
	if out := ip(t, "link show"); strings.Contains(out, "h0:") {
		t.Errorf("still on the host: %s", out)
	}
}

func TestMoveTemplateAndIndexInUse(t *testing.T) {
	target := host(t)
	ip(t, pair+"addr add 10.1.2.3/24 dev h0")
	// All the low indexes are taken there.
	inside(t, target, "link add eth0 type veth peer eth1, link add eth2 type veth peer eth3")
	m := mover(t, target)
	if err := m.Move("h0", "eth%d"); err != nil {
		t.Fatal(err)
	}
	has(t, inside(t, target, "addr show dev eth4"), "UP", "inet 10.1.2.3/24 scope global eth4")
}

func TestMoveRefuses(t *testing.T) {
	target := host(t)
	ip(t, pair+"addr add 10.1.2.3/24 dev h0")
	inside(t, target, "link add eth0 type veth peer h0")
	m := mover(t, target)
	for _, c := range []struct {
		name, as, want string
		errno          unix.Errno
	}{
		{"nope0", "", "link not found for interface nope0", unix.ENODEV},
		{"h0", "eth0", "already has a device eth0", unix.EEXIST},
		{"h0", "", "already has a device h0", unix.EEXIST},
		{"h0", "lo", "already has a device lo", unix.EEXIST},
		{"lo", "other", "move lo to the container", unix.EINVAL},
	} {
		err := m.Move(c.name, c.as)
		if !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %q: %v", c.name, c.as, err)
		}
	}
	if err := m.Undo(); err != nil {
		t.Error(err)
	}
	has(t, ip(t, "addr show dev h0"), "inet 10.1.2.3/24", "UP")
}

func TestUndo(t *testing.T) {
	target := host(t)
	ip(t, pair+"addr add 10.1.2.3/24 dev h0 label h0:x, addr add 2001:db8::1/64 nodad dev h0, "+
		"link add d0 type veth peer d1, addr add 10.7.7.7/24 dev d0")
	before := ip(t, "link show dev h0, link show dev d0")
	m := mover(t, target)
	for _, move := range [][2]string{{"h0", "eth0"}, {"d0", "eth%d"}} {
		if err := m.Move(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
	}
	// Whatever becomes of the names inside.
	inside(t, target, "link set eth1 name other")
	if err := m.Undo(); err != nil {
		t.Fatal(err)
	}
	has(t, ip(t, "addr show dev h0"), "UP", "inet 10.1.2.3/24 scope global h0:x", "2001:db8::1/64")
	d0 := ip(t, "addr show dev d0")
	has(t, d0, "inet 10.7.7.7/24 scope global d0")
	hasNot(t, d0, ",UP")
	if after := ip(t, "link show dev h0, link show dev d0"); after != before {
		t.Errorf("links before:\n%s\nafter:\n%s", before, after)
	}
}

func TestOwnNamespace(t *testing.T) {
	host(t)
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.file.Close()
	if m, err := NewMover(s.file); err == nil {
		m.Close()
		t.Error("a move to the same namespace")
	}
}

func TestAddressText(t *testing.T) {
	ipv6 := append([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 12)...)
	for want, a := range map[string]address{
		"10.1.2.3/24":             {head: [4]byte{unix.AF_INET, 24}, attrs: []attribute{{unix.IFA_ADDRESS, []byte{10, 9, 9, 9}}, {unix.IFA_LOCAL, []byte{10, 1, 2, 3}}}},
		"2001:db8:0:0:0:0:0:0/64": {head: [4]byte{unix.AF_INET6, 64}, attrs: []attribute{{unix.IFA_ADDRESS, ipv6}}},
		"0a/8":                    {head: [4]byte{1, 8}, attrs: []attribute{{unix.IFA_ADDRESS, []byte{10}}}},
	} {
		if got := a.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// No answer makes the reader panic or run on for ever.
func FuzzRead(f *testing.F) {
	f.Add(newMessage(unix.RTM_NEWADDR, 0, make([]byte, unix.SizeofIfAddrmsg)).b)
	long := newMessage(unix.RTM_NEWLINK, unix.NLM_F_MULTI, ifInfo(1, 0, 0))
	long.text(unix.IFLA_IFNAME, "eth0")
	long.uint32(unix.IFA_FLAGS, 0x80)
	native.PutUint32(long.b, uint32(len(long.b)))
	f.Add(long.b)
	f.Add([]byte{40, 0, 0, 0, unix.NLMSG_ERROR, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(_ *testing.T, data []byte) {
		s, changed := &socket{}, false
		_, _ = s.read(data, func(body []byte) {
			parseLink(body)
			a, _ := parseAddress(body, 0)
			_ = a.String()
			_ = relabel(a.label, "eth0", "eth1")
		}, &changed)
	})
}
