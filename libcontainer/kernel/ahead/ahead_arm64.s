#include "textflag.h"

#define AT_FDCWD -100
#define O_CLOEXEC 0x80000
#define O_DIRECTORY 0x4000
#define O_NOFOLLOW 0x8000
#define O_PATH 0x200000
#define EINTR 4
#define SIGCHLD 17
#define SYS_openat 56
#define SYS_close 57
#define SYS_pipe2 59
#define SYS_read 63
#define SYS_write 64
#define SYS_exit_group 94
#define SYS_clone 220
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

// The kernel leaves argc, argv, 0, envp, 0 and the auxiliary vector at RSP, one word each.
TEXT ociruntime_shim_start(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVD (RSP), R9
	CMP  $2, R9
	BLT  environment
	MOVD RSP, R10
	ADD  R9<<3, R10, R11
	MOVD (R11), R11        // the last argument
	MOVD (R11), R12
	LSL  $16, R12, R13     // five letters and the byte behind them
	MOVD $(START<<16), R14
	CMP  R14, R13
	BEQ  start
	LSL  $8, R12, R13      // six letters
	MOVD $(DELETE<<8), R14
	CMP  R14, R13
	BNE  environment

	// delete: the argument behind -bundle is a directory.
	MOVD $BUNDLE, R14
	ADD  $16, R10
	SUB  $2, R9

argument:
	SUBS $1, R9
	BLT  environment
	MOVD.P 8(R10), R11
	MOVD (R11), R12
	CMP  R14, R12
	BNE  argument
	MOVD $AT_FDCWD, R0
	MOVD (R10), R1
	MOVD $(O_PATH|O_DIRECTORY|O_CLOEXEC), R2
	MOVD $SYS_openat, R8
	SVC
	TBNZ $63, R0, environment
	MOVD $deleted<>(SB), R1
	MOVD $(O_NOFOLLOW|O_CLOEXEC), R2
	MOVD $SYS_openat, R8
	SVC
	TBNZ $63, R0, environment
	MOVD RSP, R1
	SUB  $512, R1
	MOVD $512, R2
	MOVD $SYS_read, R8
	SVC
	CMP  $0, R0
	BLE  environment
	MOVD R0, R2
	MOVD $1, R0
	MOVD $SYS_write, R8
	SVC
	CMP  R2, R0
	CSET NE, R0
	B    exit

start:
	MOVD RSP, R0
	SUB  $16, R0
	MOVD $O_CLOEXEC, R1
	MOVD $SYS_pipe2, R8
	SVC
	CBNZ R0, environment
	MOVD $SIGCHLD, R0
	MOVD $0, R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	MOVD $SYS_clone, R8
	SVC
	TBNZ $63, R0, environment // and start the daemon as where there is no such entry
	CBZ  R0, child
	MOVW -12(RSP), R0
	MOVD $SYS_close, R8
	SVC

wait:
	MOVW -16(RSP), R0
	MOVD RSP, R1
	SUB  $24, R1
	MOVD $1, R2
	MOVD $SYS_read, R8
	SVC
	CMN  $EINTR, R0
	BEQ  wait
	CMP  $1, R0
	MOVD $1, R0
	BNE  exit
	MOVBU -24(RSP), R0

exit:
	MOVD $SYS_exit_group, R8
	SVC
	UNDEF

child:
	// Who goes on for long keeps nothing that others have left open, nor the end of the pipe for
	// reading: of what is behind the streams, the other end alone.
	MOVW -12(RSP), R1
	MOVD R1, parent<>(SB)
	MOVD $3, R0
	SUB  $1, R1
	MOVD $0, R2
	MOVD $SYS_close_range, R8
	SVC
	MOVW -12(RSP), R0
	ADD  $1, R0
	MOVD $0xffffffff, R1
	MOVD $SYS_close_range, R8
	SVC

environment:
	// Up to the end of argv everything moves down by two words, for two variables.
	MOVD RSP, R1
	SUB  $16, RSP
	MOVD RSP, R2
	MOVD (R1), R3
	ADD  $2, R3

arguments:
	MOVD.P 8(R1), R4
	MOVD.P R4, 8(R2)
	SUBS   $1, R3
	BNE    arguments
	MOVD   $procs<>(SB), R4
	MOVD   R4, (R2)
	MOVD   $pages<>(SB), R4
	MOVD   R4, 8(R2)
	B      ociruntime_start(SB)

// func parent() int
TEXT ·parent(SB), NOSPLIT, $0-8
	MOVD parent<>(SB), R4
	MOVD R4, ret+0(FP)
	RET
