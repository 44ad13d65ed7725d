// Package bpf is the small part of classic BPF that seccomp(2) filters are made of: instructions,
// their encoding and printing, a checker that accepts what the kernel accepts, and an interpreter.
//
// It knows nothing of system calls or profiles and makes no system calls.
package bpf

import "encoding/binary"

// Op is an operation code of linux/bpf_common.h. Only those that the compiler uses have names here;
// Check and Run know all that seccomp allows.
type Op uint16

// The operations. A is the machine's one register, K the instruction's constant.
const (
	LoadAbs Op = 0x20 // A = word of seccomp_data at byte offset K
	And     Op = 0x54 // A &= K
	Jump    Op = 0x05 // forward by K
	JumpEq  Op = 0x15 // forward by True when A == K, else by False; the three below likewise
	JumpGt  Op = 0x25
	JumpGe  Op = 0x35
	JumpSet Op = 0x45 // A & K != 0
	Return  Op = 0x06 // K
)

// MaxInstructions is the longest filter that the kernel loads (BPF_MAXINSNS).
const MaxInstructions = 4096

// Instruction is a struct sock_filter.
type Instruction struct {
	Op          Op
	True, False uint8
	K           uint32
}

// Encode returns the program as the array of struct sock_filter that seccomp(2) takes, 8 bytes an
// instruction.
func Encode(program []Instruction, order binary.ByteOrder) []byte {
	b := make([]byte, 8*len(program))
	for i, in := range program {
		e := b[8*i : 8*i+8]
		order.PutUint16(e, uint16(in.Op))
		e[2], e[3] = in.True, in.False
		order.PutUint32(e[4:], in.K)
	}
	return b
}

// Decode is the inverse of Encode. What is left after the last whole instruction is ignored.
func Decode(b []byte, order binary.ByteOrder) []Instruction {
	program := make([]Instruction, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		program = append(program, Instruction{Op(order.Uint16(b)), b[2], b[3], order.Uint32(b[4:])})
	}
	return program
}
