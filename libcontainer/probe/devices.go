package probe

import (
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
)

// hostDevice finds the host's node for a device: at the same path, or where devtmpfs has the device
// with these numbers.
func hostDevice(d *specs.LinuxDevice) (string, bool) {
	kind, class := uint32(unix.S_IFCHR), "char"
	switch d.Type {
	case "b":
		kind, class = unix.S_IFBLK, "block"
	case "p":
		return "", false
	}
	var st unix.Stat_t
	same := func(path string) bool {
		return unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == kind && uint64(st.Rdev) == unix.Mkdev(uint32(d.Major), uint32(d.Minor))
	}
	if same(d.Path) {
		return d.Path, true
	}
	text, err := os.ReadFile(fmt.Sprintf("/sys/dev/%s/%d:%d/uevent", class, d.Major, d.Minor))
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); ok && same("/dev/"+name) {
			return "/dev/" + name, true
		}
	}
	return "", false
}

// deviceFacts finds the host's node of each device by its numbers: a container without mknod gets
// that one, whatever its path in the container is.
func deviceFacts(f *facts.Facts, list []specs.LinuxDevice) {
	for i := range list {
		if p, ok := hostDevice(&list[i]); ok && p != list[i].Path {
			if f.Devices == nil {
				f.Devices = make(map[int]string)
			}
			f.Devices[i] = p
		}
	}
}
