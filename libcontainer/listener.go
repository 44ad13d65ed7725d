package libcontainer

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/console"
)

// sendListener hands the descriptor of SCMP_ACT_NOTIFY to the agent at listenerPath, with the state that the specification wants
// ("Container Process State"). The JSON goes in one message with the descriptor.
func sendListener(s *specs.LinuxSeccomp, state *specs.State, pid int, listener *os.File) error {
	const place = "linux.seccomp.listenerPath"
	text, err := json.Marshal(&specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: pid, Metadata: s.ListenerMetadata, State: *state,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	conn, err := console.Dial(s.ListenerPath)
	if err != nil {
		return fmt.Errorf("%s: nobody listens there: %w", place, err)
	}
	defer conn.Close()
	if err := unix.Sendmsg(int(conn.Fd()), text, unix.UnixRights(int(listener.Fd())), nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("%s: send the listener: %w", place, err)
	}
	return nil
}
