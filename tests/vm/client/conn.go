package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/vm/wire"
)

// conn is a connection on which a command runs.
type conn struct {
	in  *bufio.Reader
	out *wire.Writer
}

// dial takes a free port of the machine and starts the command on it.
func dial(run string, rq *wire.Request, deadline time.Time) (*conn, error) {
	for {
		path := freePort(run)
		if path != "" {
			return request(path, rq, deadline)
		}
		if err := alive(run); err != nil {
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("no free port in %s", run)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// freePort locks a port for as long as this process lives.
func freePort(run string) string {
	ports, _ := filepath.Glob(filepath.Join(run, "port.*.sock"))
	for _, path := range ports {
		fd, err := unix.Open(path+".lock", unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err != nil {
			continue
		}
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			return path
		}
		unix.Close(fd)
	}
	return ""
}

func alive(run string) error {
	text, err := os.ReadFile(filepath.Join(run, "pid"))
	if err != nil {
		return nil // it is starting
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil && unix.Kill(pid, 0) == unix.ESRCH {
		return errors.New("the machine is not running")
	}
	return nil
}

// request sends the request until it is answered: a guest that is still starting reads nothing.
func request(path string, rq *wire.Request, deadline time.Time) (*conn, error) {
	for try := time.Duration(0); ; try++ {
		until := time.Now().Add((10 + 5*try) * time.Second)
		c, err := attempt(path, rq, until)
		if err == nil {
			return c, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("no answer from the machine: %w", err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func attempt(path string, rq *wire.Request, until time.Time) (*conn, error) {
	c, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(until)
	rq.Now = time.Now().UnixNano()
	text, err := json.Marshal(rq)
	nonce := fmt.Sprintf("%016x", rand.Uint64())
	if err == nil {
		_, err = c.Write(append(fmt.Appendf(nil, "\x00VMEXEC %s %d\n", nonce, len(text)), text...))
	}
	in := bufio.NewReaderSize(c, 64<<10)
	for want := "VMREPLY " + nonce + "\n"; err == nil; {
		if _, err = in.ReadBytes(0); err != nil {
			break
		}
		if got, perr := in.Peek(len(want)); perr == nil && string(got) == want {
			_, _ = in.Discard(len(want))
			return &conn{in, &wire.Writer{W: c}}, c.SetDeadline(time.Time{})
		}
	}
	c.Close()
	return nil, err
}

// run passes everything on, both ways, until the command has ended.
func (c *conn) run(limit time.Duration, noInput bool) (code int, err error) {
	if noInput {
		_ = c.out.Frame(wire.StdinEOF, nil)
	} else {
		go func() {
			_, _ = io.Copy(c.out.Stream(wire.Stdin), os.Stdin)
			_ = c.out.Frame(wire.StdinEOF, nil)
		}()
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	go func() {
		for s := range signals {
			_ = c.out.Frame(wire.Signal, []byte{byte(s.(unix.Signal))})
		}
	}()
	var late atomic.Bool
	if limit > 0 {
		time.AfterFunc(limit, func() {
			late.Store(true)
			_ = c.out.Frame(wire.Signal, []byte{byte(unix.SIGKILL)})
			time.Sleep(10 * time.Second)
			fmt.Fprintln(os.Stderr, "vm: out of time, and the command does not die")
			os.Exit(exitTimeout)
		})
	}
	code, err = c.follow()
	if late.Load() {
		return exitTimeout, errors.New("out of time")
	}
	return code, err
}

func (c *conn) follow() (code int, err error) {
	for {
		kind, payload, err := wire.Read(c.in)
		if err != nil {
			return exitMachine, fmt.Errorf("the machine hung up: %w", err)
		}
		switch kind {
		case wire.Stdout:
			_, _ = os.Stdout.Write(payload)
		case wire.Stderr:
			_, _ = os.Stderr.Write(payload)
		case wire.Exit:
			_ = c.out.Frame(wire.Bye, nil)
			return int(binary.BigEndian.Uint32(payload)), nil
		}
	}
}
