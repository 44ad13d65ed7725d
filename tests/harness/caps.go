package harness

import (
	"os"
	"strconv"
)

// NeedsCap skips the test if root of this machine lacks a capability, as in a container or a
// hardened service: what the container is to do, the runtime can't do either.
func NeedsCap(t T, name string, capability int) {
	t.Helper()
	set, err := strconv.ParseUint(StatusField(os.Getpid(), "CapEff"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if set&(1<<capability) == 0 {
		t.Skipf("root has no %s here", name)
	}
}
