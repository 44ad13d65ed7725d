// Package ttrpc is as much of containerd's protocol for calls as a shim needs
// (github.com/containerd/ttrpc, PROTOCOL.md): calls with one request and one answer each, served on
// a socket, or made one after the other.
//
// A connection that waits for calls costs a goroutine and a small buffer here, and a call one
// goroutine; a client costs neither. The daemon has a connection for each container.
package ttrpc

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/wire"
)

// Code is the kind of an error, in the numbers of gRPC.
type Code int32

const (
	OK                 Code = 0
	Canceled           Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Unimplemented      Code = 12
	Internal           Code = 13
)

// Error is the refusal of a call.
type Error struct {
	Code Code
	Text string
}

func (e *Error) Error() string { return e.Text }

// A frame is a head and a body: the body's length, the number of the call, type and flags.
const (
	headSize = 10
	streamAt = 4
	typeAt   = 8
	maxBody  = 4 << 20

	typeRequest  = 1
	typeResponse = 2
	typeData     = 3
)

type (
	request struct {
		Service     string   `pb:"1"`
		Method      string   `pb:"2"`
		Payload     []byte   `pb:"3"`
		TimeoutNano int64    `pb:"4"`
		Metadata    []*datum `pb:"5"`
	}

	datum struct {
		Key   string `pb:"1"`
		Value string `pb:"2"`
	}

	response struct {
		Status  *status `pb:"1"`
		Payload []byte  `pb:"2"`
	}

	status struct {
		Code    int32  `pb:"1"`
		Message string `pb:"2"`
	}
)

// frame is what has been read.
type frame struct {
	stream  uint32
	kind    byte
	body    []byte
	tooLong bool // and passed over
}

// readFrame reads the next frame. Its body is its reader's.
func readFrame(r *bufio.Reader) (f frame, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	length := binary.BigEndian.Uint32(head[:])
	f.stream, f.kind = binary.BigEndian.Uint32(head[streamAt:]), head[typeAt]
	if length > maxBody {
		f.tooLong = true
		_, err = io.CopyN(io.Discard, r, int64(length))
		return f, err
	}
	f.body = make([]byte, length)
	_, err = io.ReadFull(r, f.body)
	return f, err
}

// errTooLong is a message that the protocol does not allow.
var errTooLong = fmt.Errorf("the message has more than %d bytes", maxBody)

// writeFrame writes a frame at once.
func writeFrame(conn net.Conn, stream uint32, kind byte, m any) error {
	body := wire.Marshal(m)
	if len(body) > maxBody {
		return errTooLong
	}
	text := make([]byte, headSize, headSize+len(body))
	binary.BigEndian.PutUint32(text, uint32(len(body)))
	binary.BigEndian.PutUint32(text[streamAt:], stream)
	text[typeAt] = kind
	_, err := conn.Write(append(text, body...))
	return err
}
