package hooks

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/specconv/names"
)

// openOutput opens the files to which crun's annotations send the output of every hook: what is
// written there is not part of a hook's error. A FIFO that nobody reads is an error, and does not
// keep us waiting.
func openOutput(annotations map[string]string) (output [2]*os.File, err error) {
	for i, name := range [...]string{names.HooksStdout, names.HooksStderr} {
		path := annotations[name]
		if path == "" {
			continue
		}
		const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_APPEND | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC
		fd, err := unix.Open(path, flags, 0o600)
		if err == nil {
			// The hook expects to wait for whoever reads.
			err = unix.SetNonblock(fd, false)
			output[i] = os.NewFile(uintptr(fd), path)
		}
		if err != nil {
			closeAll(output[:])
			return output, fmt.Errorf("annotations[%s]: open %s: %w", name, path, err)
		}
	}
	return output, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
