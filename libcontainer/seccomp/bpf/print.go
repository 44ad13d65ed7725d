package bpf

import "fmt"

// String returns the instruction in the notation of the kernel's bpf_asm, jumps by their distance.
func (in Instruction) String() string {
	switch in.Op {
	case LoadAbs:
		return fmt.Sprintf("ld [%d]", in.K)
	case And:
		return fmt.Sprintf("and #%#x", in.K)
	case Return:
		return fmt.Sprintf("ret #%#x", in.K)
	case Jump:
		return fmt.Sprintf("ja +%d", in.K)
	case JumpEq, JumpGt, JumpGe, JumpSet:
		return fmt.Sprintf("%s #%#x, +%d, +%d", in.Op, in.K, in.True, in.False)
	}
	return fmt.Sprintf("op %#x %d %d %#x", uint16(in.Op), in.True, in.False, in.K)
}

// String returns the operation's mnemonic.
func (op Op) String() string {
	switch op {
	case LoadAbs:
		return "ld"
	case And:
		return "and"
	case Return:
		return "ret"
	case Jump:
		return "ja"
	case JumpEq:
		return "jeq"
	case JumpGt:
		return "jgt"
	case JumpGe:
		return "jge"
	case JumpSet:
		return "jset"
	}
	return fmt.Sprintf("op %#x", uint16(op))
}
