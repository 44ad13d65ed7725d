// Package idmap looks ids up in the mappings of config.json (user_namespaces(7)).
package idmap

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// HostID is the id on the host of an id of the container. Without mappings it is the same. ok is
// false if the mappings do not have it.
func HostID(maps []specs.LinuxIDMapping, id uint32) (host uint32, ok bool) {
	if len(maps) == 0 {
		return id, true
	}
	return HostRange(maps, id, 1)
}

// Has says whether the mappings have an id of the container. Without any they have none.
func Has(maps []specs.LinuxIDMapping, id uint32) bool {
	_, ok := HostRange(maps, id, 1)
	return ok
}

// HostRange is the first id on the host of size ids of the container. ok is false unless a single
// mapping has them all.
func HostRange(maps []specs.LinuxIDMapping, first, size uint32) (host uint32, ok bool) {
	for _, m := range maps {
		if first >= m.ContainerID && uint64(first-m.ContainerID)+uint64(size) <= uint64(m.Size) {
			return m.HostID + first - m.ContainerID, true
		}
	}
	return 0, false
}

// Text is a mapping in the form of /proc/PID/uid_map, user_namespaces(7).
func Text(maps []specs.LinuxIDMapping) string {
	var b strings.Builder
	for _, m := range maps {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	return b.String()
}
