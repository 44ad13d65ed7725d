#include "textflag.h"
#include "entry.h"

// The kernel leaves argc, argv, 0, envp, 0 and the auxiliary vector at RSP, one word each.
TEXT ociruntime_start(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVD $ACTIVE, R19

	MOVD $0, R0
	MOVD $RLIMIT_NOFILE, R1
	MOVD $0, R2
	MOVD $limit<>(SB), R3
	MOVD $261, R8 // prlimit64
	SVC
	CBNZ R0, timer
	ORR  $LIMIT, R19
	MOVD $lowered<>(SB), R2
	MOVD $3, R4
	MOVD R4, (R2)
	MOVD limit<>+8(SB), R4
	MOVD R4, 8(R2)
	MOVD $RLIMIT_NOFILE, R1
	MOVD $0, R3
	MOVD $261, R8
	SVC

timer:
	MOVD $PR_GET_TIMERSLACK, R0
	MOVD $167, R8 // prctl
	SVC
	CMP  $0, R0
	BLE  environment
	ORR  $SLACK, R19
	MOVD R0, slack<>(SB)
	MOVD $PR_SET_TIMERSLACK, R0
	MOVD $4000000, R1
	MOVD $167, R8
	SVC

environment:
	MOVD R19, flags<>(SB)

	// Everything up to the end of envp moves down by two words, since the stack has to stay aligned; the variable takes both.
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

variables:
	MOVD.P 8(R1), R4
	CBZ    R4, add
	MOVD.P R4, 8(R2)
	B      variables

add:
	MOVD $added<>(SB), R4
	MOVD R4, (R2)
	MOVD R4, 8(R2)
	B    _rt0_arm64_linux(SB)

// func Active() bool
TEXT ·Active(SB), NOSPLIT, $0-1
	MOVD flags<>(SB), R0
	AND  $ACTIVE, R0
	MOVB R0, ret+0(FP)
	RET

// func restoreLimit()
TEXT ·restoreLimit(SB), NOSPLIT, $0
	MOVD flags<>(SB), R4
	TBZ  $1, R4, done // LIMIT
	MOVD $0, R0
	MOVD $RLIMIT_NOFILE, R1
	MOVD $limit<>(SB), R2
	MOVD $0, R3
	MOVD $261, R8
	SVC

done:
	RET

// func RestoreSlack()
TEXT ·RestoreSlack(SB), NOSPLIT, $0
	MOVD flags<>(SB), R4
	TBZ  $2, R4, done // SLACK
	MOVD $PR_SET_TIMERSLACK, R0
	MOVD slack<>(SB), R1
	MOVD $167, R8
	SVC

done:
	RET
