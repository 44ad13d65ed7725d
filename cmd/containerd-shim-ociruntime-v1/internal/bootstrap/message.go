package bootstrap

import (
	"fmt"
	"io"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
)

// maxMessage is more than any containerd sends.
const maxMessage = 4 << 20

// Message is what containerd sends to start on stdin.
type Message struct {
	// New says that it came as a BootstrapParams (containerd 2.3), and that the answer has to be of
	// that kind, too. Before, there were the runtime options alone.
	New       bool
	Options   *api.Any
	Events    string // address of containerd's ttrpc socket, if it is said here
	SocketDir string
}

// ReadMessage reads the message. Its two kinds can be read as each other, so that the newer one is
// known by id and namespace, which have to be those of the command line.
func ReadMessage(r io.Reader, a *Args) (*Message, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxMessage+1))
	if err != nil {
		return nil, fmt.Errorf("read the message on stdin: %w", err)
	}
	if len(data) > maxMessage {
		return nil, fmt.Errorf("read the message on stdin: it has more than %d bytes", maxMessage)
	}
	if len(data) == 0 {
		return &Message{}, nil
	}
	var p api.BootstrapParams
	if p.UnmarshalVT(data) == nil && p.GetInstanceId() == a.ID && p.GetNamespace() == a.Namespace {
		m := &Message{New: true, Events: p.GetContainerdTtrpcAddress(), SocketDir: p.GetSocketDir()}
		for _, e := range p.GetExtensions() {
			switch name := e.GetValue().MessageName(); name {
			case "containerd.runc.v1.Options", "runtimeoptions.v1.Options":
				m.Options = e.GetValue()
			}
		}
		return m, nil
	}
	var options api.Any
	if err := options.UnmarshalVT(data); err != nil {
		return nil, fmt.Errorf("the message on stdin: %w", err)
	}
	return &Message{Options: &options}, nil
}

// Answer is what start prints. Version 3 is what containerd 2 calls the protocol with one shim for
// a pod; 1.7 refuses the number, and takes a bare address as version 2.
func (m *Message) Answer(address string) ([]byte, error) {
	if !m.New {
		return []byte(address), nil
	}
	return (&api.BootstrapResult{Version: 3, Address: address, Protocol: "ttrpc"}).MarshalVT()
}
