package names

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCapabilityNumbers(t *testing.T) {
	for name, want := range map[string]int{
		"CAP_CHOWN":              unix.CAP_CHOWN,
		"CAP_NET_BIND_SERVICE":   unix.CAP_NET_BIND_SERVICE,
		"CAP_SYS_ADMIN":          unix.CAP_SYS_ADMIN,
		"CAP_AUDIT_WRITE":        unix.CAP_AUDIT_WRITE,
		"CAP_SYSLOG":             unix.CAP_SYSLOG,
		"CAP_CHECKPOINT_RESTORE": unix.CAP_CHECKPOINT_RESTORE,
	} {
		if got, ok := capabilityNumber(name); !ok || got != want {
			t.Errorf("%s: got %d, %v, want %d", name, got, ok, want)
		}
	}
	if len(CapabilityTable) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names, the kernel's headers know %d", len(CapabilityTable), unix.CAP_LAST_CAP+1)
	}
	for n := range CapabilityTable {
		if got, ok := capabilityNumber(CapabilityName(n)); !ok || got != n {
			t.Errorf("%d is called %s, which is %d", n, CapabilityName(n), got)
		}
	}
	for _, n := range []int{-1, len(CapabilityTable)} {
		if name := CapabilityName(n); name != "" {
			t.Errorf("%d has the name %q", n, name)
		}
	}
}

func TestCapabilityMask(t *testing.T) {
	mask, unknown := CapabilityMask([]string{"CAP_KILL", "CAP_NONE", "CAP_CHOWN", "cap_kill", "CAP_BPF"})
	if want := uint64(1<<5 | 1<<0 | 1<<39); mask != want {
		t.Errorf("mask %#x, want %#x", mask, want)
	}
	if want := []string{"CAP_NONE", "cap_kill"}; !slices.Equal(unknown, want) {
		t.Errorf("unknown %q, want %q", unknown, want)
	}
}
