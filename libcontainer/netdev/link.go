package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// link is a network device.
type link struct {
	index int32
	name  string
	up    bool
}

// ifInfo is struct ifinfomsg: family, padding, type, index, flags, and which of the flags to
// change.
func ifInfo(index int32, flags, change uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	native.PutUint32(b[4:], uint32(index))
	native.PutUint32(b[8:], flags)
	native.PutUint32(b[12:], change)
	return b
}

func parseLink(body []byte) (l link) {
	if len(body) < unix.SizeofIfInfomsg {
		return l
	}
	l.index = int32(native.Uint32(body[4:]))
	l.up = native.Uint32(body[8:])&unix.IFF_UP != 0
	attrs(body[unix.SizeofIfInfomsg:], func(kind uint16, value []byte) {
		if kind == unix.IFLA_IFNAME {
			l.name = strings.TrimRight(string(value), "\x00")
		}
	})
	return l
}

// link finds a device by its index, or by its name when that is 0. Without one the error is ENODEV.
func (s *socket) link(index int32, name string) (l link, err error) {
	m := newMessage(unix.RTM_GETLINK, 0, ifInfo(index, 0, 0))
	if index == 0 {
		m.text(unix.IFLA_IFNAME, name)
	}
	err = s.ask(m, func(body []byte) { l = parseLink(body) })
	if err == nil && l.index == 0 {
		err = unix.ENODEV
	}
	return l, err
}

// freeIndex is an index that no device of the namespace has: the wanted one if it can be.
func (s *socket) freeIndex(wanted int32) (int32, error) {
	bodies, err := s.list(unix.RTM_GETLINK, ifInfo(0, 0, 0))
	if err != nil {
		return 0, err
	}
	taken, last := false, wanted
	for _, b := range bodies {
		l := parseLink(b)
		taken = taken || l.index == wanted
		last = max(last, l.index)
	}
	if taken {
		return last + 1, nil
	}
	return wanted, nil
}

func (s *socket) setUp(index int32) error {
	return s.do(newMessage(unix.RTM_NEWLINK, 0, ifInfo(index, unix.IFF_UP, unix.IFF_UP)))
}

// address is what it takes to give a device an address again: struct ifaddrmsg (family, prefix
// length, flags, scope, index) and attributes.
type address struct {
	head  [4]byte
	label string
	flags uint32
	attrs []attribute
}

type attribute struct {
	kind  uint16
	value []byte
}

func (a address) String() string {
	var ip []byte
	for _, at := range a.attrs {
		if at.kind == unix.IFA_LOCAL || at.kind == unix.IFA_ADDRESS && ip == nil {
			ip = at.value
		}
	}
	return ipText(ip) + "/" + strconv.Itoa(int(a.head[1]))
}

// ipText is for messages. Package net/netip would write it nicer, and take its time at every start
// of the runtime.
func ipText(ip []byte) string {
	switch len(ip) {
	case 4:
		return fmt.Sprintf("%d.%d.%d.%d", ip[0], ip[1], ip[2], ip[3])
	case 16:
		var groups []string
		for g := range slices.Chunk(ip, 2) {
			groups = append(groups, strconv.FormatUint(uint64(binary.BigEndian.Uint16(g)), 16))
		}
		return strings.Join(groups, ":")
	}
	return fmt.Sprintf("%x", ip)
}

// keptFlags are those of an address's flags that someone chose. The others tell how it is getting
// on. (linux/if_addr.h)
const keptFlags = unix.IFA_F_NODAD | unix.IFA_F_OPTIMISTIC | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_NOPREFIXROUTE |
	unix.IFA_F_MCAUTOJOIN | unix.IFA_F_STABLE_PRIVACY

// ifaProto is IFA_PROTO (Linux 5.18): who has set an address.
const ifaProto = 11

// addresses are the permanent addresses of global scope that a device has, of all families.
func (s *socket) addresses(index int32) ([]address, error) {
	bodies, err := s.list(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, err
	}
	var list []address
	for _, b := range bodies {
		if a, ok := parseAddress(b, index); ok {
			list = append(list, a)
		}
	}
	return list, nil
}

func parseAddress(body []byte, index int32) (a address, ok bool) {
	if len(body) < unix.SizeofIfAddrmsg || int32(native.Uint32(body[4:])) != index {
		return a, false
	}
	copy(a.head[:], body)
	a.flags = uint32(body[2])
	attrs(body[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFA_FLAGS:
			if len(value) >= 4 {
				a.flags = native.Uint32(value)
			}
		case unix.IFA_LABEL:
			a.label = strings.TrimRight(string(value), "\x00")
		case unix.IFA_ADDRESS, unix.IFA_LOCAL, unix.IFA_BROADCAST, unix.IFA_CACHEINFO, unix.IFA_RT_PRIORITY, ifaProto:
			a.attrs = append(a.attrs, attribute{kind, value})
		}
	})
	return a, body[3] == unix.RT_SCOPE_UNIVERSE && a.flags&unix.IFA_F_PERMANENT != 0
}

// addAddress gives a device an address that it had under another name.
func (s *socket) addAddress(index int32, a address, oldName, name string) error {
	head := make([]byte, unix.SizeofIfAddrmsg)
	copy(head, a.head[:])
	head[2] = 0
	native.PutUint32(head[4:], uint32(index))
	m := newMessage(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, head)
	flags := a.flags & keptFlags
	if a.head[0] == unix.AF_INET6 && a.flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0 {
		// It was found to be unique on this link before. Looking for duplicates again would keep
		// programs from using it for a second or two.
		flags |= unix.IFA_F_NODAD
	}
	m.uint32(unix.IFA_FLAGS, flags)
	if a.label != "" {
		m.text(unix.IFA_LABEL, relabel(a.label, oldName, name))
	}
	for _, at := range a.attrs {
		m.attr(at.kind, at.value)
	}
	return s.do(m)
}

// relabel changes the label of an IPv4 address, which is the device's name and perhaps
// ":something".
func relabel(label, oldName, name string) string {
	rest, ok := strings.CutPrefix(label, oldName)
	if !ok || rest != "" && rest[0] != ':' || len(name)+len(rest) >= unix.IFNAMSIZ {
		return label
	}
	return name + rest
}

// move puts a device into another network namespace, with a new name and index, in one step. It is
// down then, without addresses and routes.
func (s *socket) move(index int32, to *socket, name string, newIndex int32) error {
	ns, err := to.namespace()
	if err != nil {
		return err
	}
	defer ns.Close()
	m := newMessage(unix.RTM_NEWLINK, 0, ifInfo(index, 0, 0))
	m.uint32(unix.IFLA_NET_NS_FD, uint32(ns.Fd()))
	m.uint32(unix.IFLA_NEW_IFINDEX, uint32(newIndex))
	m.text(unix.IFLA_IFNAME, name)
	return s.do(m)
}

// checkFree refuses a name that the namespace has already. A template ("eth%d") is filled in by the
// kernel.
func (s *socket) checkFree(name string) error {
	if strings.Contains(name, "%") {
		return nil
	}
	_, err := s.link(0, name)
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil
	case err == nil:
		err = unix.EEXIST
	}
	return fmt.Errorf("the container's network namespace already has a device %s: %w", name, err)
}

// Loopback brings up the loopback device of the network namespace that the calling thread is in.
func Loopback() error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.file.Close()
	if err := s.setUp(1); err != nil { // it is the first of every namespace
		return fmt.Errorf("bring up the loopback device: %w", err)
	}
	return nil
}
