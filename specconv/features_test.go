package specconv

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
	"github.com/ociruntime/ociruntime/specconv/names"
)

func TestFeaturesAreTrue(t *testing.T) {
	seccomp := &features.Seccomp{}
	f := Features(seccomp, map[string]string{"org.example.version": "1"})
	if f.Linux.Seccomp != seccomp || f.Annotations["org.example.version"] != "1" {
		t.Error("what the caller gave is not in the document")
	}
	if _, ok := f.Annotations["org.opencontainers.runc.commit"]; ok {
		t.Error("only runc itself may say which of its commits it is")
	}
	for _, option := range f.MountOptions {
		if o := mountopt.ParseMountOptions([]string{option}); len(o.Data) > 0 {
			t.Errorf("mount option %q is not known", option)
		}
	}
	for _, option := range []string{"defaults", "rro", "rnodev", "idmap", "ridmap", "tmpcopyup", "unbindable"} {
		if !slices.Contains(f.MountOptions, option) {
			t.Errorf("mount option %q is missing", option)
		}
	}
	for _, option := range []string{"nofail", "x-", "size", "auto"} {
		if slices.Contains(f.MountOptions, option) {
			t.Errorf("mount option %q is not of the specification", option)
		}
	}
	if len(f.Linux.Namespaces) != 8 || len(f.Linux.Capabilities) != 41 || len(f.Hooks) != 6 {
		t.Errorf("%d namespaces, %d capabilities, %d hooks", len(f.Linux.Namespaces), len(f.Linux.Capabilities), len(f.Hooks))
	}
	for _, list := range [][]string{f.MountOptions, f.Linux.Namespaces, f.Linux.MemoryPolicy.Modes, f.Linux.MemoryPolicy.Flags} {
		if !slices.IsSorted(list) {
			t.Errorf("not sorted: %q", list)
		}
	}
	for _, mode := range f.Linux.MemoryPolicy.Modes {
		if _, ok := names.MemoryPolicyMode(specs.MemoryPolicyModeType(mode)); !ok {
			t.Errorf("memory policy %q is not known", mode)
		}
	}
	for _, flag := range f.Linux.MemoryPolicy.Flags {
		if _, ok := names.MemoryPolicyFlag(specs.MemoryPolicyFlagType(flag)); !ok {
			t.Errorf("memory policy flag %q is not known", flag)
		}
	}
}

func TestFeaturesVersionsAreAccepted(t *testing.T) {
	f := Features(nil, nil)
	for _, version := range []string{f.OCIVersionMin, f.OCIVersionMax} {
		spec := Example(false, true, 0, 0)
		spec.Version = version
		if _, err := check.Spec(spec, check.Options{}); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
	if f.OCIVersionMax != specs.Version || strings.Compare(f.OCIVersionMin, f.OCIVersionMax) > 0 {
		t.Errorf("versions %s to %s, the types are those of %s", f.OCIVersionMin, f.OCIVersionMax, specs.Version)
	}
}
