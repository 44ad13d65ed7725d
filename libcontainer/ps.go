package libcontainer

const unknownPids = "its processes can't be told from others"

// Pids are the container's processes in ascending order: the init, what it started and what was
// executed in the container. They are numbers of the caller's pid namespace.
func (c *Container) Pids() ([]int, error) {
	if err := c.needsCgroup(unknownPids); err != nil || !c.rec.CgroupMade {
		return nil, err
	}
	cg, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	defer cg.Close()
	return cg.Pids()
}
