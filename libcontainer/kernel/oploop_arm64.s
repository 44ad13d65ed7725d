#include "textflag.h"

// The op loop: the whole program of the init image. No data references, no stack, no calls: it is copied out of our own text.
//
//	R19 page shared with the host   R20 registers   R21 current op   R22 its index   R23 retries left   R24, R25 scratch
//
// The system call's number goes to R8, its arguments to R0 to R5, the result comes in R0.
#define ARG(i, r) \
	MOVD (24+8*i)(R21), r;  \
	TBZ  $i, R24, 3(PC);    \
	AND  $255, r, r;        \
	MOVD (R20)(r<<3), r

TEXT ·opLoop(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	// In halves: the assembler may put a whole constant into a literal pool behind the function, which is not copied.
	MOVZ $(0x1000<<16), R19
	MOVZ $(0x1001<<16), R20
	MOVK $0x1000, R20
	MOVZ $(0x1001<<16), R21
	MOVK $0x1800, R21
	MOVD $0, R22

next:
	MOVW  R22, (R19)
	MOVBU 8(R21), R23

	// The condition.
	MOVBU 7(R21), R24
	CBZ   R24, run
	MOVBU 6(R21), R25
	MOVD  (R20)(R25<<3), R25
	CMP   $2, R24
	BEQ   failed
	BHI   notok
	TBZ   $63, R25, run
	B     advance

failed:
	// -4095 to -1; an unset register holds -4096.
	CMN $4095, R25
	BCS run
	B   advance

notok:
	TBZ $63, R25, advance

run:
	MOVBU 4(R21), R24
	ARG(0, R0)
	ARG(1, R1)
	ARG(2, R2)
	ARG(3, R3)
	ARG(4, R4)
	ARG(5, R5)
	MOVHU 2(R21), R8
	MOVHU 0(R21), R24
	CBNZ  R24, pseudo
	SVC

result:
	CMN   $4095, R0
	BCS   error
	MOVBU 9(R21), R24
	CBZ   R24, store
	MOVWU 20(R21), R24
	CMP   R24, R0
	BEQ   store
	MOVD  $71, R24       // EPROTO: a result that is no error, and not what the plan wants
	B     fatal

store:
	MOVBU 5(R21), R24
	CMP   $255, R24
	BEQ   advance
	MOVD  R0, (R20)(R24<<3)

advance:
	ADD $1, R22
	ADD $72, R21
	B   next

error:
	NEG R0, R24
	CBZ R23, allowed
	CMP $11, R24         // EAGAIN
	BEQ again
	CMP $4, R24          // EINTR
	BEQ again
	CMP $18, R24         // EXDEV
	BNE allowed

again:
	SUB $1, R23
	B   run

allowed:
	MOVHU 10(R21), R25
	CMP   R25, R24
	BEQ   store
	MOVHU 12(R21), R25
	CMP   R25, R24
	BEQ   store
	MOVHU 14(R21), R25
	CMP   R25, R24
	BEQ   store
	MOVHU 16(R21), R25
	CMP   R25, R24
	BEQ   store
	MOVHU 18(R21), R25
	CMP   R25, R24
	BEQ   store

fatal:
	MOVW R24, 4(R19)

	// Report {op, errno}: sendto(register 0, page, 8, MSG_NOSIGNAL).
	MOVD (R20), R0
	TBNZ $63, R0, exit
	MOVD $206, R8
	MOVD R19, R1
	MOVD $8, R2
	MOVD $0x4000, R3
	MOVD $0, R4
	MOVD $0, R5
	SVC

exit:
	MOVD $255, R0

leave:
	MOVD $94, R8         // exit_group
	SVC
	UNDEF

pseudo:
	CMP $2, R24
	BCC set
	BEQ load32
	CMP $4, R24
	BCC store32
	BEQ load64
	CMP $6, R24
	BCC store64
	BEQ assert
	CMP $8, R24
	BCC fail

	// spawn: the parent leaves without touching the page, which the child writes to already.
	SVC
	CMP $0, R0
	BLE result
	MOVD $0, R0
	B    leave

set:
	B store

load32:
	MOVW (R0), R0
	B    store

store32:
	MOVW R1, (R0)
	MOVD $0, R0
	B    store

load64:
	MOVD (R0), R0
	B    store

store64:
	MOVD R1, (R0)
	MOVD $0, R0
	B    store

assert:
	MOVD (R0), R0
	AND  R1, R0
	CMP  R2, R0
	BNE  assertion
	MOVD $0, R0
	B    store

assertion:
	NEG R3, R0
	MOVD R3, R24
	B   allowed

fail:
	MOVD R0, R24
	NEG  R0, R0
	B    allowed

	// The handler of signals, HandlerSize bytes.
	ADD  $128, R0
	MOVD $94, R8          // exit_group
	SVC
	UNDEF

	// "OPLOOPND", little-endian
	WORD $0x4f4c504f
	WORD $0x444e504f

// func opLoopAddr() uintptr
TEXT ·opLoopAddr(SB), NOSPLIT, $0-8
	MOVD $·opLoop(SB), R0
	MOVD R0, ret+0(FP)
	RET
