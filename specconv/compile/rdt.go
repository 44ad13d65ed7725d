package compile

// intelRdt has the host put the process into its resctrl group. The processes that it starts are
// born there.
func (c *compiler) intelRdt() {
	if c.lin.IntelRdt != nil {
		c.Host(DoIntelRdt, "linux.intelRdt", "enter the resctrl group")
	}
}
