package plan

import "golang.org/x/sys/unix"

// capable is what is left of the init's capabilities. It starts with all: what the runtime itself
// lacks is not the plan's mistake.
type capable struct {
	effective, permitted uint64
	keepCaps, noFixup    bool
	noNewPrivs           bool
	stranger             bool // in a user namespace, with an id from outside
}

// needs checks that the op's capability is still there, and notes what the op does to the
// capabilities.
func (c *checker) needs() {
	o := c.op
	if need := c.needed(); need&^c.effective != 0 && !o.Allow.Has(unix.EPERM) {
		c.errorf("needs a capability that an earlier step has dropped")
	}
	if c.visible && c.needed() != 0 && o.Call != SysSeccomp {
		c.errorf("needs a capability where the container's processes could take it away")
	}
	switch o.Call {
	case SysCapset:
		// Two structures of effective, permitted, inheritable: low words, then high words.
		low, mid, high := o.word(1, 0), o.word(1, 1), o.word(1, 2)
		effective := low&0xffffffff | mid&^0xffffffff
		permitted := low>>32 | high<<32
		if permitted&^c.permitted != 0 {
			c.errorf("asks for a capability that an earlier step has dropped")
		}
		c.effective &= effective
		if c.always() {
			c.effective = effective
		}
		c.permitted &= permitted
	case SysSetresuid:
		if c.becomesUser() && !c.stranger {
			c.effective = 0
			if !c.keepCaps {
				c.permitted = 0
			}
		}
		c.stranger = false // see Become
	case SysPrctl:
		c.prctl()
	case SysUnshare, SysSetns, Spawn:
		// The first process of a user namespace has every capability in it, and so has one that
		// joins it.
		flags := o.int(0)
		switch o.Call {
		case SysSetns:
			flags = o.int(1)
		case Spawn:
			flags = c.cloneFlags()
		}
		if flags&unix.CLONE_NEWUSER != 0 || o.Call == SysSetns && flags == 0 {
			c.effective, c.permitted = ^uint64(0), ^uint64(0)
			c.stranger = true
		}
	}
}

func (c *checker) prctl() {
	o := c.op
	if !c.always() {
		return
	}
	switch o.int(0) {
	case unix.PR_SET_KEEPCAPS:
		c.keepCaps = o.int(1) != 0
	case unix.PR_SET_SECUREBITS:
		const noSetuidFixup, keepCaps = 1 << 2, 1 << 4
		c.noFixup = o.int(1)&noSetuidFixup != 0
		c.keepCaps = o.int(1)&keepCaps != 0
	case unix.PR_SET_NO_NEW_PRIVS:
		c.noNewPrivs = true
	}
}

// needed is the set of capabilities that the op can't do without.
func (c *checker) needed() uint64 {
	o := c.op
	switch o.Call {
	case SysOpenTree:
		if o.int(2)&unix.OPEN_TREE_CLONE != 0 {
			return capAdmin
		}
	case SysUnshare:
		if o.int(0)&^(unix.CLONE_NEWUSER|unix.CLONE_FS|unix.CLONE_FILES) != 0 && o.int(0)&unix.CLONE_NEWUSER == 0 {
			return capAdmin
		}
	case SysPrctl:
		if o.int(0) == unix.PR_CAPBSET_DROP || o.int(0) == unix.PR_SET_SECUREBITS {
			return 1 << unix.CAP_SETPCAP
		}
	case SysSeccomp:
		if !c.noNewPrivs {
			return capAdmin
		}
	case SysMknodat:
		if kind := o.int(2) & unix.S_IFMT; kind == unix.S_IFCHR || kind == unix.S_IFBLK {
			return 1 << unix.CAP_MKNOD
		}
	case SysIoctl:
		if o.int(1) == unix.SIOCSIFFLAGS {
			return 1 << unix.CAP_NET_ADMIN
		}
	}
	return callTable[o.Call].caps
}

// becomesUser reports whether setresuid leaves user 0 behind, so that the kernel takes the
// capabilities away.
func (c *checker) becomesUser() bool {
	o := c.op
	if c.noFixup || len(o.Args) < 3 {
		return false
	}
	for i := range 3 {
		if uid := uint32(o.int(i)); o.Args[i].Kind != KindInt || uid == 0 || uid == 0xffffffff {
			return false
		}
	}
	return true
}

// cloneFlags are the flags of the op's struct clone_args.
func (c *checker) cloneFlags() uint64 {
	if len(c.op.Args) == 0 {
		return 0
	}
	b := c.bufOf(&c.op.Args[0])
	if b == nil || len(b.Data) < 8 {
		return 0
	}
	return native.Uint64(b.Data)
}
