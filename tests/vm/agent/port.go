package main

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// port makes a blocking stream of a virtio-serial device, which the kernel wakes for changes only.
type port struct {
	f *os.File
	// patient waits for a host where there is none: the device reads as nothing then.
	patient bool
}

var errHungUp = errors.New("the host has hung up")

func openPort(device string) (*port, syscall.RawConn, error) {
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	raw, err := f.SyscallConn()
	return &port{f: f}, raw, err
}

// stream is a port as io.Reader and io.Writer.
type stream struct {
	*port
	raw syscall.RawConn
}

func (s *stream) Read(b []byte) (n int, err error) {
	wait := func(fd uintptr) bool {
		for {
			if n, err = unix.Read(int(fd), b); err != unix.EINTR {
				break
			}
		}
		return err != unix.EAGAIN && (n != 0 || err != nil || !s.patient)
	}
	if rerr := s.raw.Read(wait); rerr != nil {
		return 0, rerr
	}
	if err == nil && n == 0 {
		err = errHungUp
	}
	return max(n, 0), err
}

func (s *stream) Write(b []byte) (total int, err error) {
	for total < len(b) {
		var n int
		werr := s.raw.Write(func(fd uintptr) bool {
			n, err = unix.Write(int(fd), b[total:])
			return err != unix.EAGAIN
		})
		switch {
		case werr != nil:
			return total, werr
		case err == unix.EINTR:
		case err != nil:
			return total, err
		default:
			total += n
		}
	}
	return total, nil
}

// refuseWrites ends and fails the writes to a host that has gone away.
func (p *port) refuseWrites(yes bool) {
	var at time.Time
	if yes {
		at = time.Unix(1, 0)
	}
	_ = p.f.SetWriteDeadline(at)
}
