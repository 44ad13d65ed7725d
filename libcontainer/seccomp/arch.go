package seccomp

import (
	"encoding/binary"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

//go:generate go run ./internal/mksyscalls $LINUX_LIBC_DEV

const (
	// none marks a system call that an architecture does not have.
	none = 0xffff
	// Bit of the calls that only 32-bit Arm has (set_tls and a few more), numbered from privateBase
	// up, far above all others.
	private     = 0x8000
	privateBase = 0xf0000

	// x32 calls have the machine's AUDIT_ARCH_X86_64 and this bit in their number.
	x32Bit     = 0x40000000
	auditX8664 = unix.AUDIT_ARCH_X86_64
	// From x32Own to below x32End x32 has calls of its own, older than many with smaller numbers.
	x32Own = 512
	x32End = 548

	// tableSize is above every number in the tables, Arm's private ones aside.
	tableSize = 1024
)

// An arch is one of the ABIs that a profile can name. Several can share one audit value: x86-64 and
// x32.
type arch struct {
	name   specs.Arch
	cpu    string // architectures that one kernel can run have the same
	audit  uint32 // AUDIT_ARCH_* of linux/audit.h, what a filter sees in seccomp_data.arch
	base   uint32 // what the numbers in the table are counted from
	wide   bool   // arguments are compared as 64 bits, not 32
	big    bool   // big-endian
	table  *[nameCount]uint16
	goarch string // the Go ports whose native ABI this is
}

// arches is a table only read, laid out by the linker. Which architectures count as 32-bit is
// libseccomp's choice: x32 and MIPS n32 do.
var arches = [...]arch{
	{"SCMP_ARCH_X86", "x86", unix.AUDIT_ARCH_I386, 0, false, false, &nrX86, "386"},
	{"SCMP_ARCH_X86_64", "x86", auditX8664, 0, true, false, &nrX8664, "amd64"},
	{"SCMP_ARCH_X32", "x86", auditX8664, x32Bit, false, false, &nrX32, ""},
	{"SCMP_ARCH_ARM", "arm", unix.AUDIT_ARCH_ARM, 0, false, false, &nrARM, "arm"},
	{"SCMP_ARCH_AARCH64", "arm", unix.AUDIT_ARCH_AARCH64, 0, true, false, &nrAARCH64, "arm64"},
	{"SCMP_ARCH_MIPS", "mips", unix.AUDIT_ARCH_MIPS, 4000, false, true, &nrMIPS, "mips"},
	{"SCMP_ARCH_MIPS64", "mips", unix.AUDIT_ARCH_MIPS64, 5000, true, true, &nrMIPS64, "mips64"},
	{"SCMP_ARCH_MIPS64N32", "mips", unix.AUDIT_ARCH_MIPS64N32, 6000, false, true, &nrMIPS64N32, ""},
	{"SCMP_ARCH_MIPSEL", "mipsel", unix.AUDIT_ARCH_MIPSEL, 4000, false, false, &nrMIPS, "mipsle"},
	{"SCMP_ARCH_MIPSEL64", "mipsel", unix.AUDIT_ARCH_MIPSEL64, 5000, true, false, &nrMIPS64, "mips64le"},
	{"SCMP_ARCH_MIPSEL64N32", "mipsel", unix.AUDIT_ARCH_MIPSEL64N32, 6000, false, false, &nrMIPS64N32, ""},
	{"SCMP_ARCH_PPC", "ppc", unix.AUDIT_ARCH_PPC, 0, false, true, &nrPPC, ""},
	{"SCMP_ARCH_PPC64", "ppc", unix.AUDIT_ARCH_PPC64, 0, true, true, &nrPPC64, "ppc64"},
	{"SCMP_ARCH_PPC64LE", "ppc64le", unix.AUDIT_ARCH_PPC64LE, 0, true, false, &nrPPC64, "ppc64le"},
	{"SCMP_ARCH_S390", "s390", unix.AUDIT_ARCH_S390, 0, false, true, &nrS390, ""},
	{"SCMP_ARCH_S390X", "s390", unix.AUDIT_ARCH_S390X, 0, true, true, &nrS390X, "s390x"},
	{"SCMP_ARCH_PARISC", "parisc", unix.AUDIT_ARCH_PARISC, 0, false, true, &nrPARISC, ""},
	{"SCMP_ARCH_PARISC64", "parisc", unix.AUDIT_ARCH_PARISC64, 0, true, true, &nrPARISC64, ""},
	{"SCMP_ARCH_RISCV64", "riscv", unix.AUDIT_ARCH_RISCV64, 0, true, false, &nrRISCV64, "riscv64"},
	{"SCMP_ARCH_LOONGARCH64", "loongarch", unix.AUDIT_ARCH_LOONGARCH64, 0, true, false, &nrLOONGARCH64, "loong64"},
	{"SCMP_ARCH_M68K", "m68k", unix.AUDIT_ARCH_M68K, 0, false, true, &nrM68K, ""},
	{"SCMP_ARCH_SH", "sh", unix.AUDIT_ARCH_SHEL, 0, false, false, &nrSH, ""},
	{"SCMP_ARCH_SHEB", "sheb", unix.AUDIT_ARCH_SH, 0, false, true, &nrSH, ""},
}

func findArch(name specs.Arch) *arch {
	for i := range arches {
		if arches[i].name == name {
			return &arches[i]
		}
	}
	return nil
}

// Native returns the profile's name for the architecture that a Go port ("amd64") runs on, "" when
// seccomp has none for it.
func Native(goarch string) specs.Arch {
	for i := range arches {
		if goarch != "" && arches[i].goarch == goarch {
			return arches[i].name
		}
	}
	return ""
}

func (a *arch) order() binary.ByteOrder {
	if a.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// number returns the number that the architecture has for a name's index.
func (a *arch) number(name int) (nr uint32, ok bool) {
	switch n := a.table[name]; {
	case n == none:
		return 0, false
	case n&private != 0:
		return privateBase + uint32(n&^private), true
	default:
		return a.base + uint32(n), true
	}
}

// own reports whether a number of the table belongs to a block that says nothing about how new a
// call is.
func (a *arch) own(n uint16) bool {
	return n&private != 0 || a.base == x32Bit && n >= x32Own
}
