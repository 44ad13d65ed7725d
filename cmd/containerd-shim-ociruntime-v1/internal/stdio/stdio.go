// Package stdio connects a container's process with what containerd's client wants its streams to
// be.
//
// A fifo is given to the process itself: no byte goes through the shim, and a reader that is slow
// or stuck is in nobody's way but its own container's. The shim holds the other end of each, so
// that a process does not die of SIGPIPE when the client goes away, and output waits for one that
// comes back.
package stdio

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Config is what a request says of a process's streams.
type Config struct {
	Stdin, Stdout, Stderr string // a path or an address; empty for none
	Terminal              bool
	UID, GID              uint32 // owner of what the process gets
	ID, Namespace         string // for log programs
	// Warn tells of a log program that has ended.
	Warn func(string)
}

// Streams are the streams of one process.
type Streams struct {
	// Files are what the process gets. They are to be closed with Launched.
	Files [3]*os.File

	mu       sync.Mutex // for input, and for the end of logger
	input    *os.File   // the writing end of stdin's fifo, until CloseInput
	held     []*os.File // what keeps fifos alive until Close
	terminal *terminal
	logger   *logger
}

// Open opens the streams. It waits for nobody: that the client opens its ends is its own affair.
func Open(c *Config) (*Streams, error) {
	s := &Streams{}
	err := s.open(c)
	if err != nil {
		s.Launched()
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Streams) open(c *Config) (err error) {
	if c.Terminal {
		s.terminal = &terminal{}
		if err = s.openTerminal(c); err != nil {
			return err
		}
		for i := range s.Files {
			if s.Files[i], err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
				return err
			}
		}
		return nil
	}
	if s.Files[0], err = s.openInput(c); err != nil {
		return fmt.Errorf("stdin: %w", err)
	}
	if scheme, _ := split(c.Stdout); scheme == "binary" {
		s.logger, err = startLogger(c)
		if err != nil {
			return fmt.Errorf("stdout: %w", err)
		}
		s.Files[1], s.Files[2] = s.logger.take()
		return nil
	}
	if s.Files[1], err = s.openOutput(c.Stdout, c); err != nil {
		return fmt.Errorf("stdout: %w", err)
	}
	if s.Files[2], err = s.openOutput(c.Stderr, c); err != nil {
		return fmt.Errorf("stderr: %w", err)
	}
	return nil
}

// split takes an address apart; a bare path is a fifo's.
func split(address string) (scheme, path string) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return "fifo", address
	}
	if u, err := url.Parse(address); err == nil {
		rest = filepath.Join("/", u.Host, u.Path)
	}
	return scheme, rest
}

// openInput opens stdin. Our own writing end of the fifo keeps it from ending before the client has
// come, or between two clients.
func (s *Streams) openInput(c *Config) (*os.File, error) {
	if c.Stdin == "" {
		return os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	}
	read, err := openEnd(c.Stdin, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	if s.input, err = openEnd(c.Stdin, os.O_WRONLY); err != nil {
		read.Close()
		return nil, err
	}
	return read, own(read, c)
}

func (s *Streams) openOutput(address string, c *Config) (*os.File, error) {
	switch scheme, path := split(address); {
	case address == "":
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	case scheme == "file":
		f, err := openLog(path)
		if errors.Is(err, unix.ENXIO) { // a fifo that nobody reads, or not yet
			return s.openFifo(path, c)
		}
		return f, err
	case scheme != "fifo":
		return nil, fmt.Errorf("%s: unknown kind of address", address)
	default:
		return s.openFifo(path, c)
	}
}

// openFifo opens a fifo to be written to, with a reading end of ours.
func (s *Streams) openFifo(path string, c *Config) (*os.File, error) {
	read, err := openEnd(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	s.held = append(s.held, read)
	write, err := openEnd(path, os.O_WRONLY)
	if err != nil {
		return nil, err
	}
	return write, own(write, c)
}

// openLog opens a file to which output is added. It waits for nobody, as opening a fifo would.
func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return openAtOnce(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT)
}

// openEnd opens one end of a fifo. The reading end has to be opened first.
func openEnd(path string, mode int) (*os.File, error) {
	_, path = split(path)
	f, err := openAtOnce(path, mode)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFIFO {
		err = errors.New("not a fifo")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return f, nil
}

// openAtOnce opens a file without waiting for the other end of a fifo, and then makes it wait as
// usual: the process shares the flag.
func openAtOnce(path string, flags int) (*os.File, error) {
	fd, err := unix.Open(path, flags|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0o644)
	if err == nil {
		if err = unix.SetNonblock(fd, false); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// own gives a fifo to the user whom the options name.
func own(f *os.File, c *Config) error {
	if c.UID == 0 && c.GID == 0 {
		return nil
	}
	return f.Chown(int(c.UID), int(c.GID))
}

// Launched closes what the process has got by now: while the shim holds it, the client does not see
// the end of the output.
func (s *Streams) Launched() {
	for i, f := range s.Files {
		if f != nil {
			f.Close()
			s.Files[i] = nil
		}
	}
}

// CloseInput ends the process's stdin, once what was written there is read.
func (s *Streams) CloseInput() error {
	s.mu.Lock()
	f := s.input
	s.input = nil
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f.Close()
}

// Close lets go of everything. Output of a terminal that is on its way is waited for before.
func (s *Streams) Close() error {
	err := s.CloseInput()
	if s.terminal != nil {
		err = errors.Join(err, s.terminal.close())
	}
	for _, f := range s.held {
		err = errors.Join(err, f.Close())
	}
	s.held = nil
	if s.logger != nil {
		err = errors.Join(err, s.logger.stop(stopTime))
		s.mu.Lock()
		s.logger = nil
		s.mu.Unlock()
	}
	return err
}
