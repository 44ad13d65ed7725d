package libcontainer

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/systemd"
	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/state"
)

// The unit stands in the record before systemd is asked for it, so that delete finds it however
// create ends.
func TestRecordNamesTheUnitFirst(t *testing.T) {
	r := &Runtime{Root: t.TempDir()}
	c := newCreation(r, "c", &CreateOptions{Bundle: "/bundle", Spec: &specs.Spec{Root: &specs.Root{Path: "rootfs"}}, Run: true})
	c.facts, c.plan, c.scope = &facts.Facts{}, &plan.Plan{}, &scope{unit: systemd.Unit{Name: "c.scope"}}
	var err error
	if c.dir, err = state.Create(r.Root, "c"); err != nil {
		t.Fatal(err)
	}
	if err := c.record(); err != nil {
		t.Fatal(err)
	}
	rec, err := c.dir.Load()
	if err != nil || rec.SystemdScope != "c.scope" || rec.CgroupMade {
		t.Errorf("%+v, %v", rec, err)
	}
}
