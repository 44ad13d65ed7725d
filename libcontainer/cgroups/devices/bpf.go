package devices

import "encoding/binary"

// Insn is one eBPF instruction.
type Insn struct {
	Code     uint8
	Dst, Src uint8 // registers
	Off      int16
	Imm      int32
}

// The few opcodes that a device program needs (Documentation/bpf/standardization/instruction-set.rst).
const (
	opLoadW  = 0x61 // dst = *(u32 *)(src + off)
	opMov32  = 0xbc // dst = src
	opMov64K = 0xb7 // dst = imm
	opAnd32K = 0x54 // dst &= imm
	opRsh32K = 0x74 // dst >>= imm
	opJne32K = 0x56 // if dst != imm: pc += off
	opJset32 = 0x46 // if dst & imm: pc += off
	opJa     = 0x05 // pc += off
	opExit   = 0x95 // return r0
)

// Register use: r1 is the context, struct bpf_cgroup_dev_ctx {u32 access<<16|type; u32 major; u32 minor}.
const (
	regResult = 0
	regCtx    = 1
	regType   = 2
	regAccess = 3 // bits of the request that are not decided yet
	regMajor  = 4
	regMinor  = 5
)

// Program is the cgroup device program for the rules: it returns 1 to allow a request and 0 to refuse it (EPERM).
//
// The rules are tried from the last to the first. A deny rule that names an undecided bit of the request ends it; an allow
// rule takes its bits off, and the request is granted when none is left.
func Program(rules []Rule) []Insn {
	p := []Insn{
		{Code: opLoadW, Dst: regType, Src: regCtx},
		{Code: opMov32, Dst: regAccess, Src: regType},
		{Code: opRsh32K, Dst: regAccess, Imm: 16},
		{Code: opAnd32K, Dst: regType, Imm: 0xffff},
		{Code: opLoadW, Dst: regMajor, Src: regCtx, Off: 4},
		{Code: opLoadW, Dst: regMinor, Src: regCtx, Off: 8},
	}
	for i := len(rules) - 1; i >= 0; i-- {
		p = append(p, block(rules[i])...)
		if rules[i].Type == All && rules[i].Access == Full {
			return p // decides everything: the verifier refuses what could never be reached
		}
	}
	return append(p, verdict(false)...)
}

func verdict(allow bool) []Insn {
	v := Insn{Code: opMov64K, Dst: regResult}
	if allow {
		v.Imm = 1
	}
	return []Insn{v, {Code: opExit}}
}

// block is the code for one rule; it falls out at its end when the rule does not settle the request.
func block(r Rule) []Insn {
	var b []Insn
	skip := func(reg uint8, unless int64) {
		b = append(b, Insn{Code: opJne32K, Dst: reg, Imm: int32(uint32(unless))})
	}
	switch r.Type {
	case Block:
		skip(regType, 1) // BPF_DEVCG_DEV_BLOCK
	case Char:
		skip(regType, 2) // BPF_DEVCG_DEV_CHAR
	}
	if r.Major != Any {
		skip(regMajor, r.Major)
	}
	if r.Minor != Any {
		skip(regMinor, r.Minor)
	}
	switch {
	case r.Access == Full:
	case r.Allow:
		b = append(b, Insn{Code: opAnd32K, Dst: regAccess, Imm: int32(Full &^ r.Access)})
		skip(regAccess, 0)
	default:
		b = append(b, Insn{Code: opJset32, Dst: regAccess, Imm: int32(r.Access), Off: 1}, Insn{Code: opJa})
	}
	b = append(b, verdict(r.Allow)...)
	for i := range b {
		if b[i].Code == opJne32K || b[i].Code == opJa {
			b[i].Off = int16(len(b) - i - 1)
		}
	}
	return b
}

// Encode is the program as bpf(2) takes it, in this machine's byte order.
func Encode(program []Insn) []byte {
	return encode(program, binary.NativeEndian)
}

func encode(program []Insn, order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}) []byte {
	out := make([]byte, 0, 8*len(program))
	for _, in := range program {
		// struct bpf_insn keeps the registers in two bit fields, whose place in the byte follows the byte order.
		regs := in.Src<<4 | in.Dst
		if order.Uint16([]byte{0, 1}) == 1 {
			regs = in.Dst<<4 | in.Src
		}
		out = append(out, in.Code, regs)
		out = order.AppendUint16(out, uint16(in.Off))
		out = order.AppendUint32(out, uint32(in.Imm))
	}
	return out
}
