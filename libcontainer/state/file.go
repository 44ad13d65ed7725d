package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"github.com/ociruntime/ociruntime/libcontainer/internal/unixsock"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// Names in the container's directory.
const (
	recordFile   = "state.json"
	configFile   = "config.json"
	progressFile = "progress"
	startSocket  = "start.sock"
)

// Save writes the record so that a reader, who needs no lock, sees the old one or the new one. The
// caller holds the lock.
//
// Nothing is synced to the disk: a record speaks of processes and cgroups of this boot, and after a
// loss of power there is nothing that a lost record could have found. What the file system may
// leave then, an empty state.json, is reported by list and removed by delete.
func (d *Dir) Save(r *Record) error {
	d.loaded = nil
	const usual = 2048 // bytes of a record
	data, err := r.members().Append(make([]byte, 0, usual))
	if err != nil {
		return fmt.Errorf("save the container's %s: %w", recordFile, err)
	}
	return d.WriteFile(recordFile, data)
}

// Load reads the record. A directory without one gives [ErrNotExist]: its create has had no side
// effects.
func (d *Dir) Load() (*Record, error) {
	d.loaded = nil
	return d.Reload()
}

// Reload is Load for who has not changed the record that Load gave last: as long as nobody else has
// either, it is the same one.
func (d *Dir) Reload() (*Record, error) {
	data, err := d.ReadFile(recordFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, d.notExist()
	}
	if err != nil {
		return nil, err
	}
	if d.loaded != nil && bytes.Equal(d.text, data) {
		return d.loaded, nil
	}
	r := &Record{boot: d.boot}
	if err := r.members().Read(data); err != nil {
		return nil, fmt.Errorf("load %s: %w", d.file(recordFile), err)
	}
	r.adopt(d.id)
	d.loaded, d.text = r, data
	return r, nil
}

// NewConfig keeps the text of config.json in a directory without a record: nobody looks there yet,
// so it is written in place.
func (d *Dir) NewConfig(data []byte) error {
	if err := fs.WriteFile(d.file(configFile), unix.O_CREAT|unix.O_EXCL, data); err != nil {
		return fmt.Errorf("save the container's %s: %w", configFile, err)
	}
	return nil
}

// SaveConfig replaces the text of config.json.
func (d *Dir) SaveConfig(data []byte) error { return d.WriteFile(configFile, data) }

// Config reads the text of config.json that [Dir.SaveConfig] has kept.
func (d *Dir) Config() ([]byte, error) { return d.ReadFile(configFile) }

// WriteFile replaces a file of the directory in one step. The caller holds the lock, so that one
// temporary name is enough; what a killed writer leaves there is overwritten by the next.
func (d *Dir) WriteFile(name string, data []byte) error {
	temp := d.file("." + name + ".new")
	// Not os.O_EXCL: see above.
	err := fs.WriteFile(temp, unix.O_CREAT|unix.O_TRUNC, data)
	if err == nil {
		err = replace(temp, d.file(name))
	}
	if err != nil {
		return fmt.Errorf("save the container's %s: %w", name, err)
	}
	return nil
}

// replace gives the file temp the name of another, which need not exist. Where it does, the two
// change places first: a plain rename onto a file makes ext4 start writing to the disk (mount
// option auto_da_alloc), which costs milliseconds.
func replace(temp, name string) error {
	err := unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, name, unix.RENAME_EXCHANGE)
	if err == nil {
		// The new file is in place. What can't be removed of the old one, the next writer
		// overwrites.
		_ = unix.Unlink(temp)
		return nil
	}
	// ENOENT: the first of its name. EINVAL: not every file system can exchange.
	if err := unix.Rename(temp, name); err != nil {
		return &os.LinkError{Op: "rename", Old: temp, New: name, Err: err}
	}
	return nil
}

// ReadFile reads a file of the directory.
func (d *Dir) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadRegular(d.file(name))
	if err != nil {
		return nil, fmt.Errorf("read the container's %s: %w", name, err)
	}
	return data, nil
}

// ProgressFile opens the page on which the init writes how far it came (plan.PageOp and so on).
func (d *Dir) ProgressFile() (*os.File, error) {
	f, err := os.OpenFile(d.file(progressFile), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open the container's progress page: %w", err)
	}
	return f, nil
}

// NewProgressFile makes that page.
func (d *Dir) NewProgressFile() (*os.File, error) {
	f, err := os.OpenFile(d.file(progressFile), os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		// A page that exists only as a hole would be charged to the container's memory limit by the
		// init's first store, and on a full file system that store would be a SIGBUS.
		if _, err = f.Write(make([]byte, plan.PageSize)); err != nil {
			f.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make the container's progress page: %w", err)
	}
	return f, nil
}

// Progress reads the index of the op that the init began last, and the errno with which it failed,
// or 0.
func (d *Dir) Progress() (op int, errno unix.Errno, err error) {
	var page [8]byte // the rest is empty
	b, err := fs.ReadStart(d.file(progressFile), page[:])
	if err == nil && len(b) < len(page) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read the container's progress page: %w", err)
	}
	return int(binary.NativeEndian.Uint32(b[plan.PageOp:])), unix.Errno(binary.NativeEndian.Uint32(b[plan.PageErrno:])), nil
}

// ListenStart makes the socket at which the init waits for `start`. It is a stream, and only this
// user may connect.
func (d *Dir) ListenStart() (*os.File, error) {
	f, err := d.socket(unix.SOCK_STREAM, startSocket, func(fd int, addr *unix.SockaddrUnix) error {
		// The socket's own mode, less the umask, becomes that of the name: so it is never open to
		// others, not even for a moment.
		if err := unix.Fchmod(fd, 0o600); err != nil {
			return err
		}
		if err := unix.Bind(fd, addr); err != nil {
			return err
		}
		return unix.Listen(fd, 1)
	})
	if err != nil {
		return nil, fmt.Errorf("make the container's start socket: %w", err)
	}
	return f, nil
}

// ConnectStart connects to the waiting init. ECONNREFUSED means that it is gone. A polled
// connection is waited for by Go's poller, and not by a thread.
func (d *Dir) ConnectStart(polled bool) (*os.File, error) {
	f, err := d.socket(unix.SOCK_STREAM, startSocket, func(fd int, addr *unix.SockaddrUnix) error {
		err := unixsock.Connect(fd, addr.Name)
		if err == nil && polled {
			err = unix.SetNonblock(fd, true) // by which os.NewFile knows
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the container's start socket: %w", err)
	}
	return f, nil
}

// socket makes a socket and gives it to use with an address that is short whatever the directory's
// path: an address has room for 108 bytes (unix(7)).
func (d *Dir) socket(kind int, name string, use func(fd int, addr *unix.SockaddrUnix) error) (*os.File, error) {
	dir, err := os.OpenFile(d.Path(), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	addr := &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), name)}
	if err := use(fd, addr); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
