package cgroups

import (
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/resources"
)

func (c *compiler) pids(res *specs.LinuxResources) error {
	if res.Pids == nil || res.Pids.Limit == nil {
		return nil
	}
	const place = linuxResources + ".pids.limit"
	t, err := c.tree("pids", place)
	if err != nil {
		return err
	}
	c.put(t, t.Pids(*res.Pids.Limit, place))
	return nil
}

func (c *compiler) memory(res *specs.LinuxResources) error {
	m := res.Memory
	if m == nil {
		return nil
	}
	const place = linuxResources + ".memory"
	if backend.Given(m.Kernel) {
		c.warn("%s.kernel: ignored, Linux has no such limit any more", place)
	}
	if backend.Given(m.KernelTCP) {
		c.warn("%s.kernelTCP: ignored, Linux has no such limit any more", place)
	}
	// useHierarchy needs nothing: every memory cgroup has been hierarchical since Linux 5.11.
	oom := m.DisableOOMKiller != nil && *m.DisableOOMKiller
	if !backend.Given(m.Limit) && !backend.Given(m.Reservation) && !backend.Given(m.Swap) && m.Swappiness == nil && !oom {
		return nil
	}
	t, err := c.tree("memory", place)
	if err != nil {
		return err
	}
	writes, err := t.Memory(m, place)
	c.put(t, writes...)
	return err
}

func (c *compiler) cpu(res *specs.LinuxResources) error {
	r := res.CPU
	if r == nil {
		return nil
	}
	const place = linuxResources + ".cpu"
	if !backend.Given(r.Shares) && !backend.Given(r.Quota) && !backend.Given(r.Period) && r.Burst == nil && r.Idle == nil &&
		!backend.Given(r.RealtimeRuntime) && !backend.Given(r.RealtimePeriod) {
		return nil
	}
	t, err := c.tree("cpu", place)
	if err != nil {
		return err
	}
	writes, err := t.CPU(r, place)
	c.put(t, writes...)
	return err
}

func (c *compiler) cpuset(res *specs.LinuxResources) error {
	r := res.CPU
	if r == nil {
		return nil
	}
	for _, f := range []struct{ name, value string }{{"cpus", r.Cpus}, {"mems", r.Mems}} {
		if f.value == "" {
			continue
		}
		place := linuxResources + ".cpu." + f.name
		t, err := c.tree("cpuset", place)
		if err != nil {
			return err
		}
		c.put(t, t.Cpuset(f.name, f.value, place))
	}
	return nil
}

func (c *compiler) blockIO(res *specs.LinuxResources) error {
	b := res.BlockIO
	if b == nil {
		return nil
	}
	throttles := len(b.ThrottleReadBpsDevice) + len(b.ThrottleWriteBpsDevice) +
		len(b.ThrottleReadIOPSDevice) + len(b.ThrottleWriteIOPSDevice)
	if !backend.Given(b.Weight) && !backend.Given(b.LeafWeight) && len(b.WeightDevice) == 0 && throttles == 0 {
		return nil
	}
	controller := "blkio" // on v2 it is called io
	if c.host.version(controller) == 0 {
		controller = "io"
	}
	const place = linuxResources + ".blockIO"
	t, err := c.tree(controller, place)
	if err != nil {
		return err
	}
	writes, err := t.BlockIO(b, place)
	c.put(t, writes...)
	return err
}

func (c *compiler) hugetlb(res *specs.LinuxResources) error {
	for i, h := range res.HugepageLimits {
		from := linuxResources + ".hugepageLimits[" + strconv.Itoa(i) + "]"
		size, _ := resources.PageSize(h.Pagesize)
		t, err := c.tree("hugetlb", from)
		if err != nil {
			return err
		}
		used, reserved := t.Hugepages(size)
		limit := Write{Controller: "hugetlb", File: used, Value: backend.Utoa(h.Limit), From: from, Hint: "it has no huge pages of " + size}
		// A limit on reservations stops mmap instead of killing at the page fault; both are set, as
		// runc does.
		reserve := Write{Controller: "hugetlb", File: reserved, Value: backend.Utoa(h.Limit), From: from, Optional: true}
		c.put(t, limit, reserve)
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
			value += " hca_handle=" + backend.Utoa(uint64(*limits.HcaHandles))
		}
		if limits.HcaObjects != nil {
			value += " hca_object=" + backend.Utoa(uint64(*limits.HcaObjects))
		}
		t, err := c.tree("rdma", from)
		if err != nil {
			return err
		}
		c.put(t, Write{
			Controller: "rdma", File: "rdma.max", Value: value, From: from,
			Key: name, Unset: name + " hca_handle=max hca_object=max",
		})
	}
	return nil
}

func (c *compiler) network(res *specs.LinuxResources) error {
	n := res.Network
	if n == nil || !backend.Given(n.ClassID) && len(n.Priorities) == 0 {
		return nil
	}
	const place = linuxResources + ".network"
	if c.host.Unified() {
		c.warn("%s: ignored, cgroup v2 has no network controllers", place)
		return nil
	}
	if backend.Given(n.ClassID) {
		t, err := c.tree("net_cls", place+".classID")
		if err != nil {
			return err
		}
		c.put(t, Write{
			Controller: "net_cls", File: "net_cls.classid", Value: backend.Utoa(uint64(*n.ClassID)), From: place + ".classID",
		})
	}
	for i, p := range n.Priorities {
		from := place + ".priorities[" + strconv.Itoa(i) + "]"
		t, err := c.tree("net_prio", from)
		if err != nil {
			return err
		}
		c.put(t, Write{
			Controller: "net_prio", File: "net_prio.ifpriomap", Value: p.Name + " " + backend.Utoa(uint64(p.Priority)), From: from,
			Key: p.Name, Unset: p.Name + " 0",
		})
	}
	return nil
}
