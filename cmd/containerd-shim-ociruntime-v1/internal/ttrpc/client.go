package ttrpc

import (
	"bufio"
	"fmt"
	"net"
	"time"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/wire"
)

// answerSize is the size of a client's buffer. Answers without a message have four bytes.
const answerSize = 64

// Client makes calls on a connection, one after the other. After an error that is no *Error it can
// only be closed.
type Client struct {
	conn net.Conn
	r    *bufio.Reader
	last uint32 // call
}

// NewClient is a client at one end of a connection.
func NewClient(conn net.Conn) *Client {
	return &Client{conn: conn, r: bufio.NewReaderSize(conn, answerSize)}
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Call makes a call, with a name and a value that go along, and waits for the answer at most for a
// time.
func (c *Client) Call(patience time.Duration, service, method, name, value string, question, answer any) error {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	stream := c.next()
	err := writeFrame(c.conn, stream, typeRequest, &request{
		Service: service, Method: method, Payload: wire.Marshal(question), TimeoutNano: int64(patience), Metadata: []*datum{{name, value}},
	})
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	f, err := readFrame(c.r)
	if err == nil && (f.stream != stream || f.kind != typeResponse || f.tooLong) {
		err = fmt.Errorf("a frame of type %d for call %d came", f.kind, f.stream)
	}
	var r response
	if err == nil {
		err = wire.Unmarshal(f.body, &r)
	}
	if err == nil && r.Status != nil && Code(r.Status.Code) != OK {
		return &Error{Code(r.Status.Code), r.Status.Message}
	}
	if err == nil {
		err = wire.Unmarshal(r.Payload, answer)
	}
	if err != nil {
		return fmt.Errorf("answer to %s: %w", method, err)
	}
	return nil
}

// next is the number of the next call: they are odd.
func (c *Client) next() uint32 {
	if c.last == 0 {
		c.last = 1
	} else {
		c.last += 2
	}
	return c.last
}
