package bootstrap

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/kernel/ahead"
)

// SocketFD is where a daemon that has been started anew finds its socket.
const SocketFD = 3

// Start sees to it that the group has a daemon, and gives its address. If this process is to be the
// daemon it gives the socket, too. That listens already, so that nobody has to wait for the daemon.
// A new daemon is put into a cgroup, if one is named.
func Start(a *Args, m *Message, group, cgroup string) (address string, l *net.UnixListener, err error) {
	path, err := SocketPath(m.SocketDir, a.Address, a.Namespace, group)
	if err != nil {
		return "", nil, err
	}
	address = "unix://" + path
	if l, err = Listen(path); err != nil {
		return "", nil, err
	}
	switch {
	case l == nil:
	case ahead.Parent() != 0:
		err = settle(cgroup)
	default:
		err = errors.Join(spawn(a, m, l, cgroup), l.Close())
		l = nil
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("start the daemon: %w", err), os.Remove(path))
	}
	// containerd 1.x connects again by this file after its own restart.
	return address, l, writeFile("address", address)
}

// Report ends the process that waits in our place, if there is one, with success. It fails when
// that is gone: containerd has given up, and killed it.
func Report() error {
	if ahead.Parent() == 0 {
		return nil
	}
	_, err := unix.Write(ahead.Parent(), []byte{0})
	if err = errors.Join(err, unix.Close(ahead.Parent())); err != nil {
		return fmt.Errorf("tell the process that containerd has started: %w", err)
	}
	return nil
}

// Detach lets go of the streams, whose end containerd waits for.
func Detach() error {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(null)
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		err = errors.Join(err, unix.Dup3(null, int(f.Fd()), 0))
	}
	return err
}

// settle makes this process what a daemon has to be.
func settle(cgroup string) error {
	if err := unix.Setpgid(0, 0); err != nil {
		return fmt.Errorf("make a process group: %w", err)
	}
	return place(os.Getpid(), cgroup)
}

// place puts a daemon where it belongs.
func place(pid int, cgroup string) error {
	err := adjustOOMScore(pid)
	if err == nil && cgroup != "" {
		err = join(cgroup, pid)
	}
	return err
}

// writeFile replaces a file of the bundle at once: containerd may read it at any time.
func writeFile(name, text string) error {
	temporary := "." + name
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, name)
}

// spawn starts the daemon by the program's path: by /proc/self/exe it would be called "exe", and
// tools look for containerd-shim.
func spawn(a *Args, m *Message, l *net.UnixListener, cgroup string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	socket, err := l.File()
	if err != nil {
		return err
	}
	defer socket.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	argv := []string{filepath.Base(self), "-namespace", a.Namespace, "-id", a.ID, "-address", a.Address}
	if a.Debug {
		argv = append(argv, "-debug")
	}
	env := environment(os.Environ(), m)
	p, err := os.StartProcess(self, argv, &os.ProcAttr{
		Env: env, Files: []*os.File{null, null, null, socket}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return err
	}
	if err := place(p.Pid, cgroup); err != nil {
		_ = p.Kill()
		_, _ = p.Wait()
		return err
	}
	return p.Release()
}

// environment is the daemon's. Its settings of Go are those of package ahead, whatever containerd
// has found right.
func environment(env []string, m *Message) []string {
	for _, v := range ahead.Variables() {
		name, _, _ := strings.Cut(v, "=")
		env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	env = append(env, ahead.Variables()...)
	if m.Events != "" {
		env = append(env, "TTRPC_ADDRESS="+m.Events)
	}
	return env
}

// adjustOOMScore has the kernel take the shim a little before containerd, whose score it has so
// far, and long before the containers of others.
func adjustOOMScore(pid int) error {
	const most = 1000
	name := fmt.Sprintf("/proc/%d/oom_score_adj", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	err = os.WriteFile(name, []byte(strconv.Itoa(min(score+1, most))), 0)
	if os.IsPermission(err) {
		return nil // without privileges it can only be made higher
	}
	return err
}
