package v2

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/devices"
	"github.com/ociruntime/ociruntime/libcontainer/kernel"
)

// FilterDevices loads the device program of the rules and attaches it. On a cgroup that was there
// before (not fresh), it takes the place of the program that is attached already.
func (c *Cgroup) FilterDevices(rules []devices.Rule, fresh bool) error {
	dir, err := c.dir.Open()
	if err != nil {
		return err
	}
	prog, err := kernel.BPFLoadDevice(devices.Encode(devices.Program(rules)))
	if err != nil {
		return err
	}
	defer unix.Close(prog)
	var old []uint32
	if !fresh {
		old, err = kernel.BPFDevicePrograms(dir)
	}
	switch {
	case err != nil:
		return err
	case len(old) == 0:
		return kernel.BPFAttachDevice(dir, prog, -1)
	}
	return replaceFilter(dir, prog, old)
}

// replaceFilter leaves prog as the only device program, at no moment without any.
func replaceFilter(dir, prog int, ids []uint32) error {
	for i, id := range ids {
		old, err := kernel.BPFProgram(id)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		if i == 0 {
			err = kernel.BPFAttachDevice(dir, prog, old)
		} else {
			err = kernel.BPFDetachDevice(dir, old)
		}
		unix.Close(old)
		if err != nil {
			return err
		}
	}
	return nil
}
