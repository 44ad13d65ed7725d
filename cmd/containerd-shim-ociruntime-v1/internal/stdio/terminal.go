package stdio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// drainTime is how long output that a terminal still holds is waited for at the end.
const drainTime = 10 * time.Second

// terminal copies between a terminal's master and two fifos, or to a log program. All of them are
// files of Go's poller, so that nobody who does not read holds a thread.
type terminal struct {
	in, out *os.File

	mu     sync.Mutex // excludes Resize and the arrival of the master
	master *os.File
	size   *unix.Winsize // set before there was a terminal
	copied chan struct{}
}

func (s *Streams) openTerminal(c *Config) (err error) {
	t := s.terminal
	if c.Stdin != "" {
		if t.in, err = openPolled(c.Stdin, os.O_RDONLY); err != nil {
			return fmt.Errorf("stdin: %w", err)
		}
		if s.input, err = openEnd(c.Stdin, os.O_WRONLY); err != nil {
			return fmt.Errorf("stdin: %w", err)
		}
	}
	switch scheme, path := split(c.Stdout); {
	case c.Stdout == "":
	case scheme == "file":
		t.out, err = openLog(path)
	case scheme == "binary":
		t.out, err = s.logTerminal(c)
	default:
		var read *os.File
		if read, err = openEnd(c.Stdout, os.O_RDONLY); err != nil {
			break
		}
		s.held = append(s.held, read)
		t.out, err = openPolled(c.Stdout, os.O_WRONLY)
	}
	if err != nil {
		return fmt.Errorf("stdout: %w", err)
	}
	return nil
}

// logTerminal starts a log program for what comes out of the terminal: all of it is stdout.
func (s *Streams) logTerminal(c *Config) (stdout *os.File, err error) {
	if s.logger, err = startLogger(c); err != nil {
		return nil, err
	}
	stdout, stderr := s.logger.take()
	return stdout, stderr.Close()
}

func openPolled(path string, mode int) (*os.File, error) {
	_, path = split(path)
	fd, err := unix.Open(path, mode|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Console takes the master of the process's terminal.
func (s *Streams) Console(master *os.File) error {
	t := s.terminal
	defer master.Close()
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return fmt.Errorf("take the terminal: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.master = os.NewFile(uintptr(fd), master.Name())
	t.copied = make(chan struct{})
	if t.size != nil {
		if err := t.resize(t.size); err != nil {
			return err
		}
	}
	go t.copyOut()
	if t.in != nil {
		go t.copyIn()
	}
	return nil
}

const bufferSize = 4 << 10 // what the kernel's side of a terminal holds

// copyOut ends when every process has closed the terminal; the kernel answers EIO then. Its reader
// sees the end at once: CRI waits for that before it calls Delete.
func (t *terminal) copyOut() {
	defer close(t.copied)
	if t.out != nil {
		defer t.out.Close()
	}
	buf := make([]byte, bufferSize)
	for {
		n, err := t.master.Read(buf)
		if n > 0 && t.out != nil {
			if _, werr := t.out.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (t *terminal) copyIn() {
	// By hand: io.Copy would try splice first, which can't read into a terminal.
	buf := make([]byte, bufferSize)
	for {
		n, err := t.in.Read(buf)
		if n > 0 {
			if _, werr := t.master.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// Resize gives the terminal a size. One that does not exist yet gets it later; a process without a
// terminal ignores it.
func (s *Streams) Resize(width, height uint16) error {
	t := s.terminal
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	size := &unix.Winsize{Col: width, Row: height}
	if t.master == nil {
		t.size = size
		return nil
	}
	return t.resize(size)
}

func (t *terminal) resize(size *unix.Winsize) error {
	raw, err := t.master.SyscallConn()
	if err != nil {
		return fmt.Errorf("set the terminal's size: %w", err)
	}
	var inner error
	err = raw.Control(func(fd uintptr) { inner = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size) })
	if err = errors.Join(err, inner); err != nil {
		return fmt.Errorf("set the terminal's size: %w", err)
	}
	return nil
}

// close waits for the output, within bounds: a process that has left the container's own may hold
// the terminal for ever.
func (t *terminal) close() error {
	t.mu.Lock()
	master, copied := t.master, t.copied
	t.mu.Unlock()
	if master != nil {
		late := time.NewTimer(drainTime)
		select {
		case <-copied:
		case <-late.C:
		}
		late.Stop()
	}
	var err error
	for _, f := range []io.Closer{t.in, t.out, master} {
		if f.(*os.File) != nil {
			err = errors.Join(err, ignoreClosed(f.Close()))
		}
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
