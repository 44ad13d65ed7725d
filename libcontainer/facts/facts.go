// Package facts has types for what the plan's compiler has to know about this kernel, this host and
// this root filesystem. Package probe asks for it, once, before anything is touched. The compiler
// is a pure function of config.json and these facts, so that the same two always give the same
// plan.
//
// Facts about the root filesystem only choose the shape of the plan: its files may belong to an
// attacker who changes them afterwards, and every op must stay safe when a fact has become a lie.
package facts

// Facts are the answers. They are plain data and can be printed.
type Facts struct {
	// Privileged says that we have CAP_SYS_ADMIN, be it in a user namespace.
	Privileged bool
	// OwnsMounts says that we may clone mounts of our own mount namespace (CAP_SYS_ADMIN in the
	// user namespace that owns it): then the host opens bind sources before the init exists, else
	// the init does so in namespaces of its own.
	OwnsMounts bool
	// MakesDevices says that we may make device nodes.
	MakesDevices bool
	EUID, EGID   uint32
	// InUserNS says that this process is in a user namespace other than the initial one.
	InUserNS bool
	// LastCap is the highest capability that the kernel knows (/proc/sys/kernel/cap_last_cap).
	LastCap int
	// Bounding is our own bounding set: what is missing there can't be given to a container.
	Bounding uint64
	// Permitted is our own permitted set.
	Permitted uint64
	// Kcore says that /proc/kcore exists, which /dev/core then points to.
	Kcore bool
	// SELinux and AppArmor say that the security module is on.
	SELinux, AppArmor bool
	// Cgroup2 says that the whole hierarchy at /sys/fs/cgroup is version 2. Hierarchies are the v1
	// mounts otherwise, in the order of their directories' names.
	Cgroup2     bool
	Hierarchies []Hierarchy
	// JoinTasks names the files through which the init joins its cgroups by writing 0 to them.
	JoinTasks []string
	// JoinDir says that the container has a directory in the cgroup v2 tree, in which its process
	// is to be born.
	JoinDir bool
	// Attach says that systemd has to move the init into its cgroup: the user's own systemd may,
	// the user may not.
	Attach bool
	// Sources holds, for each entry of mounts that is a bind mount, what its source is now.
	Sources map[int]Source
	// Joined holds, for each entry of linux.namespaces with a path, what that leads to.
	Joined map[int]Namespace
	// Covered holds, for each tmpfs in mounts, the permissions of the directory that it covers; the
	// tmpfs takes them over.
	Covered map[int]uint32
	// Targets holds, for each entry of mounts whose destination leads over symbolic links to
	// something that does not exist, where that is, without links. It is to be made there, as if
	// the links were not dangling.
	Targets map[int]string
	// Devices holds, for each entry of linux.devices, the host's path of the device with the same
	// numbers.
	Devices map[int]string
	// KernelMounts are the host's mounts of proc and sysfs outside of the root file system, the
	// innermost first. They are asked for when the root is not pivoted to.
	KernelMounts []string
	// OverlayLayers says that overlay takes its lower directories one by one, by their names as
	// they are (lowerdir+, Linux 6.11). It is asked for when mounts has an overlay.
	OverlayLayers bool
	// ProcOfOthers says that a procfs can be made of a pid namespace that one is not in (Linux
	// 6.17). It is asked for when linux.namespaces has a path for one.
	ProcOfOthers bool
	// RootParent is the mountpoint that root.path lies below, asked for when
	// linux.rootfsPropagation is shared.
	RootParent string
	// Stdio says what the descriptors 0, 1 and 2 of the container's process are.
	Stdio [3]Stdio
}

// Hierarchy is a cgroup v1 hierarchy as the container's /sys/fs/cgroup shows it.
type Hierarchy struct {
	Name string // directory below /sys/fs/cgroup: "cpu,cpuacct", "systemd"
	// "cpu", "cpuacct"; "name=systemd" for a named one; empty for the v2 tree of a hybrid host
	Controllers []string
	V2          bool
	Links       []string // further names of the directory
	Host        string   // the container's cgroup in it, on the host
}

// Source is what a bind mount's source is: the mountpoint that is made for it has to be of the same
// kind.
type Source struct {
	Dir bool
	Err error
	// Attr are the MOUNT_ATTR_* bits for ro, nosuid, nodev, noexec and nosymfollow of the mount
	// that the source lies in. They are asked for where a user namespace is not to lose them.
	Attr uint64
	// Inside is the source's path in the container, if an earlier mount brings it there: it is
	// looked up when its turn comes.
	Inside string
	// Link is where the source leads, if it is a symbolic link to be copied, and LinkThere says
	// that the image has the same at the destination.
	Link      string
	LinkThere bool
}

// Namespace is what is known of a namespace that a path leads to.
type Namespace struct {
	// Own says that it is the runtime's own: there is nothing to join.
	Own bool
	// Host says that it is the runtime's own or that of process 1. What a container changes there,
	// it changes for the host.
	Host bool
	// Foreign says that it belongs neither to the container's user namespace nor to one below that:
	// the kernel then mounts no file system there that shows it.
	Foreign bool
}

// Stdio is what one of the first three descriptors is: the null device, or a pipe without a name.
type Stdio struct {
	Null, Pipe bool
	UID        uint32
}
