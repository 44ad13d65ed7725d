package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
		return fmt.Errorf("--pid-file: %w", err)
	}
	return nil
}
