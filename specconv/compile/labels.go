package compile

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// labels sets what the security modules apply at execve. The files are written by the process
// itself, through the verified procfs.
func (c *compiler) labels(p *specs.Process) error {
	if l := p.ApparmorProfile; l != "" {
		if !c.in.Facts.AppArmor {
			return fmt.Errorf("process.apparmorProfile: %s: this kernel has AppArmor switched off or lacks it", l)
		}
		c.appArmor(l)
	}
	if l := p.SelinuxLabel; l != "" {
		if !c.in.Facts.SELinux {
			return fmt.Errorf("process.selinuxLabel: %s: SELinux is switched off or this kernel lacks it", l)
		}
		c.Step("process.selinuxLabel", "change to the SELinux label "+l+" on exec", c.writeProc("self/attr/exec", l)...)
	}
	if c.lin.MountLabel != "" && !c.in.Facts.SELinux {
		return fmt.Errorf("linux.mountLabel: %s: SELinux is switched off or this kernel lacks it", c.lin.MountLabel)
	}
	return nil
}

// appArmor has a profile applied at execve. A profile that nobody has loaded is ENOENT: not with
// the kernel's words, which engines take for a missing command.
func (c *compiler) appArmor(profile string) {
	ops, written := c.writeProc("self/attr/apparmor/exec", "exec "+profile), c.tmp()
	ops[1] = ops[1].Into(written).Allowing(unix.ENOENT)
	c.Step("process.apparmorProfile", "change to the AppArmor profile "+profile+" on exec", append(ops,
		plan.FailWith(unix.ENOENT).When(written.Failed()).Says("process.apparmorProfile: the AppArmor profile "+profile+" is not loaded."))...)
}

// keyLabel gives the keys that are made from here on the process's SELinux label. execve takes it
// back.
func (c *compiler) keyLabel() {
	if p := c.spec.Process; p != nil && p.SelinuxLabel != "" && c.in.Facts.SELinux {
		c.Step("process.selinuxLabel", "give the session keyring the SELinux label "+p.SelinuxLabel,
			c.writeProc("self/attr/keycreate", p.SelinuxLabel)...)
	}
}

// context labels all files of a file system that is about to be made with linux.mountLabel.
func (c *compiler) context(fs plan.Arg, fstype string) []plan.Op {
	if c.lin.MountLabel == "" || !c.takesContext(fstype) {
		return nil
	}
	return []plan.Op{plan.FsString(fs, "context", c.lin.MountLabel)}
}

// takesContext reports whether a new mount of a file system takes SELinux's context option. Where
// the kernel has one file system for all mounts this is labelled already, and another label is
// EINVAL. In a user namespace the kernel takes the option for a few only (EACCES for the rest).
func (c *compiler) takesContext(fstype string) bool {
	switch fstype {
	case "tmpfs", "ramfs", "devpts", "overlay":
		return true
	case "proc", "sysfs", "mqueue", "cgroup", "cgroup2", "devtmpfs", "securityfs", "debugfs", "tracefs", "pstore", "efivarfs", "configfs":
		return false
	}
	return !c.ns.has(unix.CLONE_NEWUSER)
}

// relabel gives linux.mountLabel to the root of an mqueue, which belongs to the ipc namespace and
// was made with it.
func (c *compiler) relabel(m plan.Reg, fstype string) []plan.Op {
	l := c.lin.MountLabel
	if l == "" || fstype != "mqueue" {
		return nil
	}
	dir := c.tmp()
	return []plan.Op{
		plan.OpenFile(plan.Val(m), ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS).Into(dir),
		plan.Sys(plan.SysFsetxattr, plan.Val(dir), plan.Str("security.selinux"), plan.Bytes([]byte(l), l), plan.Num(int64(len(l))), plan.Num(0)),
		plan.Close(plan.Val(dir)),
	}
}

// unquote takes the quotes off a label in mount options: mount(2) wants them there for the commas,
// fsconfig(2) takes the label as it is.
func unquote(key, value string) string {
	switch key {
	case "context", "fscontext", "defcontext", "rootcontext":
		return strings.Trim(value, `"`)
	}
	return value
}
