package cgroups

import (
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/resources"
)

func (c *compiler) hugetlb(res *specs.LinuxResources) error {
	for i, h := range res.HugepageLimits {
		from := linuxResources + ".hugepageLimits[" + strconv.Itoa(i) + "]"
		size, _ := resources.PageSize(h.Pagesize)
		v2, err := c.tree("hugetlb", from)
		if err != nil {
			return err
		}
		limit := "limit_in_bytes"
		if v2 {
			limit = "max"
		}
		w := Write{
			Controller: "hugetlb", V2: v2, File: "hugetlb." + size + "." + limit, Value: utoa(h.Limit), From: from,
			Hint: "it has no huge pages of " + size,
		}
		c.put(w)
		// A limit on reservations stops mmap instead of killing at the page fault; both are set, as
		// runc does.
		w.File, w.Optional, w.Hint = "hugetlb."+size+".rsvd."+limit, true, ""
		c.put(w)
	}
	return nil
}

func (c *compiler) rdma(res *specs.LinuxResources) error {
	names := make([]string, 0, len(res.Rdma))
	for name := range res.Rdma {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		from := linuxResources + ".rdma[" + strconv.Quote(name) + "]"
		value, limits := name, res.Rdma[name]
		if limits.HcaHandles != nil {
			value += " hca_handle=" + utoa(uint64(*limits.HcaHandles))
		}
		if limits.HcaObjects != nil {
			value += " hca_object=" + utoa(uint64(*limits.HcaObjects))
		}
		v2, err := c.tree("rdma", from)
		if err != nil {
			return err
		}
		c.put(Write{
			Controller: "rdma", V2: v2, File: "rdma.max", Value: value, From: from,
			Key: name, Unset: name + " hca_handle=max hca_object=max",
		})
	}
	return nil
}

func (c *compiler) network(res *specs.LinuxResources) error {
	n := res.Network
	if n == nil || !given(n.ClassID) && len(n.Priorities) == 0 {
		return nil
	}
	const place = linuxResources + ".network"
	if c.host.Unified() {
		c.warn("%s: ignored, cgroup v2 has no network controllers", place)
		return nil
	}
	if given(n.ClassID) {
		if _, err := c.tree("net_cls", place+".classID"); err != nil {
			return err
		}
		c.put(Write{
			Controller: "net_cls", File: "net_cls.classid", Value: utoa(uint64(*n.ClassID)), From: place + ".classID",
		})
	}
	for i, p := range n.Priorities {
		from := place + ".priorities[" + strconv.Itoa(i) + "]"
		if _, err := c.tree("net_prio", from); err != nil {
			return err
		}
		c.put(Write{
			Controller: "net_prio", File: "net_prio.ifpriomap", Value: p.Name + " " + utoa(uint64(p.Priority)), From: from,
			Key: p.Name, Unset: p.Name + " 0",
		})
	}
	return nil
}
