#include "textflag.h"

// func cloneUnshare(flags uintptr, path *byte, ifreq *unix.Ifreq, result *int64) (pid int64)
TEXT ·cloneUnshare(SB), NOSPLIT, $16-40
	MOVD flags+0(FP), R19
	MOVD path+8(FP), R20
	MOVD ifreq+16(FP), R22
	MOVD result+24(FP), R21

	// Every signal is blocked, for the child inherits that: on our memory, but not one of Go's threads, it must never run a handler.
	MOVD $-1, R0
	MOVD R0, all-8(SP)
	MOVD $2, R0 // SIG_SETMASK
	MOVD $all-8(SP), R1
	MOVD $old-16(SP), R2
	MOVD $8, R3
	MOVD $135, R8 // rt_sigprocmask
	SVC

	// The child has our stack pointer, too, and leaves the stack alone.
	MOVD $0x500, R0 // CLONE_VM|CLONE_FILES, no exit signal
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD $220, R8 // clone
	SVC
	CBZ  R0, child
	MOVD R0, R19

	MOVD $2, R0
	MOVD $old-16(SP), R1
	MOVD ZR, R2
	MOVD $8, R3
	MOVD $135, R8
	SVC
	MOVD R19, pid+32(FP)
	RET

child:
	MOVD R19, R0
	MOVD $97, R8 // unshare
	SVC
	CBNZ R0, done
	CBZ  R22, open

	MOVD $2, R0       // AF_INET
	MOVD $0x80002, R1 // SOCK_DGRAM|SOCK_CLOEXEC
	MOVD ZR, R2
	MOVD $198, R8     // socket
	SVC
	TBNZ $63, R0, done
	MOVD R0, R19
	MOVD $0x8914, R1  // SIOCSIFFLAGS
	MOVD R22, R2
	MOVD $29, R8      // ioctl
	SVC
	MOVD R0, R22
	MOVD R19, R0
	MOVD $57, R8      // close
	SVC
	MOVD R22, R0
	CBNZ R0, done

open:
	MOVD $-100, R0 // AT_FDCWD
	MOVD R20, R1
	MOVD $0x80000, R2 // O_CLOEXEC
	MOVD ZR, R3
	MOVD $56, R8 // openat
	SVC

done:
	MOVD R0, (R21)
	MOVD ZR, R0
	MOVD $93, R8 // exit
	SVC
	BRK  $0
