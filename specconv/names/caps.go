package names

// CapabilityTable holds the names of capabilities(7) at their numbers, up to
// CAP_CHECKPOINT_RESTORE (Linux 5.9). A kernel with more has no names for them
// that config.json could carry.
var CapabilityTable = [...]string{
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// capabilityNumber gives the number of a capability's full upper-case name
// ("CAP_KILL"); ok is false for a name that is not known.
func capabilityNumber(name string) (number int, ok bool) {
	for n, known := range CapabilityTable {
		if known == name {
			return n, true
		}
	}
	return 0, false
}

// CapabilityName gives the name of a capability's number, "" for a number
// that has none.
func CapabilityName(number int) string {
	if number < 0 || number >= len(CapabilityTable) {
		return ""
	}
	return CapabilityTable[number]
}

// CapabilityMask gives the set of the named capabilities, bit n for
// capability n, and the names that are not known, in their order.
func CapabilityMask(names []string) (mask uint64, unknown []string) {
	for _, name := range names {
		n, ok := capabilityNumber(name)
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		mask |= 1 << n
	}
	return mask, unknown
}
