package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/vm/wire"
)

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

var (
	preparing sync.Mutex
	commands  atomic.Int64
)

// prepare sets the clock and mounts the share.
func prepare(rq *wire.Request) error {
	preparing.Lock()
	defer preparing.Unlock()
	if d := time.Until(time.Unix(0, rq.Now)); rq.Now != 0 && d.Abs() > time.Second {
		tv := unix.NsecToTimeval(rq.Now)
		_ = unix.Settimeofday(&tv)
	}
	if rq.Share == "" || mounted(rq.ShareAt) {
		return nil
	}
	if err := os.MkdirAll(rq.ShareAt, 0o755); err != nil {
		return err
	}
	const options = "trans=virtio,version=9p2000.L,msize=524288,cache=mmap,posixacl"
	if err := unix.Mount(rq.Share, rq.ShareAt, "9p", 0, options); err != nil {
		return fmt.Errorf("mount the host's folder: %w", err)
	}
	return nil
}

func mounted(at string) bool {
	text, _ := os.ReadFile("/proc/self/mounts")
	return strings.Contains(string(text), " "+at+" ")
}

// command makes a process of a request, in a cgroup of its own.
func command(rq *wire.Request) (cmd *exec.Cmd, cgroup string, err error) {
	who := &user.User{Uid: "0", Gid: "0", Username: "root", HomeDir: "/root"}
	base := ownCgroup()
	cmd = &exec.Cmd{SysProcAttr: &syscall.SysProcAttr{Setsid: true}, Args: rq.Args, Dir: rq.Dir, WaitDelay: 300 * time.Millisecond}
	if rq.User != "" && rq.User != "root" {
		if who, err = user.Lookup(rq.User); err != nil {
			return nil, "", err
		}
		cmd.SysProcAttr.Credential = credential(who)
		base = fmt.Sprintf("/sys/fs/cgroup/user.slice/user-%s.slice/user@%s.service", who.Uid, who.Uid)
	}
	if cmd.Dir == "" {
		cmd.Dir = who.HomeDir
	}
	cmd.Env = []string{searchPath, "LANG=C.UTF-8", "TERM=dumb", "HOME=" + who.HomeDir, "USER=" + who.Username, "LOGNAME=" + who.Username}
	if run := "/run/user/" + who.Uid; mounted(run) {
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+run, "DBUS_SESSION_BUS_ADDRESS=unix:path="+run+"/bus")
	}
	cmd.Env = append(cmd.Env, rq.Env...)
	// The agent has no PATH to look in but this one.
	if cmd.Path, err = exec.LookPath(rq.Args[0]); err != nil {
		return nil, "", err
	}
	return cmd, makeCgroup(base, cmd.SysProcAttr), nil
}

func credential(who *user.User) *syscall.Credential {
	number := func(s string) uint32 { n, _ := strconv.ParseUint(s, 10, 32); return uint32(n) }
	c := &syscall.Credential{Uid: number(who.Uid), Gid: number(who.Gid)}
	groups, _ := who.GroupIds()
	for _, g := range groups {
		c.Groups = append(c.Groups, number(g))
	}
	return c
}

// ownCgroup is the delegated cgroup of the agent's service, above the subgroup that the agent is
// in.
func ownCgroup() string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	return "/sys/fs/cgroup" + strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(text)), "0::"), "/agent")
}

// makeCgroup has the command born in a cgroup below base, with the controllers that are delegated;
// all of the command can be killed there.
func makeCgroup(base string, attr *syscall.SysProcAttr) string {
	for _, name := range []string{"cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma", "misc"} {
		_ = os.WriteFile(base+"/cgroup.subtree_control", []byte("+"+name), 0)
	}
	dir := filepath.Join(base, fmt.Sprintf("vmexec-%d", commands.Add(1)))
	if os.MkdirAll(dir, 0o755) != nil {
		return ""
	}
	if c := attr.Credential; c != nil {
		for _, name := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
			_ = os.Chown(filepath.Join(dir, name), int(c.Uid), int(c.Gid))
		}
	}
	if fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		attr.UseCgroupFD, attr.CgroupFD = true, fd
	}
	return dir
}
