//go:build amd64 || arm64

package initimage

import (
	"encoding/binary"
	"fmt"

	"github.com/ociruntime/ociruntime/libcontainer/kernel"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

const (
	textAddr   = 0x400000
	headerSize = 64
	phdrSize   = 56
	phdrs      = 4
)

// Link makes the executable for p. fds gives the descriptor number of each of p.Files.
func Link(p *plan.Plan, fds []int) ([]byte, error) {
	code := kernel.OpLoop()
	entry := uint64(textAddr + headerSize + phdrs*phdrSize)
	image, err := segments(p, fds, entry+uint64(len(code)-kernel.HandlerSize))
	if err != nil {
		return nil, err
	}
	textSize := uint64(headerSize + phdrs*phdrSize + len(code))
	if textSize > kernel.DataOffset {
		return nil, fmt.Errorf("headers and code have %d bytes, there is room for %d", textSize, kernel.DataOffset)
	}
	copy(image, header())
	at := headerSize
	for _, h := range [phdrs]phdr{
		{typ: ptLoad, flags: pfR | pfX, addr: textAddr, size: textSize, align: kernel.PageAlign},
		// Something has to be where the loop notes its progress until the first op has mapped the
		// shared page over it: a private copy of the text.
		{typ: ptLoad, flags: pfR | pfW, addr: kernel.PageAddr, size: textSize, align: kernel.PageAlign},
		{typ: ptLoad, flags: pfR | pfW, offset: kernel.DataOffset, addr: kernel.RegsAddr, size: uint64(len(image) - kernel.DataOffset), align: kernel.PageAlign},
		// Without this header the kernel makes the stack executable (and with READ_IMPLIES_EXEC on
		// older ones everything else).
		{typ: ptGNUStack, flags: pfR | pfW, align: 16},
	} {
		copy(image[at:], h.bytes())
		at += phdrSize
	}
	copy(image[at:], code)
	return image, nil
}

const (
	ptLoad     = 1
	ptGNUStack = 0x6474e551
	pfX        = 1
	pfW        = 2
	pfR        = 4
)

// phdr is an Elf64_Phdr (elf(5)); file and memory size are the same.
type phdr struct {
	typ, flags                uint32
	offset, addr, size, align uint64
}

func (h phdr) bytes() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, h.typ)
	b = le.AppendUint32(b, h.flags)
	for _, w := range []uint64{h.offset, h.addr, h.addr, h.size, h.size, h.align} {
		b = le.AppendUint64(b, w)
	}
	return b
}

// header is the Elf64_Ehdr of a static little-endian executable.
func header() []byte {
	le := binary.LittleEndian
	b := append([]byte("\x7fELF"), 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint16(b, 2) // ET_EXEC
	b = le.AppendUint16(b, elfMachine)
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, textAddr+headerSize+phdrs*phdrSize)
	b = le.AppendUint64(b, headerSize)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, h := range []uint16{headerSize, phdrSize, phdrs, 0, 0, 0} {
		b = le.AppendUint16(b, h)
	}
	return b
}
