package systemd

import (
	"fmt"
	"path"
	"strings"
)

// Unit is the unit that linux.cgroupsPath asks for.
type Unit struct {
	Name  string // "libpod-4f2a.scope", or a slice
	Slice string // "machine.slice", in which it lies
}

const (
	scopeSuffix = ".scope"
	sliceSuffix = ".slice"
	// maxName is systemd's UNIT_NAME_MAX.
	maxName = 255
)

// Parse reads linux.cgroupsPath as it is written for systemd: "slice:prefix:name", meaning the unit
// prefix-name.scope in the slice. A name that ends in ".slice" is a slice itself. An empty path or
// slice stands for the default: system.slice, or user.slice for a user's own systemd.
func Parse(cgroupsPath, id string, user bool) (Unit, error) {
	const place = "linux.cgroupsPath"
	slice, prefix, name := "", "ociruntime", id
	if cgroupsPath != "" {
		parts := strings.Split(cgroupsPath, ":")
		if len(parts) != 3 {
			return Unit{}, fmt.Errorf("%s: expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got %q", place, cgroupsPath)
		}
		slice, prefix, name = parts[0], parts[1], parts[2]
	}
	if slice == "" {
		slice = "system.slice"
		if user {
			slice = "user.slice"
		}
	}
	u := Unit{Name: name, Slice: slice}
	if !strings.HasSuffix(name, sliceSuffix) {
		u.Name = prefix + "-" + name + scopeSuffix
	} else if _, err := slicePath(name); err != nil {
		return Unit{}, fmt.Errorf("%s: %w", place, err)
	}
	if _, err := slicePath(slice); err != nil {
		return Unit{}, fmt.Errorf("%s: %w", place, err)
	}
	if name == "" || !validName(u.Name) {
		return Unit{}, fmt.Errorf("%s: %q is not a valid name for a systemd unit", place, u.Name)
	}
	return u, nil
}

// validName follows systemd's rules for a unit that is no template.
func validName(name string) bool {
	if len(name) > maxName {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', strings.IndexByte(`:-_.\`, c) >= 0:
		default:
			return false
		}
	}
	return true
}

// slicePath is the directory of a slice: the dashes in its name are its ancestors, "a-b.slice" lies
// in "a.slice", and "-.slice" is the root (systemd.slice(5)).
func slicePath(slice string) (string, error) {
	name, ok := strings.CutSuffix(slice, sliceSuffix)
	if !ok || !validName(slice) {
		return "", fmt.Errorf("%q is not a valid name for a systemd slice", slice)
	}
	if name == "-" {
		return "/", nil
	}
	dir, parent := "/", ""
	for part := range strings.SplitSeq(name, "-") {
		if part == "" {
			return "", fmt.Errorf("%q is not a valid name for a systemd slice", slice)
		}
		parent += part
		dir += parent + sliceSuffix + "/"
		parent += "-"
	}
	return path.Clean(dir), nil
}

// IsSlice says that the unit is a slice, which holds no processes of its own as far as systemd is
// concerned.
func (u Unit) IsSlice() bool { return strings.HasSuffix(u.Name, sliceSuffix) }

// Path is the unit's cgroup below the mount of a hierarchy; root is the manager's own
// ([Manager.Root]).
func (u Unit) Path(root string) string {
	own := ""
	holder := u.Slice
	if u.IsSlice() {
		holder = u.Name
	} else {
		own = u.Name
	}
	dir, err := slicePath(holder)
	if err != nil {
		return "" // Parse has checked it
	}
	return path.Join("/", root, dir, own)
}
