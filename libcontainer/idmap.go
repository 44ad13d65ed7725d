package libcontainer

import (
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/internal/setup"
	"github.com/ociruntime/ociruntime/specconv/idmap"
)

// MappingNamespace gives a user namespace that has these maps and nobody in it: what
// mount_setattr(2) wants for an idmapped mount, such as a root file system that is mounted before
// Create. It needs root.
func MappingNamespace(uids, gids []specs.LinuxIDMapping) (*os.File, error) {
	return setup.MappingNamespace(idmap.Text(uids), idmap.Text(gids))
}
