#include "textflag.h"

#define RLIMIT_NOFILE 7
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30
#define LONG_SLACK 4000000 // ns
#define SYS_prctl 167
#define SYS_prlimit64 261

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

// The kernel leaves argc, argv, 0, envp, 0 and the auxiliary vector at RSP, one word each.
TEXT ociruntime_start(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVD $0, R0
	MOVD $RLIMIT_NOFILE, R1
	MOVD $0, R2
	MOVD $limit<>(SB), R3
	MOVD $SYS_prlimit64, R8
	SVC
	CBNZ R0, timer
	MOVD $1, R4
	MOVD R4, known<>(SB)
	MOVD $lowered<>(SB), R2
	MOVD $3, R4
	MOVD R4, (R2)
	MOVD limit<>+8(SB), R4
	MOVD R4, 8(R2)
	MOVD $RLIMIT_NOFILE, R1
	MOVD $0, R3
	MOVD $SYS_prlimit64, R8
	SVC

timer:
	MOVD $PR_GET_TIMERSLACK, R0
	MOVD $SYS_prctl, R8
	SVC
	CMP  $0, R0
	BLE  environment
	MOVD R0, slack<>(SB)
	MOVD $PR_SET_TIMERSLACK, R0
	MOVD $LONG_SLACK, R1
	MOVD $SYS_prctl, R8
	SVC

environment:
	// Everything up to the end of envp moves down by two words, since the stack has to stay aligned.
	// The variable takes both: one that is set a second time counts once.
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

// func restoreLimit()
TEXT ·restoreLimit(SB), NOSPLIT, $0
	MOVD known<>(SB), R4
	CBZ  R4, done
	MOVD $0, R0
	MOVD $RLIMIT_NOFILE, R1
	MOVD $limit<>(SB), R2
	MOVD $0, R3
	MOVD $SYS_prlimit64, R8
	SVC

done:
	RET

// func restoreSlack()
TEXT ·restoreSlack(SB), NOSPLIT, $0
	MOVD slack<>(SB), R1
	CBZ  R1, done
	MOVD $PR_SET_TIMERSLACK, R0
	MOVD $SYS_prctl, R8
	SVC

done:
	RET
