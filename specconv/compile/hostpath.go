package compile

import (
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// HostPath makes a path of config.json absolute: a relative one starts in the bundle.
func HostPath(p, bundle string) string {
	if !path.IsAbs(p) {
		p = path.Join(bundle, p)
	}
	return path.Clean(p)
}

// RootfsPath is root.path on the host, or "" without one.
func RootfsPath(spec *specs.Spec, bundle string) string {
	if spec.Root == nil {
		return ""
	}
	return HostPath(spec.Root.Path, bundle)
}
