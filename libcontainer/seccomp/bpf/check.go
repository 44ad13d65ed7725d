package bpf

import "fmt"

// Operations that seccomp allows beside those that the compiler uses (kernel/seccomp.c,
// seccomp_check_filter).
const (
	loadImm  Op = 0x00
	loadXImm Op = 0x01
	loadLen  Op = 0x80
	loadXLen Op = 0x81
	loadMem  Op = 0x60
	loadXMem Op = 0x61
	store    Op = 0x02
	storeX   Op = 0x03
	toX      Op = 0x07
	toA      Op = 0x87
	returnA  Op = 0x16
	aluAdd   Op = 0x04
	aluSub   Op = 0x14
	aluMul   Op = 0x24
	aluDiv   Op = 0x34
	aluOr    Op = 0x44
	aluLsh   Op = 0x64
	aluRsh   Op = 0x74
	aluNeg   Op = 0x84
	aluXor   Op = 0xa4

	classAlu = 4
	classJmp = 5
	classRet = 6
	sourceX  = 8
)

// Check reports why the kernel would refuse to load the program, nil when it would not. It follows
// bpf_check_classic and seccomp_check_filter: known operations only, aligned loads inside
// seccomp_data, jumps that stay inside, scratch memory written before it is read, and a return at
// the end. Since jumps only go forward, such a program always returns.
func Check(program []Instruction) error {
	if len(program) == 0 || len(program) > MaxInstructions {
		return fmt.Errorf("%d instructions: the kernel takes 1 to %d", len(program), MaxInstructions)
	}
	for pc, in := range program {
		if err := checkOne(in, len(program)-pc-1); err != nil {
			return fmt.Errorf("instruction %d: %w", pc, err)
		}
	}
	if op := program[len(program)-1].Op; op != Return && op != returnA {
		return fmt.Errorf("instruction %d: the last one must be a return", len(program)-1)
	}
	return checkMemory(program)
}

// checkOne checks an instruction that has after others behind it.
func checkOne(in Instruction, after int) error {
	switch in.Op {
	case LoadAbs:
		if in.K&3 != 0 || in.K >= dataSize {
			return fmt.Errorf("load at offset %d of %d", in.K, dataSize)
		}
	case Jump:
		if in.K >= uint32(after) {
			return fmt.Errorf("jump by %d leaves the program", in.K)
		}
	case JumpEq, JumpGt, JumpGe, JumpSet, JumpEq | sourceX, JumpGt | sourceX, JumpGe | sourceX, JumpSet | sourceX:
		if int(in.True) >= after || int(in.False) >= after {
			return fmt.Errorf("jump by %d or %d leaves the program", in.True, in.False)
		}
	case aluDiv:
		if in.K == 0 {
			return fmt.Errorf("division by zero")
		}
	case aluLsh, aluRsh:
		if in.K >= 32 {
			return fmt.Errorf("shift by %d", in.K)
		}
	case loadMem, loadXMem, store, storeX:
		if in.K >= 16 {
			return fmt.Errorf("scratch word %d of 16", in.K)
		}
	case Return, returnA, And, And | sourceX, loadImm, loadXImm, loadLen, loadXLen, toX, toA, aluAdd, aluAdd | sourceX,
		aluSub, aluSub | sourceX, aluMul, aluMul | sourceX, aluDiv | sourceX, aluOr, aluOr | sourceX,
		aluXor, aluXor | sourceX, aluLsh | sourceX, aluRsh | sourceX, aluNeg:
	default:
		return fmt.Errorf("seccomp does not allow operation %#x", uint16(in.Op))
	}
	return nil
}

// checkMemory refuses a read of a scratch word that some path has not written.
func checkMemory(program []Instruction) error {
	// valid[pc] has a bit for each word written on every path that reaches pc by a jump seen so
	// far.
	valid := make([]uint16, len(program))
	for i := range valid {
		valid[i] = 0xffff
	}
	var now uint16
	for pc, in := range program {
		now &= valid[pc]
		switch in.Op {
		case store, storeX:
			now |= 1 << in.K
		case loadMem, loadXMem:
			if now&(1<<in.K) == 0 {
				return fmt.Errorf("instruction %d: scratch word %d may be read before it is written", pc, in.K)
			}
		case Jump:
			valid[pc+1+int(in.K)] &= now
			now = 0xffff
		default:
			if in.Op&7 == classJmp {
				valid[pc+1+int(in.True)] &= now
				valid[pc+1+int(in.False)] &= now
				now = 0xffff
			}
		}
	}
	return nil
}
