package cgroups

import (
	"slices"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/devices"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// Write is one write to one cgroup file.
type Write = backend.Write

// FileError is a failed operation on a cgroup file or directory.
type FileError = backend.FileError

// Settings is linux.resources compiled for one host.
type Settings struct {
	Writes []Write // in the order that works for a new cgroup
	// Devices are for a device program on the cgroup2 tree; empty where the v1 controller does it,
	// or for updates.
	Devices  []devices.Rule
	Warnings []string // what the kernel can't do and the specification lets us ignore

	mount string // of the cgroup2 tree, "" without one
}

// v2Controllers are those of the cgroup2 tree that the writes need.
func (s *Settings) v2Controllers() []string {
	var list []string
	for _, w := range s.Writes {
		if w.V2 && w.Controller != "" && !slices.Contains(list, w.Controller) {
			list = append(list, w.Controller)
		}
	}
	return list
}

// Lines is what explain prints of the settings, one effect a line.
func (s *Settings) Lines() []string {
	lines := make([]string, 0, len(s.Writes)+len(s.Devices)+1)
	for _, w := range s.Writes {
		lines = append(lines, w.String())
	}
	if len(s.Devices) > 0 {
		lines = append(lines, "device filter (eBPF, the last matching rule wins, all else is denied):")
		for _, r := range s.Devices {
			lines = append(lines, "  "+r.String()+"  ("+r.From+")")
		}
	}
	return lines
}
