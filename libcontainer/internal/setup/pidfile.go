package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// WritePidFile writes the pid without a newline (engines read the whole file as a number), to a
// name that nobody else uses, and renames it: a reader sees all or nothing.
func WritePidFile(path string, pid int) error {
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
		return fmt.Errorf("--pid-file: %w", pidFileError(path, err))
	}
	return nil
}

// pidFileError says what is wrong with a path to which no pid can be written, without the temporary
// name.
func pidFileError(path string, err error) error {
	dir := filepath.Dir(path)
	st, notThere := os.Stat(path)
	var errno unix.Errno
	switch {
	case notThere == nil && st.IsDir():
		return fmt.Errorf("%s is a directory, and has to be a file or nothing yet", path)
	case errors.Is(err, unix.ENOENT):
		// Not with the kernel's words: engines take these for a missing command.
		return fmt.Errorf("there is no directory %s for it", dir)
	case errors.As(err, &errno):
		return fmt.Errorf("write %s: %w", path, errno)
	}
	return err
}
