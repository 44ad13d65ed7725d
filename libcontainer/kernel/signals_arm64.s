#include "textflag.h"

// The handler: it gets the signal in R0, and the kernel keeps every register for the interrupted code. No Go code may run here.
TEXT ·catchSignal(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVD $1, R1
	LSL  R0, R1, R1
	MOVD $·caught(SB), R2

again:
	LDAXR (R2), R3
	ORR   R1, R3, R3
	STLXR R3, (R2), R4
	CBNZ  R4, again
	RET

// Where it returns to.
TEXT ·signalReturn(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVD $139, R8 // rt_sigreturn
	SVC
	BRK  $0

TEXT ·catchSignalAddr(SB), NOSPLIT, $0-8
	MOVD $·catchSignal(SB), R0
	MOVD R0, ret+0(FP)
	RET

TEXT ·signalReturnAddr(SB), NOSPLIT, $0-8
	MOVD $·signalReturn(SB), R0
	MOVD R0, ret+0(FP)
	RET
