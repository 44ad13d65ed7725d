package load

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestLimits(t *testing.T) {
	for version, kept := range map[string]bool{"1.0.0": false, "1.2.1+dev": false, "": false, "1.3.0": true, "1.3.0-rc.1": true, "1.12.0": true} {
		zero := &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: new(int64(0))}, CPU: &specs.LinuxCPU{}}
		if got := Limits(version, zero); got.Pids != nil != kept || got.CPU == nil || zero.Pids == nil {
			t.Errorf("%s: pids %v", version, got.Pids)
		}
		if got := Limits(version, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: new(int64(1))}}); got.Pids == nil {
			t.Errorf("%s: lost a limit of 1", version)
		}
	}
}
