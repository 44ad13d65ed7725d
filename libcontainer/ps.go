package libcontainer

// Pids are the container's processes in ascending order: the init, what it started and what was
// executed in the container. They are numbers of the caller's pid namespace.
func (c *Container) Pids() ([]int, error) {
	cg, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	defer cg.Close()
	if cg.None() == "" {
		if !c.rec.CgroupMade {
			return nil, nil
		}
		return cg.Pids()
	}
	// Without a cgroup, the init is all that can be told.
	init, err := c.rec.Init()
	if err != nil || init == nil {
		return nil, err
	}
	return []int{init.Pid}, nil
}
