package libcontainer

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/ociruntime/ociruntime/libcontainer/netdev"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// moveNetDevices moves linux.netDevices into the container, through a netlink socket that the init
// has opened in its network namespace.
func (c *creation) moveNetDevices(socket *os.File) (err error) {
	if c.netDevices, err = netdev.NewMover(socket); err != nil {
		return fmt.Errorf("linux.netDevices: %w", err)
	}
	c.undo.Add(c.netDevices.Undo)
	devices := c.spec.Linux.NetDevices
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		if err := c.netDevices.Move(name, devices[name].Name); err != nil {
			return fmt.Errorf("%s: %w", compile.NetDevicePlace(name), err)
		}
	}
	return nil
}
