package compile

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// openNetlink opens a socket in the container's network namespace for the host, which may work with
// it: the kernel asks for the privileges of the opener and of the user. For a namespace that
// belongs to the host, the init has them only until it enters its user namespace.
func (c *compiler) openNetlink() {
	if len(c.lin.NetDevices) == 0 {
		return
	}
	c.netlink = c.Reg()
	c.Step("linux.netDevices", "open a netlink socket in the container's network namespace",
		plan.Sys(plan.SysSocket, plan.Int(unix.AF_NETLINK, "AF_NETLINK"), plan.Int(unix.SOCK_RAW|unix.SOCK_CLOEXEC, "SOCK_RAW|SOCK_CLOEXEC"),
			plan.Int(unix.NETLINK_ROUTE, "NETLINK_ROUTE")).Into(c.netlink))
}

// netDevices lets the host move network devices into the container: early, so that hooks and
// linux.sysctl find them.
func (c *compiler) netDevices() {
	if len(c.lin.NetDevices) == 0 {
		return
	}
	const from = "linux.netDevices"
	if c.ns.created&unix.CLONE_NEWNET != 0 {
		c.openNetlink()
	}
	var names []string
	for _, name := range problem.OrderedKeys(c.lin.NetDevices) {
		if as := c.lin.NetDevices[name].Name; as != "" && as != name {
			name += " (as " + as + ")"
		}
		names = append(names, name)
	}
	c.HostWith(DoNetDevices, from, "move network devices into the container: "+strings.Join(names, ", "), plan.Val(c.netlink))
	c.Step(from, "close the netlink socket", plan.Close(plan.Val(c.netlink)))
}

// NetDevicePlace is the place of a device in config.json, for errors.
func NetDevicePlace(name string) string { return problem.MemberPath("linux.netDevices", name) }
