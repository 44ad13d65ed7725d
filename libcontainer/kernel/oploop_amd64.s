#include "textflag.h"

// The op loop: the whole program of the init image. No data references, no stack, no calls: it is copied out of our own text.
//
//	R13 page shared with the host   R12 registers   BX current op   R15 its index   R14 retries left
//
// The system call's arguments go to DI SI DX R10 R8 R9; the kernel clobbers CX, R11 and the result AX only.
#define ARG(i, r) \
	MOVQ (24+8*i)(BX), r; \
	BTL  $i, AX;         \
	JCC  3(PC);          \
	ANDL $255, r;        \
	MOVQ (R12)(r*8), r

TEXT ·opLoop(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVL $0x10000000, R13
	MOVL $0x10011000, R12
	MOVL $0x10011800, BX
	XORL R15, R15

next:
	MOVL    R15, (R13)
	MOVBLZX 8(BX), R14

	// The condition.
	MOVBLZX 7(BX), AX
	TESTL   AX, AX
	JEQ     run
	MOVBLZX 6(BX), CX
	MOVQ    (R12)(CX*8), CX
	CMPL    AX, $2
	JEQ     failed
	JHI     notok
	TESTQ   CX, CX
	JPL     run
	JMP     advance

failed:
	// -4095 to -1; an unset register holds -4096.
	CMPQ CX, $-4095
	JCC  run
	JMP  advance

notok:
	TESTQ CX, CX
	JPL   advance

run:
	MOVBLZX 4(BX), AX
	ARG(0, DI)
	ARG(1, SI)
	ARG(2, DX)
	ARG(3, R10)
	ARG(4, R8)
	ARG(5, R9)
	MOVWLZX 2(BX), AX
	MOVWLZX 0(BX), CX
	TESTL   CX, CX
	JNE     pseudo
	SYSCALL

result:
	CMPQ    AX, $-4095
	JCC     error
	CMPB    9(BX), $0
	JEQ     store
	MOVL    20(BX), CX
	CMPQ    AX, CX
	JEQ     store
	MOVL    $71, CX       // EPROTO: a result that is no error, and not what the plan wants
	JMP     fatal

store:
	MOVBLZX 5(BX), CX
	CMPL    CX, $255
	JEQ     advance
	MOVQ    AX, (R12)(CX*8)

advance:
	INCL R15
	ADDQ $72, BX
	JMP  next

error:
	MOVL  AX, CX
	NEGL  CX
	TESTL R14, R14
	JEQ   allowed
	CMPL  CX, $11         // EAGAIN
	JEQ   again
	CMPL  CX, $4          // EINTR
	JEQ   again
	CMPL  CX, $18         // EXDEV
	JNE   allowed

again:
	DECL R14
	JMP  run

allowed:
	CMPW 10(BX), CX
	JEQ  store
	CMPW 12(BX), CX
	JEQ  store
	CMPW 14(BX), CX
	JEQ  store
	CMPW 16(BX), CX
	JEQ  store
	CMPW 18(BX), CX
	JEQ  store

fatal:
	MOVL CX, 4(R13)

	// Report {op, errno}: sendto(register 0, page, 8, MSG_NOSIGNAL).
	MOVQ  (R12), DI
	TESTQ DI, DI
	JMI   exit
	MOVL  $44, AX
	MOVQ  R13, SI
	MOVL  $8, DX
	MOVL  $0x4000, R10
	XORL  R8, R8
	XORL  R9, R9
	SYSCALL

exit:
	MOVL $255, DI

leave:
	MOVL $231, AX         // exit_group
	SYSCALL
	UNDEF

pseudo:
	CMPL CX, $2
	JCS  set
	JEQ  load32
	CMPL CX, $4
	JCS  store32
	JEQ  load64
	CMPL CX, $6
	JCS  store64
	JEQ  assert
	CMPL CX, $8
	JCS  fail

	// spawn: the parent leaves without touching the page, which the child writes to already.
	SYSCALL
	TESTQ AX, AX
	JLE   result
	XORL  DI, DI
	JMP   leave

set:
	MOVQ DI, AX
	JMP  store

load32:
	MOVLQSX (DI), AX
	JMP     store

store32:
	MOVL SI, (DI)
	XORL AX, AX
	JMP  store

load64:
	MOVQ (DI), AX
	JMP  store

store64:
	MOVQ SI, (DI)
	XORL AX, AX
	JMP  store

assert:
	MOVQ (DI), AX
	ANDQ SI, AX
	CMPQ AX, DX
	JNE  assertion
	XORL AX, AX
	JMP  store

assertion:
	MOVL R10, CX
	MOVQ CX, AX
	NEGQ AX
	JMP  allowed

fail:
	MOVL DI, CX
	MOVQ CX, AX
	NEGQ AX
	JMP  allowed

	// The handler of signals, HandlerSize bytes.
	ADDL $128, DI
	MOVL $231, AX         // exit_group
	SYSCALL
	UNDEF
	BYTE $0x90

	// "OPLOOPND"
	BYTE $0x4f; BYTE $0x50; BYTE $0x4c; BYTE $0x4f
	BYTE $0x4f; BYTE $0x50; BYTE $0x4e; BYTE $0x44

// func opLoopAddr() uintptr
TEXT ·opLoopAddr(SB), NOSPLIT, $0-8
	LEAQ ·opLoop(SB), AX
	MOVQ AX, ret+0(FP)
	RET
