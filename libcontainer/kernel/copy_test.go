//go:build amd64 || arm64

package kernel_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/kernel"
)

// The loop is copied out of our own text: it must be what the linker put there, whole and without
// the marker.
func TestCopyOfTheLoop(t *testing.T) {
	want := loop(t, runtime.GOARCH)
	if got := kernel.OpLoop(); !bytes.Equal(got, want) {
		t.Errorf("copied %d bytes, the loop has %d", len(got), len(want))
	}
}
