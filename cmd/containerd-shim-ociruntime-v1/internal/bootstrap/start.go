package bootstrap

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/ociruntime/ociruntime/libcontainer/kernel/entry"
)

// SocketFD is where the daemon finds the socket that start has made.
const SocketFD = 3

// Start sees to it that the group has a daemon, and gives its address. The socket listens before
// the daemon does, so that nobody has to wait for it. A new daemon is put into a cgroup, if one is
// named.
func Start(a *Args, m *Message, group, cgroup string) (address string, err error) {
	path, err := SocketPath(m.SocketDir, a.Address, a.Namespace, group)
	if err != nil {
		return "", err
	}
	address = "unix://" + path
	l, err := Listen(path)
	if err != nil {
		return "", err
	}
	if l != nil {
		defer l.Close()
		if err := spawn(a, m, l, cgroup); err != nil {
			os.Remove(path)
			return "", fmt.Errorf("start the daemon: %w", err)
		}
	}
	// containerd 1.x connects again by this file after its own restart.
	if err := writeFile("address", address); err != nil {
		return "", err
	}
	return address, nil
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
	err = adjustOOMScore(p.Pid)
	if err == nil && cgroup != "" {
		err = join(cgroup, p.Pid)
	}
	if err != nil {
		_ = p.Kill()
		_, _ = p.Wait()
		return err
	}
	return p.Release()
}

// environment is the daemon's. It runs on one processor, whatever containerd has found right: that
// is a thread and a tenth of its memory less, and it mostly waits for the kernel.
func environment(env []string, m *Message) []string {
	env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, entry.Variable+"=") })
	env = append(env, entry.Variable+"="+entry.Procs)
	if m.Events != "" {
		env = append(env, "TTRPC_ADDRESS="+m.Events)
	}
	return env
}

// adjustOOMScore has the kernel take the shim a little before containerd, and long before the
// containers of others.
func adjustOOMScore(pid int) error {
	const most = 1000
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", os.Getppid()))
	if err != nil {
		return err
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	err = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(min(score+1, most))), 0)
	if os.IsPermission(err) {
		return nil // without privileges it can only be made higher
	}
	return err
}
