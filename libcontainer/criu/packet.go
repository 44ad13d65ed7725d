package criu

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// packetSize is more than criu's answers have: one message is one packet.
const packetSize = 64 << 10

// filesLimit is how many descriptors may come with a packet.
const filesLimit = 4

// roundTrip sends a packet and receives the next. When ctx ends first, criu is killed: it takes
// back by itself what it has begun only as long as it lives, so its caller has to look.
func (w *Worker) roundTrip(ctx context.Context, req *rpc.CriuReq) (*rpc.CriuResp, []*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, context.Cause(ctx)
	}
	stop := context.AfterFunc(ctx, w.Kill)
	defer stop()
	data, err := req.MarshalVT()
	if err != nil {
		return nil, nil, fmt.Errorf("put together a message to criu: %w", err)
	}
	resp, files, err := w.exchange(data)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return resp, files, err
}

func (w *Worker) exchange(data []byte) (*rpc.CriuResp, []*os.File, error) {
	if _, err := w.sock.Write(data); err != nil {
		return nil, nil, w.gone(err)
	}
	buf, control := make([]byte, packetSize), make([]byte, unix.CmsgSpace(4*filesLimit))
	n, controlLen, flags, err := w.receive(buf, control)
	if err != nil {
		return nil, nil, w.gone(err)
	}
	files, err := received(control[:controlLen])
	switch {
	case err != nil:
		return nil, files, fmt.Errorf("read a message of criu: %w", err)
	case n == 0:
		return nil, files, w.gone(nil)
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		return nil, files, errors.New("read a message of criu: it is too long")
	}
	resp := &rpc.CriuResp{}
	if err := resp.UnmarshalVT(buf[:n]); err != nil {
		return nil, files, fmt.Errorf("read a message of criu: %w", err)
	}
	return resp, files, nil
}

// receive waits in Go's poller.
func (w *Worker) receive(buf, control []byte) (n, controlLen, flags int, err error) {
	raw, err := w.sock.SyscallConn()
	if err != nil {
		return 0, 0, 0, err
	}
	var recvErr error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, controlLen, flags, _, recvErr = unix.Recvmsg(int(fd), buf, control, unix.MSG_CMSG_CLOEXEC)
			if recvErr != unix.EINTR {
				return recvErr != unix.EAGAIN
			}
		}
	})
	return n, controlLen, flags, errors.Join(err, recvErr)
}

func received(control []byte) (files []*os.File, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "of criu"))
		}
	}
	return files, nil
}

// gone is the error of a criu that has closed the socket.
func (w *Worker) gone(cause error) error {
	if cause != nil && !errors.Is(cause, unix.EPIPE) && !errors.Is(cause, unix.ECONNRESET) {
		return fmt.Errorf("talk to criu: %w", cause)
	}
	w.Kill()
	return fmt.Errorf("%s ended in the middle of a request (does `criu check` work?)", w.path)
}
