package libcontainer

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// A process that others have taken over may come to the rendezvous with empty hands.
func TestListenerThatIsNotThere(t *testing.T) {
	c := newCreation(&Runtime{}, "c", &CreateOptions{Spec: &specs.Spec{Linux: &specs.Linux{Seccomp: &specs.LinuxSeccomp{}}}})
	c.proc = &launch.Process{}
	err := c.hostSteps()[compile.DoSeccomp](t.Context(), &plan.Step{}, nil)
	if err == nil || !strings.Contains(err.Error(), "brought 0 descriptors") {
		t.Errorf("%v", err)
	}
}
