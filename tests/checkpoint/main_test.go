// Package checkpoint dumps and restores real containers, as root, and looks at
// them from inside and from outside. It needs criu, which the script beside it
// gets: without it, or where criu can't dump a plain process, every test is
// skipped with the reason. RUNTIME names another runtime to be judged.
package checkpoint

import (
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m, probes) }

// need skips a test where there is no criu.
func need(t *testing.T) {
	t.Helper()
	harness.NeedCRIU(t)
}
