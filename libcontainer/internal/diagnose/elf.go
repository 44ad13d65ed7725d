package diagnose

import (
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// elfFile is what the diagnosis of a failed execve asks of a program (elf(5)). debug/elf would know
// it, and costs a command less than 2 % (1.5 % more page faults in `state`). But it "is not
// designed to be hardened against adversarial inputs", and the program is the image's, read by root
// outside of the container's memory limit: a sparse file of 4 KiB whose header promises 65,535
// segments of 65,535 bytes makes it allocate 4 GiB; compressed section names have no bound at all.
type elfFile struct {
	machine machine
	loader  string // PT_INTERP, empty for a static program
}

const elfMagic = "\x7fELF"

// machine is e_machine of an ELF file.
type machine uint16

const (
	machine386     machine = 3
	machineMIPS    machine = 8
	machinePPC64   machine = 21
	machineS390    machine = 22
	machineARM     machine = 40
	machineX8664   machine = 62
	machineAArch64 machine = 183
	machineRISCV   machine = 243
	machineLoong   machine = 258
)

func (m machine) String() string {
	switch m {
	case machine386:
		return "386"
	case machineMIPS:
		return "mips"
	case machinePPC64:
		return "ppc64"
	case machineS390:
		return "s390"
	case machineARM:
		return "arm"
	case machineX8664:
		return "x86_64"
	case machineAArch64:
		return "aarch64"
	case machineRISCV:
		return "riscv"
	case machineLoong:
		return "loongarch"
	}
	return "ELF machine " + strconv.Itoa(int(m))
}

// nativeMachine is this machine's kind, or 0 where programs of several kinds run anyway.
func nativeMachine() machine {
	switch runtime.GOARCH {
	case "amd64":
		return machineX8664
	case "arm64":
		return machineAArch64
	}
	return 0
}

var errDamagedELF = errors.New("damaged ELF file")

// readELF reads the header and the table of segments.
func readELF(r io.ReaderAt) (*elfFile, error) {
	const (
		headSize   = 64
		class64    = 2
		bigEndian  = 2
		ptInterp   = 3
		maxHeaders = 1024
	)
	var h [headSize]byte
	// A 32-bit header is shorter, but no program is.
	if _, err := r.ReadAt(h[:], 0); err != nil || string(h[:4]) != elfMagic {
		return nil, errDamagedELF
	}
	var order binary.ByteOrder = binary.LittleEndian
	if h[5] == bigEndian {
		order = binary.BigEndian
	}
	e := &elfFile{machine: machine(order.Uint16(h[18:]))}
	wide := h[4] == class64
	table, size, count := uint64(order.Uint32(h[28:])), order.Uint16(h[42:]), order.Uint16(h[44:])
	if wide {
		table, size, count = order.Uint64(h[32:]), order.Uint16(h[54:]), order.Uint16(h[56:])
	}
	if count > 0 && (size < 32 || wide && size < 56) || count > maxHeaders {
		return nil, errDamagedELF
	}
	p := make([]byte, size)
	for i := range uint64(count) {
		if _, err := r.ReadAt(p, int64(table+i*uint64(size))); err != nil {
			return nil, errDamagedELF
		}
		if order.Uint32(p) != ptInterp {
			continue
		}
		offset, length := uint64(order.Uint32(p[4:])), uint64(order.Uint32(p[16:]))
		if wide {
			offset, length = order.Uint64(p[8:]), order.Uint64(p[32:])
		}
		name := make([]byte, min(length, unix.PathMax))
		if _, err := r.ReadAt(name, int64(offset)); err != nil {
			return nil, errDamagedELF
		}
		e.loader = unix.ByteSliceToString(name)
	}
	return e, nil
}
