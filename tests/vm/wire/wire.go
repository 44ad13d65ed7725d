// Package wire is what the client on the host and the agent in the guest say to each other on a
// virtio-serial port.
//
// The client begins with a NUL byte, "VMEXEC <nonce> <length>\n" and a Request in JSON; the agent
// answers with a NUL byte and "VMREPLY <nonce>\n". A port keeps what a client that went away has
// left in it, so each side skips everything up to a NUL byte and the words that it waits for.
// Frames follow in both directions: a type, a length in 4 bytes (big endian), the payload.
package wire

import (
	"encoding/binary"
	"io"
	"sync"
)

// Types of frames. None is 0, since a NUL byte where a type is due begins a new request.
const (
	Stdout = 1
	Stderr = 2
	Exit   = 3 // payload: the exit status in 4 bytes; the agent's last

	Stdin    = 10
	StdinEOF = 11
	Signal   = 12 // payload: the signal in one byte
	Bye      = 13 // the client has everything: the port is free
)

// Request is a command to run in the guest.
type Request struct {
	Args []string
	Env  []string // NAME=VALUE, beside the defaults
	Dir  string   // the user's home directory when empty
	User string   // root when empty
	Now  int64    // the host's clock in nanoseconds: a restored guest's stands still
	// Share is a 9p tag to mount at ShareAt before the command, unless something is mounted there.
	Share, ShareAt string
}

// Writer writes frames, each as a whole.
type Writer struct {
	W  io.Writer
	mu sync.Mutex
}

// Frame writes one frame.
func (w *Writer) Frame(kind byte, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := make([]byte, 5, 5+len(payload))
	b[0] = kind
	binary.BigEndian.PutUint32(b[1:], uint32(len(payload)))
	_, err := w.W.Write(append(b, payload...))
	return err
}

// Stream is a writer whose bytes become frames of one type.
func (w *Writer) Stream(kind byte) io.Writer { return stream{w, kind} }

type stream struct {
	w    *Writer
	kind byte
}

func (s stream) Write(b []byte) (int, error) {
	if err := s.w.Frame(s.kind, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Read reads one frame. A NUL byte in place of its type is returned as type 0.
func Read(r io.Reader) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err = io.ReadFull(r, head[:1]); err != nil || head[0] == 0 {
		return 0, nil, err
	}
	if _, err = io.ReadFull(r, head[1:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}
