package integration

import (
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

func TestRun(t *testing.T) {
	t.Parallel()
	if got := harness.NewBundle(t).Sh("echo $$; hostname; id -u").MustRun(); got != "1\nociruntime\n0" {
		t.Errorf("inside: %q", got)
	}
}

func TestLeakMe(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Sh("echo hi; sleep 100")
	b.Start()
	harness.Eventually(t, "hi", func() bool { return b.Output() == "hi\n" })
	t.Log(b.Pid(), b.State(), b.CgroupDirs())
}
