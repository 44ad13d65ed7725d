#include "textflag.h"

#define AT_FDCWD -100
#define O_CLOEXEC 0x80000
#define O_DIRECTORY 0x10000
#define O_NOFOLLOW 0x20000
#define O_PATH 0x200000
#define EINTR 4
#define SIGCHLD 17
#define SYS_read 0
#define SYS_write 1
#define SYS_close 3
#define SYS_clone 56
#define SYS_exit_group 231
#define SYS_openat 257
#define SYS_pipe2 293
#define SYS_close_range 436

// Arguments as they are in memory, for a look at eight bytes at once. Behind each argument there
// are some more: the next one, the environment, the program's path.
#define START 0x7472617473
#define DELETE 0x6574656c6564
#define BUNDLE 0x656c646e75622d

DATA procs<>+0(SB)/8, $"GOMAXPRO"
DATA procs<>+8(SB)/8, $"CS=0001\x00"
GLOBL procs<>(SB), RODATA, $16

DATA pages<>+0(SB)/8, $"GODEBUG="
DATA pages<>+8(SB)/8, $"disablet"
DATA pages<>+16(SB)/8, $"hp=1\x00\x00\x00\x00"
GLOBL pages<>(SB), RODATA, $24

DATA deleted<>+0(SB)/8, $"ocirunti"
DATA deleted<>+8(SB)/8, $"me-shim."
DATA deleted<>+16(SB)/8, $"deleted\x00"
GLOBL deleted<>(SB), RODATA, $24

// The writing end of the pipe on which the first process waits; 0 if none does.
GLOBL parent<>(SB), NOPTR, $8

// The kernel leaves argc, argv, 0, envp, 0 and the auxiliary vector at SP, one word each.
TEXT ociruntime_shim_start(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVQ (SP), CX
	CMPQ CX, $2
	JLT  environment
	MOVQ (SP)(CX*8), SI   // the last argument
	MOVQ (SI), AX
	MOVQ AX, DX
	SHLQ $16, AX          // five letters and the byte behind them
	MOVQ $(START<<16), BX
	CMPQ AX, BX
	JEQ  start
	SHLQ $8, DX           // six letters
	MOVQ $(DELETE<<8), BX
	CMPQ DX, BX
	JNE  environment

	// delete: the argument behind -bundle is a directory.
	MOVQ $BUNDLE, BX
	LEAQ 16(SP), R8
	SUBQ $2, CX

argument:
	SUBQ $1, CX
	JLT  environment
	MOVQ (R8), SI
	ADDQ $8, R8
	CMPQ BX, (SI)
	JNE  argument
	MOVQ $AT_FDCWD, DI
	MOVQ (R8), SI
	MOVL $(O_PATH|O_DIRECTORY|O_CLOEXEC), DX
	MOVL $SYS_openat, AX
	SYSCALL
	TESTQ AX, AX
	JLT  environment
	MOVQ AX, DI
	LEAQ deleted<>(SB), SI
	MOVL $(O_NOFOLLOW|O_CLOEXEC), DX
	MOVL $SYS_openat, AX
	SYSCALL
	TESTQ AX, AX
	JLT  environment
	MOVQ AX, DI
	LEAQ -512(SP), SI
	MOVL $512, DX
	MOVL $SYS_read, AX
	SYSCALL
	TESTQ AX, AX
	JLE  environment
	MOVQ AX, DX
	MOVL $1, DI
	MOVL $SYS_write, AX
	SYSCALL
	XORL DI, DI
	CMPQ AX, DX
	JEQ  exit
	INCL DI
	JMP  exit

start:
	LEAQ  -16(SP), DI
	MOVL  $O_CLOEXEC, SI
	MOVL  $SYS_pipe2, AX
	SYSCALL
	TESTQ AX, AX
	JNE   environment
	MOVL  $SIGCHLD, DI
	XORL  SI, SI
	XORL  DX, DX
	XORL  R10, R10
	XORL  R8, R8
	MOVL  $SYS_clone, AX
	SYSCALL
	TESTQ AX, AX
	JLT   environment     // and start the daemon as where there is no such entry
	JEQ   child
	MOVL  -12(SP), DI
	MOVL  $SYS_close, AX
	SYSCALL

wait:
	MOVL -16(SP), DI
	LEAQ -24(SP), SI
	MOVL $1, DX
	MOVL $SYS_read, AX
	SYSCALL
	CMPQ AX, $-EINTR
	JEQ  wait
	MOVL $1, DI
	CMPQ AX, $1
	JNE  exit
	MOVBLZX -24(SP), DI

exit:
	MOVL $SYS_exit_group, AX
	SYSCALL
	UNDEF

child:
	// Who goes on for long keeps nothing that others have left open, nor the end of the pipe for
	// reading: of what is behind the streams, the other end alone.
	MOVL -12(SP), SI
	MOVQ SI, parent<>(SB)
	MOVL $3, DI
	SUBL $1, SI
	XORL DX, DX
	MOVL $SYS_close_range, AX
	SYSCALL
	MOVL -12(SP), DI
	ADDL $1, DI
	MOVL $-1, SI
	MOVL $SYS_close_range, AX
	SYSCALL

environment:
	// Up to the end of argv everything moves down by two words, for two variables.
	MOVQ SP, SI
	SUBQ $16, SP
	MOVQ SP, DI
	MOVQ (SI), CX
	ADDQ $2, CX
	CLD
	REP; MOVSQ
	LEAQ procs<>(SB), AX
	MOVQ AX, (DI)
	LEAQ pages<>(SB), AX
	MOVQ AX, 8(DI)
	JMP  ociruntime_start(SB)

// func parent() int
TEXT ·parent(SB), NOSPLIT, $0-8
	MOVQ parent<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET
