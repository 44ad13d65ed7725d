// Command agent runs in the test machine. It serves commands from the host on the virtio-serial
// ports named vm.0, vm.1, …, one at a time on each.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/vm/wire"
)

func main() {
	_ = os.Setenv("PATH", strings.TrimPrefix(searchPath, "PATH="))
	var all sync.WaitGroup
	found := false
	for try := 0; try < 100 && !found; try++ {
		ports, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, file := range ports {
			name, _ := os.ReadFile(file)
			if !bytes.HasPrefix(name, []byte("vm.")) {
				continue
			}
			found = true
			all.Go(func() { serve("/dev/" + filepath.Base(filepath.Dir(file))) })
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !found {
		fmt.Fprintln(os.Stderr, "agent: no ports of the host's here")
		os.Exit(1)
	}
	ready()
	all.Wait()
}

// ready tells systemd (sd_notify(3)).
func ready() {
	address := os.Getenv("NOTIFY_SOCKET")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if address == "" || err != nil {
		return
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, []byte("READY=1"), 0, &unix.SockaddrUnix{Name: address}); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
	}
}

func serve(device string) {
	p, raw, err := openPort(device)
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		return
	}
	conn := &stream{p, raw}
	in := bufio.NewReaderSize(conn, 64<<10)
	begun := false // the NUL byte of the next request has been read
	for {
		p.patient = true
		if !begun {
			if _, err := in.ReadBytes(0); err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
		}
		begun, p.patient = false, false
		p.refuseWrites(false)
		if nonce, rq, err := readRequest(in); err == nil {
			s := &session{port: p, in: in, out: &wire.Writer{W: conn}}
			if _, err := conn.Write([]byte("\x00VMREPLY " + nonce + "\n")); err == nil {
				begun = s.run(rq)
			}
		}
	}
}

func readRequest(in *bufio.Reader) (nonce string, rq *wire.Request, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", nil, err
	}
	const most = 8 << 20
	var n int
	if _, err = fmt.Sscanf(line, "VMEXEC %s %d", &nonce, &n); err != nil || n > most {
		return "", nil, fmt.Errorf("no request: %q", line)
	}
	text := make([]byte, n)
	if _, err = io.ReadFull(in, text); err != nil {
		return "", nil, err
	}
	rq = &wire.Request{}
	return nonce, rq, json.Unmarshal(text, rq)
}

// session is one command on a port.
type session struct {
	port   *port
	in     *bufio.Reader
	out    *wire.Writer
	cmd    *exec.Cmd
	cgroup string
}

// Exit codes of the agent's own, as a shell has them.
const (
	exitAgent    = 125
	exitNotFound = 127
)

// run serves one request, and returns when the client has said goodbye or is gone. begun: it has
// begun another one without a word.
func (s *session) run(rq *wire.Request) (begun bool) {
	stdin, code, err := s.start(rq)
	gone := make(chan struct{})
	go func() {
		begun = s.follow(stdin)
		s.port.refuseWrites(true)
		close(gone)
	}()
	if err != nil {
		_ = s.out.Frame(wire.Stderr, []byte("agent: "+err.Error()+"\n"))
	} else {
		code = s.wait(gone)
	}
	_ = s.out.Frame(wire.Exit, binary.BigEndian.AppendUint32(nil, uint32(code)))
	<-gone
	return begun
}

func (s *session) start(rq *wire.Request) (stdin io.WriteCloser, code int, err error) {
	if len(rq.Args) == 0 {
		return nil, exitAgent, errors.New("no command")
	}
	if err := prepare(rq); err != nil {
		return nil, exitAgent, err
	}
	cmd, cgroup, err := command(rq)
	if err != nil {
		return nil, exitNotFound, err
	}
	cmd.Stdout, cmd.Stderr = s.out.Stream(wire.Stdout), s.out.Stream(wire.Stderr)
	if stdin, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if fd := cmd.SysProcAttr; fd.UseCgroupFD {
		unix.Close(fd.CgroupFD)
	}
	if err != nil {
		return nil, exitAgent + 1, err
	}
	s.cmd, s.cgroup = cmd, cgroup
	return stdin, 0, nil
}

// wait returns the command's exit status; a command whose client is gone is killed.
func (s *session) wait(gone chan struct{}) int {
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case <-done:
	case <-gone:
		s.signal(unix.SIGKILL)
		<-done
	}
	if s.cgroup != "" {
		_ = os.Remove(s.cgroup)
	}
	status, _ := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func (s *session) signal(sig unix.Signal) {
	if s.cmd == nil {
		return
	}
	if sig == unix.SIGKILL && s.cgroup != "" && os.WriteFile(s.cgroup+"/cgroup.kill", []byte("1"), 0) == nil {
		return
	}
	_ = unix.Kill(-s.cmd.Process.Pid, sig)
}

// follow carries out what the client sends, until it says goodbye, goes away or begins anew.
func (s *session) follow(stdin io.WriteCloser) (begun bool) {
	for {
		kind, payload, err := wire.Read(s.in)
		switch {
		case err != nil || kind == wire.Bye:
			return false
		case kind == 0:
			return true
		case kind == wire.Signal && len(payload) == 1:
			s.signal(unix.Signal(payload[0]))
		case stdin == nil:
		case kind == wire.Stdin:
			_, _ = stdin.Write(payload)
		case kind == wire.StdinEOF:
			stdin.Close()
		}
	}
}
