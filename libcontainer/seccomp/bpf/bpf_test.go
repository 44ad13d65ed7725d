package bpf

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

const allow = 0x7fff0000

func TestCheck(t *testing.T) {
	ret := Instruction{Op: Return, K: allow}
	for _, test := range []struct {
		name string
		code []Instruction
		want string // part of the error
	}{
		{"one return", []Instruction{ret}, ""},
		{"nothing", nil, "0 instructions"},
		{"too long", slices.Repeat([]Instruction{ret}, MaxInstructions+1), "4097 instructions"},
		{"no return", []Instruction{ret, {Op: LoadAbs}}, "instruction 1: the last one must be a return"},
		{"jump out", []Instruction{{Op: Jump, K: 1}, ret}, "instruction 0: jump by 1 leaves"},
		{"jump far out", []Instruction{{Op: Jump, K: 0xffffffff}, ret}, "leaves"},
		{"branch out", []Instruction{{Op: JumpEq, False: 1}, ret}, "leaves"},
		{"branch to the end", []Instruction{{Op: JumpSet, True: 1}, {Op: And}, ret}, ""},
		{"load beside a word", []Instruction{{Op: LoadAbs, K: 2}, ret}, "load at offset 2"},
		{"load behind the data", []Instruction{{Op: LoadAbs, K: 64}, ret}, "load at offset 64"},
		{"half words", []Instruction{{Op: 0x28, K: 0}, ret}, "does not allow operation 0x28"},
		{"modulo", []Instruction{{Op: 0x94, K: 3}, ret}, "does not allow"},
		{"division by zero", []Instruction{{Op: aluDiv}, ret}, "division by zero"},
		{"shift too far", []Instruction{{Op: aluLsh, K: 32}, ret}, "shift by 32"},
		{"scratch word unwritten", []Instruction{{Op: loadMem, K: 3}, ret}, "scratch word 3"},
		{"scratch word written on one path", []Instruction{{Op: JumpEq, True: 1}, {Op: store, K: 3}, {Op: loadMem, K: 3}, ret}, "scratch word 3"},
		{"scratch word written", []Instruction{{Op: store, K: 3}, {Op: JumpEq, True: 1}, {Op: And}, {Op: loadMem, K: 3}, ret}, ""},
	} {
		err := Check(test.code)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestRun(t *testing.T) {
	ret := Instruction{Op: returnA}
	ld := func(k uint32) Instruction { return Instruction{Op: LoadAbs, K: k} }
	d := Data{Nr: 7, Arch: 0xc000003e, IP: 0x1122334455667788, Args: [6]uint64{0xaabbccdd00112233, 5: 9}}
	for _, test := range []struct {
		name  string
		code  []Instruction
		order binary.ByteOrder
		want  uint32
		steps int
	}{
		{"number", []Instruction{ld(0), ret}, binary.LittleEndian, 7, 2},
		{"architecture", []Instruction{ld(4), ret}, binary.BigEndian, 0xc000003e, 2},
		{"lower word", []Instruction{ld(16), ret}, binary.LittleEndian, 0x00112233, 2},
		{"upper word", []Instruction{ld(16), ret}, binary.BigEndian, 0xaabbccdd, 2},
		{"last word", []Instruction{ld(60), ret}, binary.BigEndian, 9, 2},
		{"equal", []Instruction{ld(0), {Op: JumpEq, K: 7, True: 1}, {Op: Return, K: 1}, {Op: Return, K: 2}}, binary.LittleEndian, 2, 3},
		{"not greater", []Instruction{ld(0), {Op: JumpGt, K: 7, True: 1}, {Op: Return, K: 1}, {Op: Return, K: 2}}, binary.LittleEndian, 1, 3},
		{"at least", []Instruction{ld(0), {Op: JumpGe, K: 7, True: 1}, {Op: Return, K: 1}, {Op: Return, K: 2}}, binary.LittleEndian, 2, 3},
		{"bits", []Instruction{ld(0), {Op: JumpSet, K: 8, True: 1}, {Op: Return, K: 1}, {Op: Return, K: 2}}, binary.LittleEndian, 1, 3},
		{"mask", []Instruction{ld(0), {Op: And, K: 5}, ret}, binary.LittleEndian, 5, 3},
		{"long jump", []Instruction{{Op: Jump, K: 1}, {Op: Return, K: 1}, {Op: Return, K: 2}}, binary.LittleEndian, 2, 2},
		{"scratch and index", []Instruction{ld(0), {Op: store, K: 2}, {Op: toX}, {Op: loadMem, K: 2}, {Op: aluAdd | sourceX}, {Op: aluLsh, K: 2}, ret},
			binary.LittleEndian, 56, 7},
	} {
		if err := Check(test.code); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		got, steps, err := Run(test.code, d, test.order)
		if err != nil || got != test.want || steps != test.steps {
			t.Errorf("%s: %#x in %d steps, %v; want %#x in %d", test.name, got, steps, err, test.want, test.steps)
		}
	}
	for _, code := range [][]Instruction{nil, {ld(0)}, {ld(66), ret}, {{Op: 0x28}, ret}, {{Op: aluDiv | sourceX}, ret}, {{Op: 0x94, K: 1}, ret}} {
		if _, _, err := Run(code, d, binary.LittleEndian); err == nil {
			t.Errorf("%v runs", code)
		}
	}
}

func TestEncode(t *testing.T) {
	code := []Instruction{{Op: JumpGe, True: 1, False: 2, K: 0x01020304}, {Op: Return, K: allow}}
	if got := string(Encode(code, binary.LittleEndian)); got != "\x35\x00\x01\x02\x04\x03\x02\x01\x06\x00\x00\x00\x00\x00\xff\x7f" {
		t.Errorf("little-endian %q", got)
	}
	if got := string(Encode(code, binary.BigEndian)); got != "\x00\x35\x01\x02\x01\x02\x03\x04\x00\x06\x00\x00\x7f\xff\x00\x00" {
		t.Errorf("big-endian %q", got)
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if got := Decode(append(Encode(code, order), 1, 2, 3), order); !slices.Equal(got, code) {
			t.Errorf("decoded %v", got)
		}
	}
}

func TestString(t *testing.T) {
	code := []Instruction{{Op: LoadAbs, K: 4}, {Op: JumpSet, K: 16, True: 1, False: 2}, {Op: And, K: 255}, {Op: Jump, K: 300}, {Op: Return, K: allow}, {Op: returnA}}
	want := []string{"ld [4]", "jset #0x10, +1, +2", "and #0xff", "ja +300", "ret #0x7fff0000", "op 0x16 0 0 0x0"}
	for i, in := range code {
		if in.String() != want[i] {
			t.Errorf("%q, want %q", in, want[i])
		}
	}
}
