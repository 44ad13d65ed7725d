#include "textflag.h"

#define RLIMIT_NOFILE 7
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30
#define LONG_SLACK 4000000 // ns
#define SYS_prctl 157
#define SYS_prlimit64 302

DATA added<>+0(SB)/8, $"GOMAXPRO"
DATA added<>+8(SB)/8, $"CS=0001\x00"
GLOBL added<>(SB), RODATA, $16

// The limits that the caller gave, and those until Go's runtime has begun: struct rlimit, the soft
// and the hard one.
GLOBL limit<>(SB), NOPTR, $16
GLOBL lowered<>(SB), NOPTR, $16
GLOBL known<>(SB), NOPTR, $8 // 1 when limit is set

// The timer slack that the caller gave, in ns; 0 when it is unknown, and so unchanged.
GLOBL slack<>(SB), NOPTR, $8

// The kernel leaves argc, argv, 0, envp, 0 and the auxiliary vector at SP, one word each.
TEXT ociruntime_start(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	XORL  DI, DI
	MOVL  $RLIMIT_NOFILE, SI
	XORL  DX, DX
	LEAQ  limit<>(SB), R10
	MOVL  $SYS_prlimit64, AX
	SYSCALL
	TESTQ AX, AX
	JNE   timer
	MOVQ  $1, known<>(SB)
	MOVQ  $3, lowered<>(SB)
	MOVQ  limit<>+8(SB), AX
	MOVQ  AX, lowered<>+8(SB)
	XORL  DI, DI
	MOVL  $RLIMIT_NOFILE, SI
	LEAQ  lowered<>(SB), DX
	XORL  R10, R10
	MOVL  $SYS_prlimit64, AX
	SYSCALL

timer:
	MOVL  $PR_GET_TIMERSLACK, DI
	MOVL  $SYS_prctl, AX
	SYSCALL
	TESTQ AX, AX
	JLE   environment
	MOVQ  AX, slack<>(SB)
	MOVL  $PR_SET_TIMERSLACK, DI
	MOVL  $LONG_SLACK, SI
	MOVL  $SYS_prctl, AX
	SYSCALL

environment:
	// Everything up to the end of envp moves down by two words, an even number since the stack is
	// aligned. The variable takes both: one that is set a second time counts once.
	MOVQ SP, SI
	SUBQ $16, SP
	MOVQ SP, DI
	MOVQ (SI), CX
	ADDQ $2, CX
	CLD
	REP; MOVSQ

variables:
	MOVQ  (SI), AX
	TESTQ AX, AX
	JEQ   add
	MOVQ  AX, (DI)
	ADDQ  $8, SI
	ADDQ  $8, DI
	JMP   variables

add:
	LEAQ added<>(SB), AX
	MOVQ AX, (DI)
	MOVQ AX, 8(DI)
	JMP  _rt0_amd64_linux(SB)

// func restoreLimit()
TEXT ·restoreLimit(SB), NOSPLIT, $0
	CMPQ known<>(SB), $0
	JEQ  done
	XORL DI, DI
	MOVL $RLIMIT_NOFILE, SI
	LEAQ limit<>(SB), DX
	XORL R10, R10
	MOVL $SYS_prlimit64, AX
	SYSCALL

done:
	RET

// func restoreSlack()
TEXT ·restoreSlack(SB), NOSPLIT, $0
	MOVQ  slack<>(SB), SI
	TESTQ SI, SI
	JEQ   done
	MOVL  $PR_SET_TIMERSLACK, DI
	MOVL  $SYS_prctl, AX
	SYSCALL

done:
	RET
