// Package integration drives the built binary on real bundles, as root, and
// looks at the containers from inside and from outside.
package integration

import (
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m, probes) }
