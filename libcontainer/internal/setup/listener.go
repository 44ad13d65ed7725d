package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/unixsock"
)

// SendListener hands the descriptor of SCMP_ACT_NOTIFY to the agent at listenerPath, with the state
// that the specification wants ("Container Process State"). The descriptor goes with the first
// piece of the JSON, of which a signal may make several.
//
// files are what the process has brought. In exec the container's processes see it by then, and may
// have made it bring nothing.
func SendListener(s *specs.LinuxSeccomp, state *specs.State, pid int, files []*os.File) error {
	const place = "linux.seccomp.listenerPath"
	if len(files) != 1 {
		return fmt.Errorf("%s: the process has brought %d descriptors, not the listener alone", place, len(files))
	}
	text, err := json.Marshal(&specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: pid, Metadata: s.ListenerMetadata, State: *state,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	conn, err := unixsock.Dial(s.ListenerPath)
	if err != nil {
		return fmt.Errorf("%s: nobody listens there: %w", place, err)
	}
	defer conn.Close()
	rights := unix.UnixRights(int(files[0].Fd()))
	for len(text) > 0 {
		n, err := unix.SendmsgN(int(conn.Fd()), text, rights, nil, unix.MSG_NOSIGNAL)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("%s: send the listener: %w", place, err)
		}
		if n > 0 {
			text, rights = text[n:], nil
		}
	}
	return nil
}
