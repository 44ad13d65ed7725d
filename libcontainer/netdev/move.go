// Package netdev moves network devices of the host into a container's network namespace
// (config-linux.md, "Network Devices"), over route netlink (rtnetlink(7)).
//
// The kernel takes down a device that it moves, and drops its addresses; these are read before and
// set again behind. MAC address, MTU and the like stay. Routes are lost, and so is the membership
// in a bridge.
//
// What may come in: what a device needs to get into a container and back. Making devices and
// connecting them is for network plugins.
package netdev

// github.com/vishvananda/netlink is not used, because every command would pay for it: linked in
// (v1.3.1), it cost `state` a fifth more CPU time and 11 % more page faults.

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Mover moves devices of the runtime's own network namespace into a container's. It is for one
// goroutine.
type Mover struct {
	host, target *socket
	moved        []moved
}

// moved is a device that is no longer on the host.
type moved struct {
	was       link
	index     int32 // in the container
	addresses []address
}

// NewMover uses a route netlink socket (AF_NETLINK, NETLINK_ROUTE) that was opened in the
// container's network namespace by a process with CAP_NET_ADMIN over it; that process may be gone.
// The socket stays the caller's.
func NewMover(target *os.File) (*Mover, error) {
	fd, err := unix.FcntlInt(target.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("copy the container's netlink socket: %w", err)
	}
	m := &Mover{}
	if m.target, err = use(os.NewFile(uintptr(fd), "netlink")); err != nil {
		return nil, err
	}
	if m.host, err = open(); err != nil {
		m.target.file.Close()
		return nil, err
	}
	if err := m.differ(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// differ refuses a container in the runtime's own network namespace, where a move would be no more
// than a change of name.
func (m *Mover) differ() error {
	var ids [2]os.FileInfo
	for i, s := range []*socket{m.host, m.target} {
		ns, err := s.namespace()
		if err != nil {
			return err
		}
		defer ns.Close()
		if ids[i], err = ns.Stat(); err != nil {
			return err
		}
	}
	if os.SameFile(ids[0], ids[1]) {
		return errors.New("the container has the network namespace of the runtime")
	}
	return nil
}

// Close lets go of the container's network namespace; what was moved can't be brought back any
// more. A nil Mover is fine.
func (m *Mover) Close() {
	if m != nil {
		m.host.file.Close()
		m.target.file.Close()
	}
}

// Move moves the device called name into the container, names it as (in which %d stands for a
// number that the kernel chooses; empty means the same name), gives it back its permanent global
// addresses and sets it up. After an error the caller is to call Undo.
func (m *Mover) Move(name, as string) error {
	if as == "" {
		as = name
	}
	l, err := m.host.link(0, name)
	if err != nil {
		return fmt.Errorf("link not found for interface %s: %w", name, err)
	}
	addresses, err := m.host.addresses(l.index)
	if err != nil {
		return fmt.Errorf("read the addresses of %s: %w", name, err)
	}
	// The kernel would rename the device only after it has moved it.
	if err := m.target.checkFree(as); err != nil {
		return err
	}
	index, err := m.target.freeIndex(l.index)
	if err != nil {
		return fmt.Errorf("list the devices of the container: %w", err)
	}
	moveErr := m.host.move(l.index, m.target, as, index)
	now, err := m.target.link(index, "")
	if err == nil {
		// Perhaps in spite of an error: of the name, which somebody else was faster to take.
		m.moved = append(m.moved, moved{l, index, addresses})
	}
	if moveErr != nil {
		err = moveErr
	}
	if err != nil {
		return fmt.Errorf("move %s to the container's network namespace as %s: %w", name, as, err)
	}
	return m.target.revive(index, addresses, l.name, now.name)
}

// revive gives a device its addresses and sets it up.
func (s *socket) revive(index int32, list []address, oldName, name string) error {
	for _, a := range list {
		if err := s.addAddress(index, a, oldName, name); err != nil {
			return fmt.Errorf("give %s the address %s again: %w", name, a, err)
		}
	}
	if err := s.setUp(index); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// Undo brings back what was moved, the last first, with names, addresses and state as before. A nil
// Mover has moved nothing.
func (m *Mover) Undo() error {
	if m == nil {
		return nil
	}
	var errs []error
	for i := len(m.moved) - 1; i >= 0; i-- {
		if err := m.bringBack(&m.moved[i]); err != nil {
			errs = append(errs, fmt.Errorf("bring the network device %s back to the host: %w", m.moved[i].was.name, err))
		}
	}
	m.moved = nil
	return errors.Join(errs...)
}

func (m *Mover) bringBack(d *moved) error {
	now, err := m.target.link(d.index, "")
	if err != nil {
		return err
	}
	index, err := m.host.freeIndex(d.was.index)
	if err != nil {
		return err
	}
	if err := m.target.move(d.index, m.host, d.was.name, index); err != nil {
		return err
	}
	if !d.was.up {
		for _, a := range d.addresses {
			err = errors.Join(err, m.host.addAddress(index, a, now.name, d.was.name))
		}
		return err
	}
	return m.host.revive(index, d.addresses, now.name, d.was.name)
}
