package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Messages are in the byte order of the machine (netlink(7)).
var native = binary.NativeEndian

// patience is how long the kernel may take for an answer, in seconds. It is slow only while others
// hold its lock on network devices.
const patience = 30

// socket is a route netlink socket; what is asked through it is about the network namespace that it
// was opened in.
type socket struct {
	file *os.File
	seq  uint32
}

func open() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a route netlink socket: %w", err)
	}
	return use(os.NewFile(uintptr(fd), "netlink"))
}

// use takes over a socket that somebody has opened.
func use(f *os.File) (*socket, error) {
	s := &socket{file: f}
	fd := int(f.Fd())
	err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: patience})
	if err == nil {
		// The reason in words, and without our own message repeated before it.
		err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
			unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("prepare the netlink socket: %w", err)
	}
	return s, nil
}

// namespace opens the network namespace of the socket.
func (s *socket) namespace() (*os.File, error) {
	fd, err := unix.IoctlRetInt(int(s.file.Fd()), unix.SIOCGSKNS)
	if err != nil {
		return nil, fmt.Errorf("open the network namespace of a socket: %w", err)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "net"), nil
}

// message is a netlink message: a header of 16 bytes, a fixed part, attributes.
type message struct{ b []byte }

func newMessage(kind, flags uint16, fixed []byte) *message {
	m := &message{make([]byte, unix.SizeofNlMsghdr, 256)}
	native.PutUint16(m.b[4:], kind)
	native.PutUint16(m.b[6:], unix.NLM_F_REQUEST|flags)
	m.b = append(m.b, fixed...)
	return m
}

func (m *message) attr(kind uint16, value []byte) {
	m.b = native.AppendUint16(m.b, uint16(unix.SizeofNlAttr+len(value)))
	m.b = native.AppendUint16(m.b, kind)
	m.b = append(m.b, value...)
	for len(m.b)%unix.NLA_ALIGNTO != 0 {
		m.b = append(m.b, 0)
	}
}

func (m *message) text(kind uint16, s string) { m.attr(kind, append([]byte(s), 0)) }

func (m *message) uint32(kind uint16, n uint32) { m.attr(kind, native.AppendUint32(nil, n)) }

// attrs reads a list of attributes. The flags in the two upper bits of a type are left out.
func attrs(b []byte, visit func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofNlAttr {
		n := int(native.Uint16(b))
		if n < unix.SizeofNlAttr || n > len(b) {
			return
		}
		visit(native.Uint16(b[2:])&0x3fff, b[unix.SizeofNlAttr:n])
		b = b[min(align(n), len(b)):]
	}
}

func align(n int) int { return (n + 3) &^ 3 }

// do sends a request that is answered by success or an error alone.
func (s *socket) do(m *message) error {
	native.PutUint16(m.b[6:], native.Uint16(m.b[6:])|unix.NLM_F_ACK)
	return s.ask(m, func([]byte) {})
}

var errChanged = errors.New("the list changed while it was read")

// list asks for all of something and gives the body of each message.
func (s *socket) list(kind uint16, fixed []byte) ([][]byte, error) {
	const tries = 10
	for i := 0; ; i++ {
		var all [][]byte
		err := s.ask(newMessage(kind, unix.NLM_F_DUMP, fixed), func(body []byte) { all = append(all, body) })
		if !errors.Is(err, errChanged) || i == tries {
			return all, err
		}
	}
}

// ask sends a request and gives the body of each answer, until the last one.
func (s *socket) ask(m *message, answer func(body []byte)) error {
	s.seq++
	native.PutUint32(m.b, uint32(len(m.b)))
	native.PutUint32(m.b[8:], s.seq)
	fd := int(s.file.Fd())
	if err := unix.Sendto(fd, m.b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	changed := false
	for {
		// The kernel fills a buffer of up to 32 KiB with messages.
		buf := make([]byte, 64<<10)
		n, from, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EAGAIN) {
			return errors.New("the kernel gives no answer")
		}
		if err != nil {
			return err
		}
		if addr, ok := from.(*unix.SockaddrNetlink); !ok || addr.Pid != 0 {
			continue // not from the kernel
		}
		done, err := s.read(buf[:n], answer, &changed)
		if err == nil && done && changed {
			err = errChanged
		}
		if err != nil || done {
			return err
		}
	}
}

// read takes a buffer of answers apart; done says that the last one was among them.
func (s *socket) read(b []byte, answer func(body []byte), changed *bool) (done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		n := int(native.Uint32(b))
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return false, errors.New("an answer of the kernel is cut off")
		}
		kind, flags, seq, body := native.Uint16(b[4:]), native.Uint16(b[6:]), native.Uint32(b[8:]), b[unix.SizeofNlMsghdr:n]
		b = b[min(align(n), len(b)):]
		if seq != s.seq {
			continue
		}
		*changed = *changed || flags&unix.NLM_F_DUMP_INTR != 0
		switch kind {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			return true, answerError(flags, body)
		default:
			answer(body)
			done = flags&unix.NLM_F_MULTI == 0
		}
	}
	return done, nil
}

// answerError is the error in the body of a last message: a negative errno, and with NLM_F_ACK_TLVS
// words for it.
func answerError(flags uint16, body []byte) error {
	if len(body) < 4 {
		return nil
	}
	errno := unix.Errno(-int32(native.Uint32(body)))
	if errno == 0 {
		return nil
	}
	words := ""
	// With NETLINK_CAP_ACK only the header of the request stands between.
	if skip := 4 + unix.SizeofNlMsghdr; flags&unix.NLM_F_ACK_TLVS != 0 && len(body) > skip {
		attrs(body[skip:], func(kind uint16, value []byte) {
			if kind == unix.NLMSGERR_ATTR_MSG {
				words = strings.TrimRight(string(value), "\x00")
			}
		})
	}
	if words != "" {
		return fmt.Errorf("%s: %w", words, errno)
	}
	return errno
}
