package plan

import "golang.org/x/sys/unix"

// callInfo is what Check knows about a system call. Positions of arguments count from 1; 0 means
// that there is none.
type callInfo struct {
	paths [2]pathArg
	// nofollow is the argument with AT_* flags, for calls that follow a symbolic link in the last
	// component unless told not to.
	nofollow uint8
	// fd says that the result is a descriptor; it is close-on-exec when argument cloexec contains
	// bit, or by nature.
	fd      bool
	cloexec uint8
	bit     uint64
	// addr and length are a piece of memory and its size (or size itself); writes says that the
	// kernel fills it.
	addr, length uint8
	size         uint16
	writes       bool
	// caps is the capability that the call needs, as a set with one bit.
	caps uint64
	// strict calls are never allowed to fail: what follows relies on them.
	strict bool
}

// pathArg is a path argument and the directory descriptor that it is relative to; without one it is
// relative to the working directory.
type pathArg struct{ path, dir uint8 }

const capAdmin = 1 << unix.CAP_SYS_ADMIN

// callTable is constant data: nothing is computed for it at start-up.
var callTable = [Calls]callInfo{
	Spawn:            {caps: 0},
	SysAccept4:       {fd: true, cloexec: 4, bit: unix.SOCK_CLOEXEC},
	SysCapset:        {strict: true},
	SysChdir:         {paths: [2]pathArg{{1, 0}}},
	SysChroot:        {paths: [2]pathArg{{1, 0}}, caps: 1 << unix.CAP_SYS_CHROOT, strict: true},
	SysDup3:          {fd: true, cloexec: 3, bit: unix.O_CLOEXEC},
	SysExecve:        {paths: [2]pathArg{{1, 0}}},
	SysFaccessat2:    {paths: [2]pathArg{{2, 1}}, nofollow: 4},
	SysFchown:        {caps: 1 << unix.CAP_CHOWN},
	SysFchownat:      {paths: [2]pathArg{{2, 1}}, nofollow: 5, caps: 1 << unix.CAP_CHOWN},
	SysFsconfig:      {caps: capAdmin},
	SysFsetxattr:     {addr: 3, length: 4},
	SysFsmount:       {fd: true, cloexec: 2, bit: unix.FSMOUNT_CLOEXEC, caps: capAdmin},
	SysFsopen:        {fd: true, cloexec: 2, bit: unix.FSOPEN_CLOEXEC, caps: capAdmin},
	SysGetcwd:        {addr: 1, length: 2, writes: true},
	SysMkdirat:       {paths: [2]pathArg{{2, 1}}},
	SysMknodat:       {paths: [2]pathArg{{2, 1}}},
	SysMount:         {paths: [2]pathArg{{2, 0}}, caps: capAdmin, strict: true},
	SysMountSetattr:  {paths: [2]pathArg{{2, 1}}, nofollow: 3, addr: 4, length: 5, caps: capAdmin},
	SysMoveMount:     {paths: [2]pathArg{{2, 1}, {4, 3}}, caps: capAdmin},
	SysOpenTree:      {paths: [2]pathArg{{2, 1}}, nofollow: 3, fd: true, cloexec: 3, bit: unix.OPEN_TREE_CLOEXEC},
	SysOpenat2:       {paths: [2]pathArg{{2, 1}}, fd: true, addr: 3, length: 4},
	SysPivotRoot:     {paths: [2]pathArg{{1, 0}, {2, 0}}, caps: capAdmin, strict: true},
	SysRead:          {addr: 2, length: 3, writes: true},
	SysRecvfrom:      {addr: 2, length: 3, writes: true},
	SysClockGettime:  {addr: 2, size: 16, writes: true},
	SysSendto:        {addr: 2, length: 3},
	SysSetdomainname: {addr: 1, length: 2, caps: capAdmin},
	SysSetgroups:     {caps: 1 << unix.CAP_SETGID},
	SysSethostname:   {addr: 1, length: 2, caps: capAdmin},
	SysSetns:         {caps: capAdmin, strict: true},
	SysSetresgid:     {caps: 1 << unix.CAP_SETGID, strict: true},
	SysSetresuid:     {caps: 1 << unix.CAP_SETUID, strict: true},
	SysSocket:        {fd: true, cloexec: 2, bit: unix.SOCK_CLOEXEC},
	SysStatx:         {paths: [2]pathArg{{2, 1}}, nofollow: 3, addr: 5, size: 256, writes: true},
	SysSymlinkat:     {paths: [2]pathArg{{3, 2}}},
	SysUmount2:       {paths: [2]pathArg{{1, 0}}, caps: capAdmin},
	SysUnlinkat:      {paths: [2]pathArg{{2, 1}}},
	SysWrite:         {addr: 2, length: 3},
	Load32:           {addr: 1, size: 4},
	Load64:           {addr: 1, size: 8},
	Store32:          {addr: 1, size: 4, writes: true},
	Store64:          {addr: 1, size: 8, writes: true},
	Assert:           {addr: 1, size: 8},
}

// makesFD reports whether the result of o is a descriptor.
func (o *Op) makesFD() bool {
	switch o.Call {
	case SysIoctl:
		return o.int(1) == unix.TIOCGPTPEER
	case SysSeccomp:
		return o.int(1)&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 && o.int(0) == unix.SECCOMP_SET_MODE_FILTER
	}
	return o.Call < Calls && callTable[o.Call].fd
}

// closesOnExec reports whether the descriptor that o makes does not survive execve.
func (o *Op) closesOnExec() bool {
	switch o.Call {
	case SysIoctl:
		return o.int(2)&unix.O_CLOEXEC != 0
	case SysSeccomp:
		return true
	case SysOpenat2:
		return o.word(2, 0)&unix.O_CLOEXEC != 0
	}
	info := &callTable[o.Call]
	return o.int(int(info.cloexec)-1)&info.bit != 0
}

// int is the constant value of argument i, or 0.
func (o *Op) int(i int) uint64 {
	if i < 0 || i >= len(o.Args) || o.Args[i].Kind != KindInt {
		return 0
	}
	return o.Args[i].Int
}

// word is the 64-bit word number n of the constant structure in argument i, or 0.
func (o *Op) word(i, n int) uint64 {
	if i >= len(o.Args) || o.Args[i].Kind != KindBytes {
		return 0
	}
	return o.Args[i].word(n)
}

// word is the 64-bit word number n of a constant structure, or 0.
func (a *Arg) word(n int) uint64 {
	data := a.Data()
	if len(data) < 8*n+8 {
		return 0
	}
	return native.Uint64([]byte(data[8*n : 8*n+8]))
}

// reg is the register that argument i names, or NoReg.
func (o *Op) reg(i int) Reg {
	if i < 0 || i >= len(o.Args) || o.Args[i].Kind != KindReg {
		return NoReg
	}
	return Reg(o.Args[i].Int)
}
