package libcontainer

import "github.com/ociruntime/ociruntime/libcontainer/cgroups"

// OOM is what is known of a container that has run out of memory.
type OOM struct {
	Kills uint64 // processes that the kernel has killed for it; 0 if only systemd knows of any
	Limit uint64 // in bytes; 0 if it is not known, and very large without one
	Peak  uint64 // the most that it has used, in bytes; 0 if the kernel does not tell
}

// OOM says whether the kernel has killed a process of the container for a lack of memory, while
// there still is its cgroup, and what is known of that; nil if it has not.
func (c *Container) OOM() (*OOM, error) {
	cg, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	defer cg.Close()
	kills, err := cg.OOMKills()
	if err != nil || kills == 0 && !c.oomScope(cg) {
		return nil, err
	}
	return c.oom(cg, kills)
}

func (c *Container) oom(cg *cgroups.Cgroup, kills uint64) (*OOM, error) {
	o := &OOM{Kills: kills}
	if kills > 0 {
		s, err := cg.Stats()
		if err != nil {
			return nil, err
		}
		o.Limit, o.Peak = s.Memory.Usage.Limit, s.Memory.Usage.Max
		return o, nil
	}
	spec, err := c.Config()
	if err != nil {
		return nil, err
	}
	if l := spec.Linux; l != nil && l.Resources != nil && l.Resources.Memory != nil && l.Resources.Memory.Limit != nil {
		o.Limit = uint64(max(0, *l.Resources.Memory.Limit))
	}
	return o, nil
}

// oomSince is OOM for what has happened since the kernel had killed so many; args are those of
// `--cgroup`.
func (c *Container) oomSince(kills uint64, args []string) (*OOM, error) {
	cg, err := c.execCgroup(args)
	if err != nil {
		return nil, err
	}
	defer cg.Close()
	now, err := cg.OOMKills()
	if err != nil || now <= kills {
		return nil, err
	}
	return c.oom(cg, now-kills)
}
