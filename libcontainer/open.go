package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/console"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// fileSet are the descriptors that a plan names. Only those that it opened itself are closed with
// it.
type fileSet struct {
	byName map[string]*os.File
	own    []*os.File
	// mapping are the user namespaces of idmapped mounts: many mounts have the same maps.
	mapping map[plan.IDMap]*os.File
}

// give adds a file that belongs to somebody else.
func (s *fileSet) give(name string, f *os.File) {
	if s.byName == nil {
		s.byName = make(map[string]*os.File)
	}
	s.byName[name] = f
}

// keep adds a file that is closed with the set.
func (s *fileSet) keep(name string, f *os.File) {
	s.give(name, f)
	s.own = append(s.own, f)
}

func (s *fileSet) close() {
	for _, f := range s.own {
		f.Close()
	}
	s.own, s.mapping = nil, nil
}

// cgroup is the directory in which launch has to start the image, or nil when the plan puts its
// process there itself.
func (s *fileSet) cgroup(p *plan.Plan, dir *os.File) *os.File {
	for i := range p.Files {
		if p.Files[i].Name == compile.FileCgroup {
			s.give(compile.FileCgroup, dir)
			return nil
		}
	}
	return dir
}

// openAll opens what the plan says how to open.
func (s *fileSet) openAll(p *plan.Plan) error {
	for i := range p.Files {
		f := &p.Files[i]
		if f.Open == plan.Given || s.byName[f.Name] != nil {
			continue
		}
		file, err := s.open(f)
		if err != nil {
			return err
		}
		s.keep(f.Name, file)
	}
	return nil
}

func (s *fileSet) open(f *plan.File) (*os.File, error) {
	var fd int
	var err error
	switch f.Open {
	case plan.OpenTree:
		flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
		if f.Recursive {
			flags |= unix.AT_RECURSIVE
		}
		if f.NoFollow {
			flags |= unix.AT_SYMLINK_NOFOLLOW
		}
		fd, err = unix.OpenTree(unix.AT_FDCWD, f.Path, flags)
		err = refusal.Explain("open_tree", err)
	default:
		fd, err = unix.Open(f.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: open %s: %w", f.From, f.Path, err)
	}
	file := os.NewFile(uintptr(fd), f.Path)
	if f.IDMap != nil {
		if err := s.idmapTree(fd, f); err != nil {
			file.Close()
			return nil, err
		}
	}
	return file, nil
}

// open gathers everything that the plan's files are.
func (c *creation) open() error {
	for i := range c.plan.Files {
		var f *os.File
		var err error
		switch name := c.plan.Files[i].Name; name {
		case compile.FileSocket:
			f, err = c.dir.ListenStart()
		case compile.FileProc:
			f, err = openProc()
		case compile.FileDevices:
			f, err = makeDevices(c.spec)
		case compile.FileConsole:
			c.console, err = newConsoleEnd(c.o.ConsoleSocket, c.o.Console)
			if err != nil {
				return err
			}
			c.undo.add(c.console.close)
			c.files.give(name, c.console.init)
			continue
		default:
			continue
		}
		if err != nil {
			return err
		}
		c.files.keep(c.plan.Files[i].Name, f)
	}
	return c.files.openAll(c.plan)
}

// openProc makes a procfs that nobody can have mounted anything over. Where the kernel refuses a
// fresh one, the host's /proc serves, if it is a procfs; the init's opens below it refuse to cross
// into another mount either way.
func openProc() (*os.File, error) {
	if fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC); err == nil {
		defer unix.Close(fs)
		if err := unix.FsconfigCreate(fs); err == nil {
			fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
			if err == nil {
				return os.NewFile(uintptr(fd), "proc"), nil
			}
		}
	}
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc: %w", err)
	}
	f := os.NewFile(uintptr(fd), "/proc")
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil || st.Type != unix.PROC_SUPER_MAGIC {
		f.Close()
		return nil, fmt.Errorf("/proc is not a procfs (%w)", err)
	}
	return f, nil
}

// consoleEnd is where the init sends the master of the container's terminal.
type consoleEnd struct {
	init *os.File // the init's end
	ours *os.File // where we receive it, if it is for ourselves
	take func(master *os.File) error
}

func newConsoleEnd(socket string, take func(*os.File) error) (*consoleEnd, error) {
	switch {
	case socket != "":
		f, err := console.Dial(socket)
		if err != nil {
			return nil, fmt.Errorf("--console-socket: %w", err)
		}
		return &consoleEnd{init: f}, nil
	case take == nil:
		return nil, fmt.Errorf("process.terminal: cannot allocate tty if runtime will detach without setting console socket")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("process.terminal: make a socket for the terminal: %w", err)
	}
	return &consoleEnd{init: os.NewFile(uintptr(pair[0]), "console"), ours: os.NewFile(uintptr(pair[1]), "console"), take: take}, nil
}

// deliver takes the master that the init has sent by now. A nil end, that of a process without a
// terminal, has nothing to deliver.
func (e *consoleEnd) deliver() error {
	if e == nil {
		return nil
	}
	defer e.close()
	if e.take == nil {
		return nil
	}
	master, err := console.Receive(e.ours)
	if err != nil {
		return err
	}
	return e.take(master)
}

// close may be called again, and on nil.
func (e *consoleEnd) close() error {
	if e == nil {
		return nil
	}
	e.init.Close()
	if e.ours != nil {
		e.ours.Close()
	}
	return nil
}

// writePidFile writes the pid without a newline (engines read the whole file as a number), to a
// name that nobody else uses, and renames it: a reader sees all or nothing.
func writePidFile(path string, pid int) error {
	if path == "" {
		return nil
	}
	// Our own pid makes the name unique among living writers; what a dead one left is removed.
	// Anybody may guess it, hence O_EXCL: in a directory like /tmp it could be a link to any file.
	// The umask decides who may read it: engines of other users do.
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	os.Remove(tmp)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err == nil {
		_, err = f.Write(strconv.AppendInt(nil, int64(pid), 10))
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("--pid-file: %w", err)
	}
	return nil
}

// sendPidfd sends a pidfd of the process over the socket of --pidfd-socket.
func sendPidfd(socket string, pid int, kind string) error {
	if socket == "" {
		return nil
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("--pidfd-socket: open process %d: %w", pid, refusal.Explain("pidfd_open", err))
	}
	defer unix.Close(pidfd)
	conn, err := console.Dial(socket)
	if err != nil {
		return fmt.Errorf("--pidfd-socket: %w", err)
	}
	defer conn.Close()
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Sendmsg(int(conn.Fd()), []byte(kind), unix.UnixRights(pidfd), nil, unix.MSG_NOSIGNAL)
	}
	if err != nil {
		return fmt.Errorf("--pidfd-socket: send the pidfd: %w", err)
	}
	return nil
}
