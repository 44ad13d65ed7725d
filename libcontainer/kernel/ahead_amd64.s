#include "textflag.h"

// func cloneUnshare(flags uintptr, path *byte, ifreq *unix.Ifreq, result *int64) (pid int64)
TEXT ·cloneUnshare(SB), NOSPLIT, $16-40
	MOVQ flags+0(FP), R12
	MOVQ path+8(FP), R13
	MOVQ ifreq+16(FP), R9
	MOVQ result+24(FP), BX

	// Every signal is blocked, for the child inherits that: on our memory, but not one of Go's threads, it must never run a handler.
	MOVQ $-1, AX
	MOVQ AX, all-8(SP)
	MOVL $2, DI // SIG_SETMASK
	LEAQ all-8(SP), SI
	LEAQ old-16(SP), DX
	MOVL $8, R10
	MOVL $14, AX // rt_sigprocmask
	SYSCALL

	// The child has our stack pointer, too, and leaves the stack alone.
	MOVL $0x500, DI // CLONE_VM|CLONE_FILES, no exit signal
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	MOVL $56, AX // clone
	SYSCALL
	TESTQ AX, AX
	JEQ  child
	MOVQ AX, R12

	MOVL $2, DI
	LEAQ old-16(SP), SI
	XORL DX, DX
	MOVL $8, R10
	MOVL $14, AX
	SYSCALL
	MOVQ R12, pid+32(FP)
	RET

child:
	MOVQ  R12, DI
	MOVL  $272, AX // unshare
	SYSCALL
	TESTQ AX, AX
	JNE   done
	TESTQ R9, R9
	JEQ   open

	MOVL  $2, DI       // AF_INET
	MOVL  $0x80002, SI // SOCK_DGRAM|SOCK_CLOEXEC
	XORL  DX, DX
	MOVL  $41, AX      // socket
	SYSCALL
	TESTQ AX, AX
	JLT   done
	MOVQ  AX, R12
	MOVQ  AX, DI
	MOVL  $0x8914, SI  // SIOCSIFFLAGS
	MOVQ  R9, DX
	MOVL  $16, AX      // ioctl
	SYSCALL
	MOVQ  AX, R9
	MOVQ  R12, DI
	MOVL  $3, AX       // close
	SYSCALL
	MOVQ  R9, AX
	TESTQ AX, AX
	JNE   done

open:
	MOVQ  $-100, DI // AT_FDCWD
	MOVQ  R13, SI
	MOVL  $0x80000, DX // O_CLOEXEC
	XORL  R10, R10
	MOVL  $257, AX // openat
	SYSCALL

done:
	MOVQ AX, (BX)
	XORL DI, DI
	MOVL $60, AX // exit
	SYSCALL
	INT  $3
