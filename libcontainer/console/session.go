package console

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"
)

// drainTime is how long Close goes on with output that does not end, after the process at the
// terminal has.
const drainTime = time.Second

// Session joins a container's terminal to our own standard input and output. Its methods are for
// one goroutine.
type Session struct {
	master  *os.File
	in, out *os.File
	ours    console.Console // nil if we have no terminal
	restore func() error
	copied  chan struct{}
}

// Attach joins the container's terminal, given by its master, to in and out: what comes from in is
// typed there, and so is its end; what is written there goes to out. Where in is a terminal it is
// put into raw mode until Close, and the container's terminal gets the size of ours. Where out is
// no terminal, lines end in "\n" alone. Attach owns the master from now on, even if it fails.
func Attach(master, in, out *os.File) (*Session, error) {
	s := &Session{in: in, out: out, restore: func() error { return nil }, copied: make(chan struct{})}
	if err := s.take(master); err != nil {
		return nil, err
	}
	if err := s.setModes(); err != nil {
		return nil, errors.Join(err, s.master.Close())
	}
	go s.copyOut()
	go s.copyIn()
	return s, nil
}

// setModes makes one terminal of two, of which ours has all the work with newlines, or nobody: as
// in runc, it goes on with them in raw mode, since what our output goes through may end on it, as
// in "run x | tee log".
func (s *Session) setModes() error {
	if err := s.control(func(master int) error { return console.ClearONLCR(uintptr(master)) }); err != nil {
		return fmt.Errorf("set the modes of the container's terminal: %w", err)
	}
	typed, err := console.ConsoleFromFile(s.in)
	if err != nil {
		s.ours, _ = console.ConsoleFromFile(s.out) // nil if neither is a terminal
		return s.Resize()
	}
	s.ours = typed
	if err := s.Resize(); err != nil {
		return err
	}
	if err := typed.SetRaw(); err != nil {
		return fmt.Errorf("put the terminal into raw mode: %w", err)
	}
	s.restore = typed.Reset
	return nil
}

// take makes the master a file of Go's poller, so that Close can end a waiting read. Only a
// descriptor that is non-blocking when the file is made gets there: hence the duplicate.
func (s *Session) take(master *os.File) error {
	defer master.Close()
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	s.master = os.NewFile(uintptr(fd), master.Name())
	return nil
}

// Resize gives the container's terminal the size that ours has now.
func (s *Session) Resize() error {
	if s.ours == nil {
		return nil
	}
	size, err := s.ours.Size()
	switch {
	case err != nil:
		return fmt.Errorf("read the terminal's size: %w", err)
	case size.Height == 0 && size.Width == 0:
		return nil // a terminal that does not know
	}
	return s.control(func(master int) error {
		err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Row: size.Height, Col: size.Width})
		if err != nil {
			return fmt.Errorf("set the terminal's size: %w", err)
		}
		return nil
	})
}

// control calls f with the master's descriptor, which stays open meanwhile. File's own Fd can't
// promise that.
func (s *Session) control(f func(master int) error) error {
	raw, err := s.master.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// Hangup gives a channel that is closed when every process has left the container's terminal. It is
// for those who can't wait for the process itself.
func (s *Session) Hangup() <-chan struct{} { return s.copied }

// Close writes out what the container's terminal still holds, puts our terminal back as it was, and
// hangs up. It is to be called when the process at the terminal has ended.
func (s *Session) Close() error {
	_ = s.master.SetReadDeadline(time.Unix(1, 0))
	<-s.copied
	return errors.Join(s.restore(), ignoreClosed(s.master.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// copyOut ends when every process has closed the container's terminal (the kernel answers EIO
// then), or with Close.
func (s *Session) copyOut() {
	defer close(s.copied)
	buf := make([]byte, 32<<10)
	for {
		n, err := s.master.Read(buf)
		if !s.write(buf[:n]) {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.drain(buf)
			return
		}
		if err != nil {
			return
		}
	}
}

// drain writes out what a process wrote before it ended. Others may still hold the terminal: it
// isn't waited for. The kernel moves output to the master in the background; poll makes it finish
// that first.
func (s *Session) drain(buf []byte) {
	for end := time.Now().Add(drainTime); time.Now().Before(end); {
		n := 0
		err := s.control(func(master int) (err error) {
			fds := []unix.PollFd{{Fd: int32(master), Events: unix.POLLIN}}
			if ready, _ := unix.Poll(fds, 0); ready == 1 && fds[0].Revents&unix.POLLIN != 0 {
				n, err = unix.Read(master, buf)
			}
			return err
		})
		if err != nil || n <= 0 || !s.write(buf[:n]) {
			return
		}
	}
}

// write reports whether it is worth going on. When nobody reads our output any more, the
// container's terminal is hung up: its processes get SIGHUP, as from any terminal that goes away.
func (s *Session) write(data []byte) bool {
	if len(data) == 0 {
		return true
	}
	if _, err := s.out.Write(data); err != nil {
		_ = s.master.Close()
		return false
	}
	return true
}
