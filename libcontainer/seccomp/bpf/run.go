package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Data is struct seccomp_data: what a filter sees of a system call.
type Data struct {
	Nr   uint32
	Arch uint32
	IP   uint64
	Args [6]uint64
}

const dataSize = 64

// Offsets into struct seccomp_data.
const (
	OffsetNr   = 0
	OffsetArch = 4
	offsetIP   = 8
	OffsetArgs = 16
)

func (d *Data) encode(order binary.ByteOrder) (b [dataSize]byte) {
	order.PutUint32(b[OffsetNr:], d.Nr)
	order.PutUint32(b[OffsetArch:], d.Arch)
	order.PutUint64(b[offsetIP:], d.IP)
	for i, a := range d.Args {
		order.PutUint64(b[OffsetArgs+8*i:], a)
	}
	return b
}

// A machine is the state of a running filter.
type machine struct {
	data  [dataSize]byte
	order binary.ByteOrder
	a, x  uint32
	mem   [16]uint32
}

var errEnd = errors.New("the program ends without a return")

// Run executes the filter on one system call and returns its verdict (SECCOMP_RET_*) and the number
// of instructions executed. The program should have passed Check; one that has not gives an error
// where the kernel would refuse to load it.
func Run(program []Instruction, d Data, order binary.ByteOrder) (verdict uint32, steps int, err error) {
	m := machine{data: d.encode(order), order: order}
	for pc := 0; pc < len(program); pc++ {
		in := program[pc]
		steps++
		switch in.Op & 7 {
		case classRet:
			if in.Op == returnA {
				return m.a, steps, nil
			}
			return in.K, steps, nil
		case classJmp:
			pc += int(m.jump(in))
		case classAlu:
			err = m.alu(in)
		default:
			err = m.move(in)
		}
		if err != nil {
			return 0, steps, fmt.Errorf("instruction %d: %w", pc, err)
		}
	}
	return 0, steps, errEnd
}

func (m *machine) jump(in Instruction) uint32 {
	operand := in.K
	if in.Op&sourceX != 0 {
		operand = m.x
	}
	var taken bool
	switch in.Op &^ sourceX {
	case Jump:
		return in.K
	case JumpEq:
		taken = m.a == operand
	case JumpGt:
		taken = m.a > operand
	case JumpGe:
		taken = m.a >= operand
	case JumpSet:
		taken = m.a&operand != 0
	}
	if taken {
		return uint32(in.True)
	}
	return uint32(in.False)
}

func (m *machine) alu(in Instruction) error {
	operand := in.K
	if in.Op&sourceX != 0 {
		operand = m.x
	}
	switch in.Op &^ sourceX {
	case aluAdd:
		m.a += operand
	case aluSub:
		m.a -= operand
	case aluMul:
		m.a *= operand
	case aluDiv:
		if operand == 0 {
			return errors.New("division by zero")
		}
		m.a /= operand
	case aluOr:
		m.a |= operand
	case And:
		m.a &= operand
	case aluXor:
		m.a ^= operand
	case aluLsh:
		m.a <<= operand & 31
	case aluRsh:
		m.a >>= operand & 31
	case aluNeg:
		m.a = -m.a
	default:
		return fmt.Errorf("operation %#x is unknown", in.Op)
	}
	return nil
}

// move executes the loads, stores and transfers.
func (m *machine) move(in Instruction) error {
	switch in.Op {
	case LoadAbs:
		if in.K&3 != 0 || in.K >= dataSize {
			return fmt.Errorf("load at offset %d", in.K)
		}
		m.a = m.order.Uint32(m.data[in.K:])
	case loadImm:
		m.a = in.K
	case loadXImm:
		m.x = in.K
	case loadLen:
		m.a = dataSize
	case loadXLen:
		m.x = dataSize
	case loadMem:
		m.a = m.mem[in.K&15]
	case loadXMem:
		m.x = m.mem[in.K&15]
	case store:
		m.mem[in.K&15] = m.a
	case storeX:
		m.mem[in.K&15] = m.x
	case toX:
		m.x = m.a
	case toA:
		m.a = m.x
	default:
		return fmt.Errorf("operation %#x is unknown", in.Op)
	}
	return nil
}
