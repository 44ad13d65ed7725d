package plan

import "golang.org/x/sys/unix"

// Plan is everything that happens between config.json and the user's program.
type Plan struct {
	// Clone holds the CLONE_NEW* flags with which the host starts the init image. CLONE_NEWUSER
	// never stands here: execve drops capabilities while the uid is unmapped, so user namespaces
	// are made by the image's own ops.
	Clone uint64
	// Waits says that the init stops behind its last rendezvous and waits for `start`.
	Waits bool
	// Preserve is the number of descriptors from 3 on that belong to the container's process.
	Preserve int
	// Files are handed to the init by the host, at descriptor numbers from 3+Preserve on, in this
	// order. The first is the socket behind [Report].
	Files []File
	Steps []Step
	// Bufs is memory that ops read and write, addressed by Arg.Buf.
	Bufs []Buf
	// Regs is the number of registers in use; register 0 is always [Report].
	Regs int
	// PageLen is the length of the page shared with the host, PageSize unless the plan is stamped
	// or joins a pid namespace.
	PageLen int
}

// Site says who carries out a step.
type Site uint8

// The two sites.
const (
	Init Site = iota // the init image, inside the container
	Host             // our command on the host, while the init waits
)

// Group is the part of the set-up that a step belongs to; explain prints a heading for each.
type Group string

// The parts of the set-up.
const (
	Namespaces Group = "namespaces"
	Rootfs     Group = "root filesystem"
	Process    Group = "process"
	Cgroup     Group = "cgroup"
	Hooks      Group = "hooks"
)

// answersAhead reports whether the host has been asked for a step by an earlier one: it may have
// carried it out before the init has come so far.
func (s *Step) answersAhead() bool { return s.Site == Host && len(s.Ops) == 1 }

// HostStep names a kind of work that the host does at a rendezvous.
type HostStep string

// Step is one thing that a reader of the plan wants to know about.
type Step struct {
	What  string // "mount tmpfs on /dev/shm (nosuid,noexec,nodev; mode=1777,size=65536k)"
	From  string // the place in config.json, e.g. "mounts[3]", or "default"
	Group Group
	Site  Site
	// Do says which function of the host carries out a Host step. The ops of a Host step are the
	// rendezvous itself. Consecutive Host steps share one, so only the first of them has ops.
	Do HostStep
	// Begins makes a Host step start a rendezvous even behind another Host step.
	Begins bool
	// IDMap is what a Host step maps the owners of a mount with.
	IDMap *IDMap
	Ops   []Op
}

// Reg is a register of the init: 64 bits that hold the result of an op. Before it is written a
// register holds [Unset].
type Reg uint8

const (
	// Report is the socket to which the init sends {op, errno} when an op fails, and over which it
	// meets the host.
	Report Reg = 0
	// NoReg means that a result is dropped.
	NoReg Reg = 0xff
	// MaxRegs is the number of registers that the image has room for.
	MaxRegs = 250
)

// Unset is the value of a register that no op has written: negative, but no errno (those are -1 to
// -4095).
const Unset = -4096

// Is is what a condition asks of a register.
type Is uint8

// What a condition can ask.
const (
	Always Is = iota // nothing: the op runs
	OK               // the op that wrote it succeeded
	Failed           // the op that wrote it ran into an errno that it allows
	NotOK            // failed, or never run
)

// Cond makes an op depend on the outcome of an earlier one. The zero value is "always".
type Cond struct {
	Reg Reg
	Is  Is
}

// OK is the condition that the op which wrote r succeeded.
func (r Reg) OK() Cond { return Cond{r, OK} }

// Failed is the condition that the op which wrote r ran and failed with an errno that it allows.
func (r Reg) Failed() Cond { return Cond{r, Failed} }

// NotOK is the condition that the op which wrote r failed or did not run.
func (r Reg) NotOK() Cond { return Cond{r, NotOK} }

// Op is one system call, or one of the few pseudo-calls that move data between registers and
// memory.
type Op struct {
	Call Call
	Out  Reg // where the result goes; NoReg drops it
	If   Cond
	// Retry is how often the op is repeated on EAGAIN, EINTR or EXDEV: openat2 with RESOLVE_IN_ROOT
	// gives those when anything on the system is renamed or mounted while it walks `..`
	// (openat2(2)).
	Retry   uint8
	HasWant bool
	// HostPath marks an op that names an absolute path of the host on purpose; Check refuses it
	// after pivot_root.
	HostPath bool
	// Allow are errnos that are not an error here. Out then holds the negated errno.
	Allow Errnos
	// Want, when HasWant is set, is the only result that counts as success: a short read means that
	// the other side has gone.
	Want uint32
	Args []Arg // at most 6
	// Msg replaces the step's sentence in the error when this op fails; the kernel's word is
	// appended to it, unless it ends in a full stop.
	Msg string
}

// MaxErrnos is the number of errnos that the image's table of ops has room for.
const MaxErrnos = 5

// Errnos are up to MaxErrnos errnos.
type Errnos struct {
	n    uint8 // MaxErrnos+1 when more were asked for
	list [MaxErrnos]uint16
}

// Fits reports whether there is room for all errnos.
func (e *Errnos) Fits() bool { return e.n <= MaxErrnos }

// Len is the number of errnos.
func (e *Errnos) Len() int { return min(int(e.n), MaxErrnos) }

// At is errno i.
func (e *Errnos) At(i int) unix.Errno { return unix.Errno(e.list[i]) }

// Has reports whether one of the errnos is errno.
func (e *Errnos) Has(errno unix.Errno) bool {
	for i := range e.Len() {
		if e.At(i) == errno {
			return true
		}
	}
	return false
}

// ArgKind says how an argument gets its value.
type ArgKind uint8

const (
	KindInt ArgKind = iota // Int, printed as Str if that is set
	KindReg                // the value of register Int
	KindStr                // the address of the NUL-terminated string Str
	// the address of a constant structure: the first Int bytes of Str; the rest is how it is
	// printed
	KindBytes
	KindBuf     // the address of byte Int of buffer Buf
	KindPage    // the address of byte Int of the page shared with the host
	KindFile    // the descriptor number of Files[Int]
	KindHandler // the address of the signal handler with which the init ends itself
)

// Arg is one argument of an op. A plan has thousands, so it is kept small: see [Arg.Data].
type Arg struct {
	Kind ArgKind
	// Says is how a KindInt or KindBytes prints that has no text.
	Says Wording
	Buf  int32
	Int  uint64
	Str  string
}

// Data is the constant structure of a KindBytes.
func (a *Arg) Data() string { return a.Str[:min(a.Int, uint64(len(a.Str)))] }

// text is what was given to be printed.
func (a *Arg) text() string {
	if a.Kind == KindBytes {
		return a.Str[len(a.Data()):]
	}
	return a.Str
}

// Wording names a way to print an argument. Most plans are never printed: text that follows from
// the value is made when it is asked for.
type Wording uint8

// What a number or constant data prints as.
const (
	AsNumber  Wording = iota // 42
	AsOctal                  // 0755
	AsHex                    // 0x1f
	AsErrno                  // ENOSYS
	AsSignal                 // SIGHUP
	AsClone                  // CLONE_* bits
	AsAttr                   // MOUNT_ATTR_* bits, as mount options
	AsMode                   // file type and permissions: S_IFCHR|0666
	AsDevice                 // major:minor of a device number as mknod(2) takes it
	AsOpenHow                // Data is a struct open_how
	AsChange                 // Data is a struct mount_attr
	AsQuoted                 // Data is text
)

// Buf is memory of the init that ops write to, or that holds pointers.
type Buf struct {
	Name string
	Data []byte
	// Ptrs are places in Data (8 bytes, in the machine's byte order) that the linker fills with
	// addresses.
	Ptrs []Ptr
	// Vec, when not nil, makes this a NULL-terminated array of string pointers; Data and Ptrs are
	// then unused.
	Vec []Arg
}

// Ptr is a pointer in a buffer at byte Off to what To, an argument of an address kind, stands for.
type Ptr struct {
	Off int
	To  Arg
}

// File is a descriptor that the host opens and the init inherits.
type File struct {
	Name string // unique: "rootfs", "mounts[3].source"
	Open OpenKind
	Path string // on the host; empty when the host has it from elsewhere
	From string // the place in config.json
	// Recursive makes an OpenTree a copy of everything mounted below, too.
	Recursive bool
	// NoFollow makes an OpenTree one of a symbolic link itself, if Path ends in one.
	NoFollow bool
	// NSType is the CLONE_NEW* flag that the namespace of an OpenNS must have, or 0.
	NSType uint64
	// IDMap asks the host to map the owners of an OpenTree before it is handed over.
	IDMap *IDMap
}

// IDMap is the mapping of an idmapped mount (mount_setattr(2), MOUNT_ATTR_IDMAP).
type IDMap struct {
	Path       string // of a user namespace whose maps are taken, and
	File       string // the name of the File that it is; or
	UIDs, GIDs string // maps in the form of /proc/PID/uid_map
	Recursive  bool
}

// OpenKind says how the host comes to a File.
type OpenKind uint8

const (
	// made by the library: a socket, the progress page, a cgroup's tasks file
	Given    OpenKind = iota
	OpenPath          // open(Path, O_PATH)
	// open_tree(Path, OPEN_TREE_CLONE[, AT_RECURSIVE]): a private copy of what is mounted there
	OpenTree
	OpenNS // open(Path, O_RDONLY) of a namespace file
)

// Layout of the page that the init shares with the host, or rather of a file with three parts that
// are mapped one by one. Each begins where any kernel can map it: arm64 has pages of up to 64 KiB.
// The op loop writes the first two words.
const (
	PageSize  = 4096
	PageOp    = 0 // uint32: index of the op that was begun last
	PageErrno = 4 // uint32: errno of the op that failed, or 0
	// uint32: pid of the spawned child as the host sees it, unless it has joined others
	PagePid     = 8
	PageKeyring = 12 // uint32: 1 when the kernel has refused a session keyring
	PageHome    = 64 // "HOME=…", NUL-terminated, at most PageHomeLen bytes
	PageHomeLen = 512
	// PageJoined is a page of its own with the pid of a child that has joined a pid namespace. The
	// child does not have the page: whoever hijacks it must not tell the host what its pid is.
	PageJoined = 0x10000
	// PageTrace is where time stamps begin when a plan is traced: 16 bytes (struct timespec) a
	// step.
	PageTrace = 0x20000
)

// OpCount is the number of ops in all steps.
func (p *Plan) OpCount() int {
	n := 0
	for i := range p.Steps {
		n += len(p.Steps[i].Ops)
	}
	return n
}

// At finds the step and the op with the index that the progress page reports.
func (p *Plan) At(index int) (*Step, *Op) {
	for i := range p.Steps {
		s := &p.Steps[i]
		if index < len(s.Ops) {
			return s, &s.Ops[index]
		}
		index -= len(s.Ops)
	}
	return nil, nil
}
