#include "textflag.h"
#include "entry.h"

// The kernel leaves argc, argv, 0, envp, 0 and the auxiliary vector at SP, one word each.
TEXT ociruntime_start(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVQ $ACTIVE, flags<>(SB)

	XORL  DI, DI
	MOVL  $RLIMIT_NOFILE, SI
	XORL  DX, DX
	LEAQ  limit<>(SB), R10
	MOVL  $302, AX // prlimit64
	SYSCALL
	TESTQ AX, AX
	JNE   timer
	ORQ   $LIMIT, flags<>(SB)
	MOVQ  $3, lowered<>(SB)
	MOVQ  limit<>+8(SB), AX
	MOVQ  AX, lowered<>+8(SB)
	XORL  DI, DI
	MOVL  $RLIMIT_NOFILE, SI
	LEAQ  lowered<>(SB), DX
	XORL  R10, R10
	MOVL  $302, AX
	SYSCALL

timer:
	MOVL  $PR_GET_TIMERSLACK, DI
	MOVL  $157, AX // prctl
	SYSCALL
	TESTQ AX, AX
	JLE   environment
	ORQ   $SLACK, flags<>(SB)
	MOVQ  AX, slack<>(SB)
	MOVL  $PR_SET_TIMERSLACK, DI
	MOVL  $4000000, SI
	MOVL  $157, AX
	SYSCALL

environment:
	// Everything up to the end of envp moves down by two words, an even number as the stack is aligned; the variable takes both.
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

// func Active() bool
TEXT ·Active(SB), NOSPLIT, $0-1
	MOVQ flags<>(SB), AX
	ANDQ $ACTIVE, AX
	MOVB AX, ret+0(FP)
	RET

// func restoreLimit()
TEXT ·restoreLimit(SB), NOSPLIT, $0
	TESTQ $LIMIT, flags<>(SB)
	JEQ   done
	XORL  DI, DI
	MOVL  $RLIMIT_NOFILE, SI
	LEAQ  limit<>(SB), DX
	XORL  R10, R10
	MOVL  $302, AX
	SYSCALL

done:
	RET

// func RestoreSlack()
TEXT ·RestoreSlack(SB), NOSPLIT, $0
	TESTQ $SLACK, flags<>(SB)
	JEQ   done
	MOVL  $PR_SET_TIMERSLACK, DI
	MOVQ  slack<>(SB), SI
	MOVL  $157, AX
	SYSCALL

done:
	RET
