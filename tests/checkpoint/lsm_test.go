package checkpoint

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// A container keeps its AppArmor profile, or gets another that is loaded.
func TestAppArmor(t *testing.T) {
	t.Parallel()
	ours(t)
	for _, userns := range []bool{false, true} {
		t.Run(fmt.Sprint("user namespace ", userns), func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			profile := harness.AppArmorProfile(t, "/tmp/secret rw")
			other := harness.AppArmorProfile(t, "/tmp/other rw")
			b.File("tmp/secret", "secret\n", 0o666).File("tmp/other", "other\n", 0o666)
			if userns {
				b.MapIDs(100000, 65536)
			}
			b.Spec.Process.ApparmorProfile = profile
			b.Sh("while read f; do cat /tmp/$f && continue; echo denied; done")
			b.feed = true
			b.run()
			look := func(want, may, mayNot string) {
				t.Helper()
				label, err := os.ReadFile(fmt.Sprintf("/proc/%d/attr/apparmor/current", b.Pid()))
				if err != nil || string(label) != want+" (enforce)\n" {
					t.Errorf("confined by %q, %v, not by %s", label, err, want)
				}
				if got := b.ask(mayNot); got != "denied" {
					t.Errorf("it reads what %s denies: %q", want, got)
				}
				if got := b.ask(may); got != may {
					t.Errorf("it can't read what %s allows: %q", want, got)
				}
			}
			look(profile, "other", "secret")
			b.again()
			look(profile, "other", "secret")
			b.checkpoint()
			refused(t, b.tryRestore("--lsm-profile", "apparmor:ocitest-missing"), "restore.log")
			b.gone()
			b.restore("--lsm-profile", "apparmor:"+other)
			look(other, "secret", "other")
		})
	}
}

// A profile that criu does not see is not lost without a word.
func TestAppArmorLost(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t)
	profile := harness.AppArmorProfile(t, "/tmp/secret rw")
	b.Spec.Process.ApparmorProfile = profile
	b.run()
	b.counts(1)
	// criu keeps what it knows of the kernel in /run.
	b.apart = "umount -l /sys/kernel/security; mount -t tmpfs tmpfs /run"
	refused(t, b.tryCheckpoint(), "process.apparmorProfile", profile, "/sys/kernel/security")
	b.apart = ""
	b.goesOn()
	b.again()
	b.counts(1)
	b.Must("delete", "--force", b.ID)

	b.Spec.Process.ApparmorProfile = ""
	b.Save()
	b.run().checkpoint()
	b.Spec.Process.ApparmorProfile = profile
	b.Save()
	refused(t, b.tryRestore(), "process.apparmorProfile", profile, "unconfined")
	b.gone()
	if got := b.out.text(); got != "" {
		t.Errorf("it has run: %s", got)
	}
}

// A container keeps its SELinux label, or is not checkpointed by a criu that knows nothing of it.
func TestSELinux(t *testing.T) {
	t.Parallel()
	ours(t)
	b := newBox(t)
	want := harness.SELinuxLabel(t, "system_u:system_r:container_t:s0:c1,c2", "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023")
	b.Spec.Process.SelinuxLabel = want
	b.run()
	b.counts(1)
	res := b.tryCheckpoint()
	if res.Code != 0 {
		refused(t, res, "process.selinuxLabel", want, "built without SELinux")
		b.goesOn()
		b.Must("delete", "--force", b.ID)
		// Nor are images of such a criu restored with the label forgotten.
		b.Spec.Process.SelinuxLabel = ""
		b.Save()
		b.run().checkpoint()
		b.Spec.Process.SelinuxLabel = want
		b.Save()
		refused(t, b.tryRestore(), "process.selinuxLabel", want)
		b.gone()
		return
	}
	b.restore().counts(1)
	label, err := os.ReadFile(fmt.Sprintf("/proc/%d/attr/current", b.Pid()))
	if err != nil || strings.TrimRight(string(label), "\x00\n") != want {
		t.Errorf("restored as %q, %v, not %s", label, err, want)
	}
}
