//go:build amd64 || arm64

package kernel

import (
	"bytes"
	"unsafe"
)

// codeEnd stands behind the loop's last instruction.
const codeEnd = "OPLOOPND"

// HandlerSize is the size of the last instructions, which are a signal handler: it ends the init
// with 128 plus the signal's number.
const HandlerSize = 16

func opLoopAddr() uintptr

// OpLoop returns a copy of the op loop's machine code from our own text. It is
// position-independent; its entry point is its first byte.
func OpLoop() []byte {
	// The loop is a few hundred bytes; the marker behind it bounds the copy.
	const most = 2048
	text := unsafe.Slice((*byte)(codePointer()), most)
	n := bytes.Index(text, []byte(codeEnd))
	if n < 0 {
		panic("kernel: the op loop has no end marker")
	}
	return bytes.Clone(text[:n])
}

// codePointer turns the address that the linker gave the loop into a pointer; text never moves.
func codePointer() unsafe.Pointer {
	addr := opLoopAddr()
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}
