package harness

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
)

// AppArmorProfile loads a profile that allows everything but what is denied,
// and unloads it after the test.
func AppArmorProfile(t T, denied string) string {
	t.Helper()
	if on, err := os.ReadFile("/sys/module/apparmor/parameters/enabled"); err != nil || on[0] != 'Y' {
		t.Skip("AppArmor is off, or not in this kernel")
	}
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		t.Skip("no apparmor_parser on this host")
	}
	name := fmt.Sprintf("ocitest-%d-%d", os.Getpid(), rand.Uint32())
	text := "profile " + name + ` flags=(attach_disconnected,mediate_deleted) {
	file, capability, network, mount, umount, pivot_root, signal, ptrace, dbus, unix,
	deny ` + denied + `,
}
`
	load := func(flag string) {
		t.Helper()
		cmd := exec.Command(parser, flag, "--skip-cache")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("apparmor_parser %s: %v: %s", flag, err, out)
		}
	}
	load("--replace")
	t.Cleanup(func() { load("--remove") })
	return name
}

// SELinuxLabel is the first of some labels that the host's policy has.
func SELinuxLabel(t T, candidates ...string) string {
	t.Helper()
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err != nil {
		t.Skip("SELinux is off, or not in this kernel")
	}
	for _, l := range candidates {
		if os.WriteFile("/sys/fs/selinux/context", []byte(l), 0) == nil {
			return l
		}
	}
	t.Skipf("the policy knows none of %q", candidates)
	return ""
}
