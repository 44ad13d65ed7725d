package compile

import (
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// terminal opens a pseudo-terminal in the container's own devpts, sends its master away and makes
// the slave the stdio. The slave comes from the master by ioctl and not by a path, which the image
// could have prepared (CVE-2025-52565).
func (c *compiler) terminal() error {
	p := c.spec.Process
	if p == nil || !p.Terminal {
		return nil
	}
	c.Group = plan.Process
	master, slave := c.Reg(), c.Reg()
	m, s := plan.Val(master), plan.Val(slave)
	st := c.statxBuf()
	ops := []plan.Op{
		plan.OpenNoLinks(plan.Val(c.root), "dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY).Into(master),
		statx(master, st), assertMode(st, unix.S_IFCHR), assertDevice(st, 5, 2),
		plan.Ioctl(m, unix.TIOCSPTLCK, "TIOCSPTLCK", plan.Bytes(make([]byte, 4), "&0")),
		plan.Ioctl(m, unix.TIOCGPTPEER, "TIOCGPTPEER", plan.Int(unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, "O_RDWR|O_NOCTTY|O_CLOEXEC")).Into(slave),
	}
	if z := p.ConsoleSize; z != nil {
		ops = append(ops, plan.Ioctl(m, unix.TIOCSWINSZ, "TIOCSWINSZ", plan.Bytes(plan.Winsize(uint16(z.Height), uint16(z.Width)), "window size")))
	}
	// Group 5 or whatever the devpts mount says stays. A user who isn't mapped can't own it.
	ops = append(ops, plan.Sys(plan.SysFchown, s, plan.Num(int64(p.User.UID)), plan.Int(-1, "same")))
	c.Step("process.terminal", "open a terminal in the container's devpts", ops...)
	if c.ns.has(unix.CLONE_NEWNS) && !c.joining {
		c.bindConsole(slave)
	}
	hdr, ctl := c.RightsMessage("console", "/dev/pts/ptmx", 1)
	c.Step("process.terminal", "send the terminal's master to the console socket and use the slave as stdio",
		plan.StoreFD(ctl.Off(plan.RightsFD), m),
		plan.Sendmsg(c.File(plan.File{Name: FileConsole, From: "process.terminal"}), hdr),
		plan.Close(m),
		plan.Sys(plan.SysDup3, s, plan.Num(0), plan.Num(0)),
		plan.Sys(plan.SysDup3, s, plan.Num(1), plan.Num(0)),
		plan.Sys(plan.SysDup3, s, plan.Num(2), plan.Num(0)),
		plan.Close(s))
	if !c.appears {
		c.Do(controlTerminal())
	}
	c.Group = plan.Rootfs
	return nil
}

// controlTerminal makes stdio the terminal of the session that the process leads.
func controlTerminal() plan.Op {
	return plan.Ioctl(plan.Num(0), unix.TIOCSCTTY, "TIOCSCTTY", plan.Num(0))
}

// bindConsole mounts the terminal's slave on /dev/console.
func (c *compiler) bindConsole(slave plan.Reg) {
	tree := c.tmp()
	target, ops := c.target("/dev/console", false, noLinks)
	ops = append(ops,
		plan.OpenTreeClone(plan.Val(slave), "", false).Into(tree),
		plan.MoveMount(plan.Val(tree), plan.Val(target)),
		plan.Close(plan.Val(tree)), plan.Close(plan.Val(target)))
	c.Step("process.terminal", "mount the terminal on /dev/console", ops...)
}

// nullStdio opens those of the descriptors 0, 1 and 2 anew that are the host's /dev/null: the
// container's own takes their place.
func (c *compiler) nullStdio() error {
	if c.spec.Process != nil && c.spec.Process.Terminal {
		return nil
	}
	t := c.tmp()
	st := c.statxBuf()
	ops := []plan.Op{
		plan.OpenNoLinks(plan.Val(c.root), "dev/null", unix.O_RDWR|unix.O_NOFOLLOW).Into(t).
			Allowing(unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EACCES, unix.ENXIO),
		statx(t, st).When(t.OK()),
		assertDevice(st, 1, 3).When(t.OK()),
	}
	n := 0
	for i, s := range c.in.Facts.Stdio {
		if s.Null {
			ops = append(ops, plan.Sys(plan.SysDup3, plan.Val(t), plan.Num(int64(i)), plan.Num(0)).When(t.OK()))
			n++
		}
	}
	if n > 0 {
		c.Step("default", "use the container's /dev/null where stdio is the host's", append(ops, plan.Close(plan.Val(t)).When(t.OK()))...)
	}
	return nil
}
