package backend

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// taken is the extended attribute of a directory that has come from one container to another.
const taken = "user.ociruntime.taken"

// Identity tells the directory from one that is made at the same path later, and from itself once
// TakeOver was called again.
func (d *Dir) Identity() (string, error) {
	fd, err := d.Open()
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", &FileError{Verb: "look at", Path: d.Path, Err: err}
	}
	id := strconv.FormatUint(st.Ino, 10) // which the kernel gives to no other cgroup of this boot
	mark := make([]byte, 32)
	if n, err := unix.Lgetxattr(d.Path, taken, mark); err == nil {
		id += "/" + string(mark[:n])
	}
	return id, nil
}

// TakeOver gives a directory that was there before, with no process in it, a new identity. Where
// the kernel refuses, it keeps its old one.
func (d *Dir) TakeOver() {
	_ = unix.Lsetxattr(d.Path, taken, strconv.AppendInt(nil, time.Now().UnixNano(), 36), 0)
}
