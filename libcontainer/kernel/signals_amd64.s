#include "textflag.h"

// The handler: it gets the signal in DI, and the kernel keeps every register for the interrupted code. No Go code may run here.
TEXT ·catchSignal(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVL DI, CX
	MOVL $1, AX
	SHLQ CX, AX
	LOCK
	ORQ  AX, ·caught(SB)
	RET

// Where it returns to.
TEXT ·signalReturn(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVL $15, AX // rt_sigreturn
	SYSCALL
	INT  $3

TEXT ·catchSignalAddr(SB), NOSPLIT, $0-8
	LEAQ ·catchSignal(SB), AX
	MOVQ AX, ret+0(FP)
	RET

TEXT ·signalReturnAddr(SB), NOSPLIT, $0-8
	LEAQ ·signalReturn(SB), AX
	MOVQ AX, ret+0(FP)
	RET
