package checkpoint

import (
	"fmt"
	"os"
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
