package compile

import (
	"fmt"
	"math/bits"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// capSets are the five sets of process.capabilities as masks; given is false where config.json has
// no capabilities object, and the process keeps what the runtime has.
type capSets struct {
	given                                                bool
	bounding, effective, permitted, inheritable, ambient uint64
}

// capabilitySets takes from each set what the kernel can give. The spec wants a warning for the
// rest, not an error.
func (c *compiler) capabilitySets(p *specs.Process) capSets {
	if p.Capabilities == nil {
		return capSets{}
	}
	known := uint64(1)<<(c.in.Facts.LastCap+1) - 1
	bounding, permitted := known, known
	if !c.ns.has(unix.CLONE_NEWUSER) {
		// A new user namespace gives its first process every capability; without one, ours are the
		// limit.
		bounding, permitted = c.in.Facts.Bounding, c.in.Facts.Permitted
	}
	s := capSets{given: true}
	l := p.Capabilities
	for _, set := range []struct {
		name  string
		names []string
		limit uint64
		to    *uint64
	}{
		{"bounding", l.Bounding, bounding, &s.bounding},
		{"effective", l.Effective, permitted, &s.effective},
		{"permitted", l.Permitted, permitted, &s.permitted},
		{"inheritable", l.Inheritable, bounding, &s.inheritable},
		{"ambient", l.Ambient, bounding & permitted, &s.ambient},
	} {
		mask, _ := names.CapabilityMask(set.names)
		if lost := mask &^ set.limit; lost != 0 {
			c.warn("process.capabilities.%s: this host can't give %s", set.name, capabilityNames(lost))
		}
		*set.to = mask & set.limit
	}
	// The kernel refuses what these rules would leave out (capset(2), prctl(2)): say so instead of
	// failing.
	if lost := s.effective &^ s.permitted; lost != 0 {
		c.warn("process.capabilities.effective: %s is not in the permitted set", capabilityNames(lost))
		s.effective &= s.permitted
	}
	if lost := s.inheritable &^ s.bounding; lost != 0 {
		c.warn("process.capabilities.inheritable: %s is not in the bounding set", capabilityNames(lost))
		s.inheritable &= s.bounding
	}
	if lost := s.ambient &^ (s.permitted & s.inheritable); lost != 0 {
		c.warn("process.capabilities.ambient: %s is not in both the permitted and the inheritable set", capabilityNames(lost))
		s.ambient &= s.permitted & s.inheritable
	}
	return s
}

func capabilityNames(mask uint64) string {
	var s string
	for n := range 64 {
		if mask>>n&1 == 0 {
			continue
		}
		if s != "" {
			s += ", "
		}
		if name := names.CapabilityName(n); name != "" {
			s += name
		} else {
			s += fmt.Sprint(n)
		}
	}
	return s
}

// credentials is the order in which privileges can be given up: the bounding set while CAP_SETPCAP
// is there, groups before the user, and with KEEPCAPS the permitted set survives the change of user
// so that capset can pick from it.
func (c *compiler) credentials(p *specs.Process, caps capSets) {
	if caps.given {
		c.dropBounding(caps.bounding)
	}
	if p.NoNewPrivileges {
		c.Step("process.noNewPrivileges", "forbid new privileges on exec", plan.Prctl(unix.PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", plan.Num(1)))
	}
	c.Step("process.user", fmt.Sprintf("become user %d, group %d", p.User.UID, p.User.GID), c.user(p)...)
	if !caps.given {
		if c.adminForSeccomp(p) && p.User.UID != 0 {
			// The change of user has emptied the effective set, which the filter needs one of.
			// execve takes it away again.
			const admin = 1 << unix.CAP_SYS_ADMIN
			c.Step("linux.seccomp", "keep CAP_SYS_ADMIN for the seccomp filter", capset(capSets{effective: admin, permitted: admin}))
		}
		return
	}
	set := caps
	if c.adminForSeccomp(p) {
		// Without no_new_privs a filter can only be loaded with CAP_SYS_ADMIN, and it is loaded
		// last. See loadFilter for how it goes again.
		set.permitted |= 1 << unix.CAP_SYS_ADMIN
		set.effective |= 1 << unix.CAP_SYS_ADMIN
	}
	ops := []plan.Op{capset(set), plan.Prctl(unix.PR_CAP_AMBIENT, "PR_CAP_AMBIENT", plan.Int(unix.PR_CAP_AMBIENT_CLEAR_ALL, "CLEAR_ALL"))}
	for n := range 64 {
		if caps.ambient>>n&1 != 0 {
			ops = append(ops, plan.Prctl(unix.PR_CAP_AMBIENT, "PR_CAP_AMBIENT", plan.Int(unix.PR_CAP_AMBIENT_RAISE, "RAISE"), plan.Int(int64(n), names.CapabilityName(n))))
		}
	}
	c.Step("process.capabilities", "set the effective, permitted, inheritable and ambient capabilities", ops...)
}

func capset(s capSets) plan.Op {
	label := fmt.Sprintf("{effective %#x, permitted %#x, inheritable %#x}", s.effective, s.permitted, s.inheritable)
	return plan.Sys(plan.SysCapset, plan.Bytes(plan.CapHeader(), "version 3"), plan.Bytes(plan.CapData(s.effective, s.permitted, s.inheritable), label))
}

func (c *compiler) dropBounding(keep uint64) {
	have := c.in.Facts.Bounding
	if c.ns.has(unix.CLONE_NEWUSER) {
		have = uint64(1)<<(c.in.Facts.LastCap+1) - 1
	}
	ops := make([]plan.Op, 0, bits.OnesCount64(have&^keep))
	for n := range 64 {
		if have&^keep>>n&1 != 0 {
			ops = append(ops, plan.Prctl(unix.PR_CAPBSET_DROP, "PR_CAPBSET_DROP", plan.Int(int64(n), names.CapabilityName(n))))
		}
	}
	if len(ops) > 0 {
		c.Step("process.capabilities.bounding", "drop every other capability from the bounding set", ops...)
	}
}

// user changes groups and user. An empty list of groups clears those of the caller.
func (c *compiler) user(p *specs.Process) []plan.Op {
	u := &p.User
	var ops []plan.Op
	if u.UID != 0 {
		ops = append(ops, plan.Prctl(unix.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS", plan.Num(1)))
	}
	if c.spec.Annotations[names.KeepOriginalGroups] != "1" {
		op := plan.Sys(plan.SysSetgroups, plan.Num(int64(len(u.AdditionalGids))), plan.Bytes(plan.Uint32s(u.AdditionalGids...), fmt.Sprint(u.AdditionalGids)))
		if len(u.AdditionalGids) == 0 && (!c.in.Facts.Privileged || c.in.Facts.InUserNS) {
			// Without privileges the group map could only be written with setgroups denied; the
			// caller's groups then stay.
			op = op.Allowing(unix.EPERM)
		}
		ops = append(ops, op)
	}
	uid, gid := plan.Num(int64(u.UID)), plan.Num(int64(u.GID))
	return append(ops,
		plan.Sys(plan.SysSetresgid, gid, gid, gid),
		plan.Sys(plan.SysSetresuid, uid, uid, uid),
		// The change of user resets this to fs.suid_dumpable.
		plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"))
}

// tryCwd enters the working directory with the rights that the init still has: a directory may be
// closed to the user, who is to start there all the same. enterCwd tries again as the user, if this
// failed: root may be a stranger on a network file system or in a user namespace.
func (c *compiler) tryCwd(p *specs.Process) plan.Reg {
	entered := c.Reg()
	c.Step("process.cwd", "enter "+p.Cwd, plan.Sys(plan.SysChdir, plan.Str(p.Cwd)).Into(entered).Allowing(unix.EACCES, unix.EPERM).Says("process.cwd: chdir to "+p.Cwd))
	return entered
}

// enterCwd makes sure that the process is in its working directory and that this lies in the
// container: for a directory outside of the root the kernel puts "(unreachable)" in front of its
// name (CVE-2024-21626).
func (c *compiler) enterCwd(p *specs.Process, entered plan.Reg) {
	buf := c.Buf("cwd", make([]byte, 4096))
	c.Step("process.cwd", "make sure that "+p.Cwd+" lies in the container",
		plan.Sys(plan.SysChdir, plan.Str(p.Cwd)).When(entered.Failed()).Says("process.cwd: chdir to "+p.Cwd),
		plan.Sys(plan.SysGetcwd, buf, plan.Num(4096)).Says("process.cwd: "+p.Cwd+" is not a place in the container"),
		plan.AssertWord(buf, 0xff, '/', unix.ENOENT).Says("process.cwd: "+p.Cwd+" is outside of the container's root file system."))
}
