package devices

import "encoding/binary"

// Insn is one eBPF instruction.
type Insn struct {
	Code     uint8
	Dst, Src uint8 // registers
	Off      int16
	Imm      int32
}

// The few opcodes that a device program needs, all of them 64 bits wide but the load
// (Documentation/bpf/standardization/instruction-set.rst). K is a constant, X a register.
const (
	opLoadW = 0x61 // dst = *(u32 *)(src + off)
	opConst = 0x18 // dst = imm, with the upper half in the next instruction's imm
	opMovK  = 0xb7
	opMovX  = 0xbf
	opAddK  = 0x07
	opAndK  = 0x57
	opAndX  = 0x5f
	opOrK   = 0x47
	opOrX   = 0x4f
	opXorK  = 0xa7
	opXorX  = 0xaf
	opLshK  = 0x67
	opRshK  = 0x77
	opMulK  = 0x27
	opExit  = 0x95 // return r0
)

// Register use: r1 is the context, struct bpf_cgroup_dev_ctx {u32 access<<16|type; u32 major; u32
// minor}.
const (
	regResult  = 0
	regCtx     = 1
	regAccess  = 2 // what is asked for
	regFamily  = 3 // type<<12 | major, which has 12 bits; the minor has 20
	regDevice  = 4 // type<<32 | major<<20 | minor
	regMinor   = 5
	regAllowed = 6 // what the rules so far allow
	regMatch   = 7
)

const (
	majorBits, minorBits = 12, 20
	maxMajor, maxMinor   = 1<<majorBits - 1, 1<<minorBits - 1
)

// Program is the cgroup device program for the rules: it returns 1 to allow a request and 0 to
// refuse it (EPERM).
//
// It goes through the rules in their order and keeps the set of allowed bits for the device of the
// request. There is no jump in it, each rule computes the bits that it is about: the kernel's
// verifier follows every branch of a program, which takes it longer than all else that makes a
// container's cgroup. It is also why no mask comes from an arithmetic shift: a verifier that knows
// a number to be 0 or -1 (Linux 6.18) follows both ways too, and 2^n ways through n rules.
func Program(rules []Rule) []Insn {
	p := []Insn{
		{Code: opLoadW, Dst: regFamily, Src: regCtx},
		{Code: opMovX, Dst: regAccess, Src: regFamily},
		{Code: opRshK, Dst: regAccess, Imm: 16},
		{Code: opAndK, Dst: regFamily, Imm: 0xffff},
		{Code: opLshK, Dst: regFamily, Imm: majorBits},
		{Code: opLoadW, Dst: regDevice, Src: regCtx, Off: 4},
		{Code: opOrX, Dst: regFamily, Src: regDevice},
		{Code: opLoadW, Dst: regMinor, Src: regCtx, Off: 8},
		{Code: opMovX, Dst: regDevice, Src: regFamily},
		{Code: opLshK, Dst: regDevice, Imm: minorBits},
		{Code: opOrX, Dst: regDevice, Src: regMinor},
		{Code: opMovK, Dst: regAllowed},
	}
	for i := len(rules) - 1; i >= 0; i-- {
		if rules[i].Type == All && rules[i].Access == Full {
			rules = rules[i:] // it leaves nothing of what comes before
			break
		}
	}
	for _, r := range rules {
		p = append(p, ruleCode(r)...)
	}
	return append(p,
		Insn{Code: opXorK, Dst: regAllowed, Imm: int32(Full)},
		Insn{Code: opAndX, Dst: regAccess, Src: regAllowed},
		// 1 if nothing that was asked for is left, else 0; the verifier sees that a single bit can
		// be nothing else.
		Insn{Code: opAddK, Dst: regAccess, Imm: -1},
		Insn{Code: opRshK, Dst: regAccess, Imm: 63},
		Insn{Code: opMovX, Dst: regResult, Src: regAccess},
		Insn{Code: opExit},
	)
}

// ruleCode is the code for one rule.
func ruleCode(r Rule) []Insn {
	if r.Type == All {
		if r.Allow {
			return []Insn{{Code: opOrK, Dst: regAllowed, Imm: int32(r.Access)}}
		}
		return []Insn{{Code: opAndK, Dst: regAllowed, Imm: int32(Full &^ r.Access)}}
	}
	if r.Major > maxMajor || r.Minor > maxMinor {
		return nil // Linux has no such device
	}
	code := append(difference(r),
		Insn{Code: opAddK, Dst: regMatch, Imm: -1},
		Insn{Code: opRshK, Dst: regMatch, Imm: 63}, // 1 if it matches, else 0
		Insn{Code: opMulK, Dst: regMatch, Imm: int32(r.Access)},
		Insn{Code: opOrX, Dst: regAllowed, Src: regMatch},
	)
	if !r.Allow {
		code = append(code, Insn{Code: opXorX, Dst: regAllowed, Src: regMatch})
	}
	return code
}

// difference computes a number that is zero if the rule matches the device, and positive if not.
func difference(r Rule) []Insn {
	kind := int64(2) // BPF_DEVCG_DEV_CHAR
	if r.Type == Block {
		kind = 1 // BPF_DEVCG_DEV_BLOCK
	}
	family := Insn{Code: opMovX, Dst: regMatch, Src: regFamily}
	justType := Insn{Code: opRshK, Dst: regMatch, Imm: majorBits}
	xor := func(n int64) Insn { return Insn{Code: opXorK, Dst: regMatch, Imm: int32(n)} }
	switch {
	case r.Major == Any && r.Minor == Any:
		return []Insn{family, justType, xor(kind)}
	case r.Minor == Any:
		return []Insn{family, xor(kind<<majorBits | r.Major)}
	case r.Major == Any:
		return []Insn{
			family, justType,
			{Code: opLshK, Dst: regMatch, Imm: minorBits},
			{Code: opOrX, Dst: regMatch, Src: regMinor},
			xor(kind<<minorBits | r.Minor),
		}
	}
	device := kind<<(majorBits+minorBits) | r.Major<<minorBits | r.Minor
	return []Insn{
		{Code: opConst, Dst: regMatch, Imm: int32(uint32(device))},
		{Imm: int32(device >> 32)},
		{Code: opXorX, Dst: regMatch, Src: regDevice},
	}
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
		// struct bpf_insn keeps the registers in two bit fields, whose place in the byte follows
		// the byte order.
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
