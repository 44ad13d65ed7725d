package check

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	rules "github.com/ociruntime/ociruntime/libcontainer/cgroups/devices"
)

// deviceNode is what makes two device entries one device.
type deviceNode struct {
	kind         byte
	major, minor int64
}

func nodeOf(d *specs.LinuxDevice) deviceNode {
	switch d.Type {
	case "p":
		return deviceNode{kind: 'p'}
	case "u":
		return deviceNode{'c', d.Major, d.Minor}
	}
	return deviceNode{d.Type[0], d.Major, d.Minor}
}

func (c *checker) devices() {
	const place = "linux.devices"
	devices := c.linux.Devices
	paths := make(map[string]int, len(devices))
	nodes := make(map[deviceNode]int, len(devices))
	for i := range devices {
		d := &devices[i]
		if !c.device(i, d) {
			continue
		}
		node := nodeOf(d)
		if j, ok := paths[d.Path]; ok && nodeOf(&devices[j]) != node {
			c.bad(at(place, i)+".path", "%q is already that of %s, another device", d.Path, at(place, j))
		}
		if j, ok := nodes[node]; ok && node.kind != 'p' && devices[j].Path != d.Path {
			c.warn(at(place, i), "%q is the same device as %s, %q", d.Path, at(place, j), devices[j].Path)
		}
		paths[d.Path], nodes[node] = i, i
	}
}

// device checks an entry by itself; false means that its type is unknown.
// File type bits in its mode are no problem: old engines send them.
func (c *checker) device(i int, d *specs.LinuxDevice) bool {
	const place = "linux.devices"
	if d.Path == "" || d.Path[0] != '/' || nul(d.Path) {
		c.absolute(at(place, i)+".path", d.Path)
	}
	// To chown(2) this number means no change, and the device would stay root's.
	const none = 1<<32 - 1
	if d.UID != nil && *d.UID == none {
		c.bad(at(place, i)+".uid", "%d is not an id", *d.UID)
	}
	if d.GID != nil && *d.GID == none {
		c.bad(at(place, i)+".gid", "%d is not an id", *d.GID)
	}
	switch d.Type {
	case "p":
		return true
	case "c", "u", "b":
	default:
		c.bad(at(place, i)+".type", "must be c, b, u or p, not %q", d.Type)
		return false
	}
	if d.Major < 0 || d.Major > rules.MaxMajor {
		c.bad(at(place, i)+".major", "must be between 0 and %d, not %d", rules.MaxMajor, d.Major)
	}
	if d.Minor < 0 || d.Minor > rules.MaxMinor {
		c.bad(at(place, i)+".minor", "must be between 0 and %d, not %d", rules.MaxMinor, d.Minor)
	}
	return true
}
