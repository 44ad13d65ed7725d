package kernel

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The parts of union bpf_attr (linux/bpf.h) that cgroup device programs need. Every __u64 lies at a
// multiple of 8 by the fields before it, so that 32-bit ports, which align it to 4, get the same
// layout.
type bpfProgLoad struct {
	progType  uint32
	insnCount uint32
	insns     uint64
	license   uint64
	logLevel  uint32
	logSize   uint32
	logBuf    uint64
}

type bpfProgAttach struct {
	targetFD      uint32
	progFD        uint32
	attachType    uint32
	flags         uint32
	replaceProgFD uint32
}

type bpfProgQuery struct {
	targetFD    uint32
	attachType  uint32
	queryFlags  uint32
	attachFlags uint32
	progIDs     uint64
	progCount   uint32
	_           uint32
}

type bpfProgByID struct {
	id     uint32
	nextID uint32
	flags  uint32
}

func bpf(cmd uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	// Loading gives EAGAIN when a signal arrives while the verifier runs, and Go's own preemption
	// is such a signal.
	const attempts = 100
	var errno syscall.Errno
	for range attempts {
		var r uintptr
		r, _, errno = unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
		if errno == 0 {
			return int(r), nil
		}
		if errno != unix.EINTR && errno != unix.EAGAIN {
			break
		}
	}
	return -1, errno
}

// BPFLoadDevice loads a BPF_PROG_TYPE_CGROUP_DEVICE program (8 bytes an instruction, in host byte
// order) and returns a close-on-exec descriptor of it. It needs CAP_BPF or CAP_SYS_ADMIN in the
// initial user namespace.
func BPFLoadDevice(insns []byte) (fd int, err error) {
	if len(insns) == 0 || len(insns)%8 != 0 {
		return -1, fmt.Errorf("load bpf device program: %d bytes are not a whole number of instructions", len(insns))
	}
	license := []byte("Apache-2.0\x00")
	// The kernel reads both through addresses in the attribute, which the garbage collector does
	// not see.
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&insns[0])
	pin.Pin(&license[0])
	attr := bpfProgLoad{
		progType:  unix.BPF_PROG_TYPE_CGROUP_DEVICE,
		insnCount: uint32(len(insns) / 8),
		insns:     uint64(uintptr(unsafe.Pointer(&insns[0]))),
		license:   uint64(uintptr(unsafe.Pointer(&license[0]))),
	}
	fd, err = bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return -1, fmt.Errorf("load bpf device program: %w", err)
	}
	return fd, nil
}

// BPFAttachDevice attaches a device program to a cgroup v2 directory, beside the programs that are
// there already (BPF_F_ALLOW_MULTI: a device must pass them all); with replaceFD >= 0 it takes that
// program's place at once (Linux 5.6). The cgroup keeps the program, its descriptors may be closed.
func BPFAttachDevice(cgroupFD, progFD, replaceFD int) error {
	attr := bpfProgAttach{
		targetFD:   uint32(cgroupFD),
		progFD:     uint32(progFD),
		attachType: unix.BPF_CGROUP_DEVICE,
		flags:      unix.BPF_F_ALLOW_MULTI,
	}
	if replaceFD >= 0 {
		attr.flags |= unix.BPF_F_REPLACE
		attr.replaceProgFD = uint32(replaceFD)
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("attach bpf device program: %w", err)
	}
	return nil
}

// BPFDetachDevice takes a device program off a cgroup.
func BPFDetachDevice(cgroupFD, progFD int) error {
	attr := bpfProgAttach{
		targetFD:   uint32(cgroupFD),
		progFD:     uint32(progFD),
		attachType: unix.BPF_CGROUP_DEVICE,
	}
	if _, err := bpf(unix.BPF_PROG_DETACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("detach bpf device program: %w", err)
	}
	return nil
}

// BPFDevicePrograms returns the ids of the device programs attached to a cgroup itself, not those
// of its ancestors.
func BPFDevicePrograms(cgroupFD int) ([]uint32, error) {
	ids := make([]uint32, 64) // BPF_CGROUP_MAX_PROGS
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&ids[0])
	attr := bpfProgQuery{
		targetFD:   uint32(cgroupFD),
		attachType: unix.BPF_CGROUP_DEVICE,
		progIDs:    uint64(uintptr(unsafe.Pointer(&ids[0]))),
		progCount:  uint32(len(ids)),
	}
	if _, err := bpf(unix.BPF_PROG_QUERY, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return nil, fmt.Errorf("query bpf device programs: %w", err)
	}
	return ids[:attr.progCount], nil
}

// BPFProgram opens a loaded program by its id.
func BPFProgram(id uint32) (fd int, err error) {
	attr := bpfProgByID{id: id}
	fd, err = bpf(unix.BPF_PROG_GET_FD_BY_ID, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return -1, fmt.Errorf("open bpf program %d: %w", id, err)
	}
	return fd, nil
}
