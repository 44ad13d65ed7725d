package plan

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Structures that the kernel reads, encoded here and nowhere else. They are laid out alike on every
// 64-bit port.

var native = binary.NativeEndian

func words(w ...uint64) []byte {
	b := make([]byte, 0, 8*len(w))
	for _, x := range w {
		b = native.AppendUint64(b, x)
	}
	return b
}

// OpenHow encodes struct open_how (openat2(2), 24 bytes).
func OpenHow(flags, mode, resolve uint64) []byte { return words(flags, mode, resolve) }

// MountAttr encodes struct mount_attr (mount_setattr(2), 32 bytes). usernsFD is only read with
// MOUNT_ATTR_IDMAP.
func MountAttr(set, clr, propagation, usernsFD uint64) []byte {
	return words(set, clr, propagation, usernsFD)
}

// cloneArgs encodes struct clone_args (clone3(2), 88 bytes): flags, pidfd, child_tid, parent_tid,
// exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup. The linker fills in the
// address of parent_tid and the number of cgroup.
func cloneArgs(flags, exitSignal uint64) []byte {
	return words(flags, 0, 0, 0, exitSignal, 0, 0, 0, 0, 0, 0)
}

// Offsets in cloneArgs, and its size.
const (
	cloneArgsParentTid = 24
	cloneArgsCgroup    = 80
	cloneArgsSize      = 88
)

// CapHeader encodes struct __user_cap_header_struct, version 3, for the calling thread (capset(2)).
func CapHeader() []byte {
	return native.AppendUint32(native.AppendUint32(nil, 0x20080522), 0)
}

// CapData encodes the two struct __user_cap_data_struct of capability version 3: low words of all
// sets first.
func CapData(effective, permitted, inheritable uint64) []byte {
	var b []byte
	for _, shift := range []uint{0, 32} {
		for _, set := range []uint64{effective, permitted, inheritable} {
			b = native.AppendUint32(b, uint32(set>>shift))
		}
	}
	return b
}

// Rlimit64 encodes struct rlimit64 (prlimit64(2)).
func Rlimit64(soft, hard uint64) []byte { return words(soft, hard) }

// SchedAttr encodes struct sched_attr (sched_setattr(2), 48 bytes, the version without utilisation
// clamps).
func SchedAttr(a *unix.SchedAttr) []byte {
	b := native.AppendUint32(nil, 48)
	b = native.AppendUint32(b, a.Policy)
	b = native.AppendUint64(b, a.Flags)
	b = native.AppendUint32(b, uint32(a.Nice))
	b = native.AppendUint32(b, a.Priority)
	return append(b, words(a.Runtime, a.Deadline, a.Period)...)
}

// Uint32s encodes an array of 32-bit words: setgroups(2), a descriptor in a control message.
func Uint32s(v ...uint32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = native.AppendUint32(b, x)
	}
	return b
}

// Winsize encodes struct winsize (ioctl_tty(2), TIOCSWINSZ).
func Winsize(rows, cols uint16) []byte {
	b := native.AppendUint16(nil, rows)
	b = native.AppendUint16(b, cols)
	return append(b, 0, 0, 0, 0)
}

// RightsMessage makes the buffers of a sendmsg(2) that passes n descriptors with the given data:
// the returned message header points to an iovec and to a control message in whose buffer, from
// RightsFD on, ops store the descriptors.
func (b *Builder) RightsMessage(name, data string, n int) (hdr, ctl Arg) {
	// struct cmsghdr: cmsg_len (size_t), SOL_SOCKET, SCM_RIGHTS, then the descriptors, padded to 8
	// bytes. Engines read a console with room for exactly one.
	c := append(words(uint64(16+4*n)), Uint32s(1, 1)...)
	c = append(c, make([]byte, (4*n+7)&^7)...)
	ctl = b.Buf(name+".control", c)
	iov := b.Buf(name+".iov", words(0, uint64(len(data))), Ptr{Off: 0, To: Str(data)})
	// struct msghdr: name, namelen, iov, iovlen, control, controllen, flags.
	hdr = b.Buf(name+".msg", words(0, 0, 0, 1, 0, uint64(len(c)), 0),
		Ptr{Off: 16, To: iov}, Ptr{Off: 32, To: ctl})
	return hdr, ctl
}

// RightsFD is where the first descriptor lies in the control buffer of RightsMessage; each takes 4
// bytes.
const RightsFD = 16

// SockFprog makes the buffer of a struct sock_fprog for seccomp(2): insns is the encoded filter, 8
// bytes an instruction.
func (b *Builder) SockFprog(name string, insns []byte) Arg {
	// The length is an unsigned short; the padding before the pointer must be zero only for the
	// reader's sake.
	head := native.AppendUint16(nil, uint16(len(insns)/8))
	return b.Buf(name, append(head, make([]byte, 14)...), Ptr{Off: 8, To: Bytes(insns, name+" program")})
}
