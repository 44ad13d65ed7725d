package compile

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/idmap"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// namespaces is linux.namespaces, by what has to be done. An entry whose path leads to the
// runtime's own namespace is as good as none: there is nothing to do, and the container has none of
// its own.
type namespaces struct {
	created uint64 // CLONE_NEW* of those to be made
	joined  []joinedNamespace
	entered uint64 // CLONE_NEW* of those of a container that exec enters
}

type joinedNamespace struct {
	flag    uint64
	path    string
	from    string
	foreign bool // see facts.Namespace
	file    plan.Arg
}

func collectNamespaces(l *specs.Linux, joined map[int]facts.Namespace) namespaces {
	var n namespaces
	for i, e := range l.Namespaces {
		kind, _ := namespace.ByName(string(e.Type))
		if e.Path == "" {
			n.created |= kind.Flag
			continue
		}
		if !joined[i].Own {
			n.joined = append(n.joined, joinedNamespace{flag: kind.Flag, path: e.Path, from: problem.NamespaceFile(i), foreign: joined[i].Foreign})
		}
	}
	return n
}

// joins reports whether a namespace of this kind is joined by path.
func (n *namespaces) joins(flag uint64) bool { return n.joining(flag) != nil }

func (n *namespaces) joining(flag uint64) *joinedNamespace {
	for i := range n.joined {
		if n.joined[i].flag == flag {
			return &n.joined[i]
		}
	}
	return nil
}

// foreign reports whether the container is in a namespace of this kind over which its own user
// namespace has no power.
func (n *namespaces) foreign(flag uint64) bool {
	if j := n.joining(flag); j != nil {
		return j.foreign && n.has(unix.CLONE_NEWUSER)
	}
	return n.has(unix.CLONE_NEWUSER) && !n.has(flag)
}

// has reports whether the container has a namespace of this kind that isn't the runtime's.
func (n *namespaces) has(flag uint64) bool { return (n.created|n.entered)&flag != 0 || n.joins(flag) }

// enterNamespaces is the order that the kernel asks for. Namespaces made after the user namespace
// belong to it, so that comes first; those joined by path may belong to the host, and a privileged
// runtime joins them before it gives up the host's credentials. Time offsets are fixed before the
// first process is inside. A pid or time namespace takes effect for children only, hence the spawn.
func (c *compiler) enterNamespaces() error {
	user := c.ns.has(unix.CLONE_NEWUSER)
	timens := c.ns.has(unix.CLONE_NEWTIME)
	rest := c.ns.created &^ (unix.CLONE_NEWUSER | unix.CLONE_NEWTIME | unix.CLONE_NEWCGROUP)
	c.oomScore()
	c.enterRootfs()
	c.openTimeOffsets()
	if c.in.Facts.Privileged || !user {
		c.joinNamespaces()
		if err := c.foreignMounts(); err != nil {
			return err
		}
	}
	c.hideUnreachableMounts()
	c.userNamespace()
	c.timeNamespace()
	if !c.in.Facts.Privileged && user {
		c.joinNamespaces()
	}
	switch {
	case !user && !timens && !c.ns.joins(unix.CLONE_NEWPID):
		c.Plan.Clone = rest
	case timens || c.ns.has(unix.CLONE_NEWPID):
		c.Step("linux.namespaces", "start the container's first process in new namespaces: "+namespaceNames(rest), c.spawn(rest))
	case rest != 0:
		c.Step("linux.namespaces", "make new namespaces: "+namespaceNames(rest), plan.Unshare(plan.As(rest, plan.AsClone)))
	}
	// Only now, for the process that stays: with a tight limit on processes there is no room for
	// two.
	c.joinCgroup()
	c.allCPUs()
	if c.ns.created&unix.CLONE_NEWCGROUP != 0 {
		// Its root is the cgroup that the process is in at this moment.
		c.Step("linux.namespaces", "make a cgroup namespace whose root is the container's cgroup",
			plan.Unshare(plan.Int(unix.CLONE_NEWCGROUP, "NEWCGROUP")))
	}
	return nil
}

func namespaceNames(flags uint64) string {
	if flags == 0 {
		return "none"
	}
	return strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(plan.CloneText(flags), "NEWNS", "mount"), "NEW", ""))
}

// oomScore comes first: lowering the score needs the host's privileges.
func (c *compiler) oomScore() {
	if c.spec.Process == nil || c.spec.Process.OOMScoreAdj == nil {
		return
	}
	c.Step("process.oomScoreAdj", fmt.Sprintf("set the OOM score adjustment to %d", *c.spec.Process.OOMScoreAdj),
		c.writeProc("self/oom_score_adj", fmt.Sprint(*c.spec.Process.OOMScoreAdj))...)
}

// joinNamespaces joins everything by path but the user namespace; the mount namespace last, since
// it changes what paths mean.
func (c *compiler) joinNamespaces() {
	for _, mount := range []bool{false, true} {
		for i := range c.ns.joined {
			j := &c.ns.joined[i]
			if j.flag == unix.CLONE_NEWUSER || (j.flag == unix.CLONE_NEWNS) != mount {
				continue
			}
			c.join(j)
		}
	}
}

func (c *compiler) join(j *joinedNamespace) {
	j.file = c.File(plan.File{Name: j.from, Open: plan.OpenNS, NSType: j.flag, Path: j.path, From: j.from})
	kind := namespaceNames(j.flag)
	c.Step(j.from, "join the "+kind+" namespace "+j.path, plan.Setns(j.file, plan.As(j.flag, plan.AsClone)))
	if j.flag == unix.CLONE_NEWNET {
		c.openNetlink()
	}
}

// userNamespace makes or joins it and becomes its root, or whoever is there.
func (c *compiler) userNamespace() {
	const flag = unix.CLONE_NEWUSER
	switch {
	case c.ns.created&flag != 0:
		ops := []plan.Op{plan.Unshare(plan.Int(flag, "NEWUSER"))}
		if !c.in.Facts.Privileged {
			// The files below /proc/PID of an undumpable process belong to root, and an
			// unprivileged runtime has to write the maps there. Nothing of the container can see
			// this process yet.
			ops = append(ops, plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE", plan.Num(1)))
		}
		c.Step("linux.namespaces", "make a user namespace", ops...)
		c.Host(DoIDMaps, "linux.uidMappings", "write the user namespace's id maps")
	case c.ns.joins(flag):
		c.join(c.ns.joining(flag))
	default:
		return
	}
	uid, gid := FirstIDs(c.spec)
	what := "become root of the user namespace"
	if uid != 0 || gid != 0 {
		what = fmt.Sprintf("become user %d, group %d of the user namespace", uid, gid)
	}
	c.Step("linux.namespaces", what, append(plan.Become(uid, gid), plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"))...)
}

// FirstIDs are the ids with which a container is made in its user namespace: root's, or where the
// mappings have no root, those of the process. Ids of a namespace that is joined without mappings
// are not known, and root is taken to be there.
func FirstIDs(spec *specs.Spec) (uid, gid uint32) {
	if spec.Linux == nil {
		return 0, 0
	}
	var user specs.User
	if spec.Process != nil {
		user = spec.Process.User
	}
	return firstID(spec.Linux.UIDMappings, user.UID), firstID(spec.Linux.GIDMappings, user.GID)
}

func firstID(mappings []specs.LinuxIDMapping, users uint32) uint32 {
	switch {
	case len(mappings) == 0 || idmap.Has(mappings, 0):
		return 0
	case idmap.Has(mappings, users):
		return users
	}
	return mappings[0].ContainerID
}

// timeOffsets is linux.timeOffsets as /proc/PID/timens_offsets takes it (time_namespaces(7)).
func (c *compiler) timeOffsets() string {
	var text strings.Builder
	for _, clock := range []string{"monotonic", "boottime"} {
		if o, ok := c.lin.TimeOffsets[clock]; ok {
			fmt.Fprintf(&text, "%s %d %d\n", clock, o.Secs, o.Nanosecs)
		}
	}
	return text.String()
}

// openTimeOffsets opens the file while the init has the host's credentials: the kernel checks those
// of the opener, and the user that the init becomes in its user namespace could not open the files
// of an undumpable process.
func (c *compiler) openTimeOffsets() {
	if c.ns.created&unix.CLONE_NEWTIME == 0 || c.timeOffsets() == "" || !c.in.Facts.Privileged {
		return
	}
	c.offsets = c.Reg()
	c.Step("linux.timeOffsets", "open the file for the time offsets", plan.OpenProc(c.procFile(), "self/timens_offsets", unix.O_WRONLY).Into(c.offsets))
}

func (c *compiler) timeNamespace() {
	if c.ns.created&unix.CLONE_NEWTIME == 0 {
		return
	}
	ops := []plan.Op{plan.Unshare(plan.Int(unix.CLONE_NEWTIME, "NEWTIME"))}
	text := c.timeOffsets()
	if text == "" {
		c.Step("linux.namespaces", "make a time namespace", ops...)
		return
	}
	if c.in.Facts.Privileged {
		ops = append(ops, plan.Write(plan.Val(c.offsets), text), plan.Close(plan.Val(c.offsets)))
	} else {
		// Root of a user namespace alone can't open the files of an undumpable process. Nothing has
		// been joined yet.
		ops = append(ops, plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE", plan.Num(1)))
		ops = append(ops, c.writeProc("self/timens_offsets", text)...)
		ops = append(ops, plan.Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"))
	}
	c.Step("linux.timeOffsets", "make a time namespace with its offsets", ops...)
}

// identity is what the namespaces are filled with: session, keyring, names, loopback.
func (c *compiler) identity() error {
	c.Step("default", "begin a session", plan.Sys(plan.SysSetsid))
	if !c.in.NoNewKeyring {
		c.keyring()
	}
	if h := c.spec.Hostname; h != "" {
		c.Step("hostname", "set the host name to "+h, plan.Sys(plan.SysSethostname, plan.Str(h), plan.Num(int64(len(h)))))
	}
	if d := c.spec.Domainname; d != "" {
		c.Step("domainname", "set the domain name to "+d, plan.Sys(plan.SysSetdomainname, plan.Str(d), plan.Num(int64(len(d)))))
	}
	if c.ns.created&unix.CLONE_NEWNET != 0 {
		c.loopback()
	}
	c.netDevices()
	return nil
}

// keyring gives the container a session keyring of its own. It is a convenience: a kernel without
// keyrings, or a user whose quota is used up (200 keys for all but root), does not stop the
// container. The host sees it in the page, and warns.
func (c *compiler) keyring() {
	c.keyLabel()
	key := c.tmp()
	const (
		// What the kernel gives a new session keyring, plus "search" for the user: without it
		// programs that start as another process of the same user can't find the keys.
		perm        = 0x3f130000 | 0x00080000
		joinSession = 1
		setPerm     = 5
	)
	c.Step("default", "begin a session keyring",
		plan.Sys(plan.SysKeyctl, plan.Int(joinSession, "JOIN_SESSION_KEYRING"), plan.Str("_ses."+c.in.ID), plan.Num(0), plan.Num(0), plan.Num(0)).
			Into(key).Allowing(unix.ENOSYS, unix.EDQUOT, unix.EPERM, unix.EACCES),
		plan.Sys(plan.SysKeyctl, plan.Int(setPerm, "SETPERM"), plan.Val(key), plan.Int(perm, "0x3f1b0000"), plan.Num(0), plan.Num(0)).
			When(key.OK()).Allowing(unix.ENOSYS, unix.EACCES),
		plan.Sys(plan.Store32, plan.Page(plan.PageKeyring), plan.Num(1)).When(key.Failed()))
}

// loopback brings up lo of a new network namespace.
func (c *compiler) loopback() {
	// struct ifreq: the name in 16 bytes, then the flags.
	ifreq := make([]byte, 40)
	copy(ifreq, "lo")
	copy(ifreq[unix.IFNAMSIZ:], plan.Uint32s(unix.IFF_UP))
	sock := c.tmp()
	c.Step("linux.namespaces", "bring up the loopback device",
		plan.Sys(plan.SysSocket, plan.Int(unix.AF_INET, "AF_INET"), plan.Int(unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, "SOCK_DGRAM|SOCK_CLOEXEC"), plan.Num(0)).Into(sock),
		plan.Ioctl(plan.Val(sock), unix.SIOCSIFFLAGS, "SIOCSIFFLAGS", plan.Bytes(ifreq, "{lo, IFF_UP}")),
		plan.Close(plan.Val(sock)))
}
