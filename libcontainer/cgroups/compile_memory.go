package cgroups

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func (c *compiler) memory(res *specs.LinuxResources) error {
	m := res.Memory
	if m == nil {
		return nil
	}
	const place = linuxResources + ".memory"
	if given(m.Kernel) {
		c.warn("%s.kernel: ignored, Linux has no such limit any more", place)
	}
	if given(m.KernelTCP) {
		c.warn("%s.kernelTCP: ignored, Linux has no such limit any more", place)
	}
	// useHierarchy needs nothing: every memory cgroup has been hierarchical since Linux 5.11.
	oom := m.DisableOOMKiller != nil && *m.DisableOOMKiller
	if !given(m.Limit) && !given(m.Reservation) && !given(m.Swap) && m.Swappiness == nil && !oom {
		return nil
	}
	v2, err := c.tree("memory", place)
	if err != nil {
		return err
	}
	if !v2 {
		c.memoryV1(m, place)
		return nil
	}
	if m.Swappiness != nil {
		return fmt.Errorf("%s.swappiness: cgroup v2 has no swappiness of its own for a cgroup", place)
	}
	if oom {
		return fmt.Errorf("%s.disableOOMKiller: cgroup v2 cannot disable the OOM killer", place)
	}
	c.memoryV2(m, place)
	return nil
}

func (c *compiler) memoryV1(m *specs.LinuxMemory, place string) {
	put := func(file, value, name string) *Write {
		c.put(Write{Controller: "memory", File: file, Value: value, From: place + "." + name})
		return &c.Writes[len(c.Writes)-1]
	}
	if given(m.Limit) {
		w := put("memory.limit_in_bytes", itoa(*m.Limit), "limit")
		w.Usage, w.Peak, w.Check = "memory.usage_in_bytes", "memory.max_usage_in_bytes", checked(m)
	}
	if given(m.Reservation) {
		put("memory.soft_limit_in_bytes", itoa(*m.Reservation), "reservation")
	}
	// The kernel keeps memory <= memory+swap at every moment: in a new cgroup, memory comes first.
	const swapFile = "memory.memsw.limit_in_bytes"
	switch {
	case given(m.Swap):
		w := put(swapFile, itoa(*m.Swap), "swap")
		w.Optional = *m.Swap == -1
		w.Hint = "the kernel was started without swap accounting"
	case given(m.Limit) && *m.Limit == -1:
		put(swapFile, "-1", "limit").Optional = true
	}
	if m.Swappiness != nil {
		put("memory.swappiness", utoa(*m.Swappiness), "swappiness")
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		put("memory.oom_control", "1", "disableOOMKiller")
	}
}

func (c *compiler) memoryV2(m *specs.LinuxMemory, place string) {
	put := func(file, value, name string) *Write {
		c.put(Write{Controller: "memory", V2: true, File: file, Value: value, From: place + "." + name})
		return &c.Writes[len(c.Writes)-1]
	}
	if given(m.Limit) {
		w := put("memory.max", orMax(*m.Limit), "limit")
		w.Usage, w.Peak, w.Check = "memory.current", "memory.peak", checked(m)
	}
	if given(m.Reservation) {
		put("memory.low", orMax(*m.Reservation), "reservation")
	}
	// v2 counts swap alone. Without swap accounting there is no file, and nothing to limit when the
	// value is max or 0.
	const swapFile, hint = "memory.swap.max", "this kernel has no swap accounting"
	switch {
	case given(m.Swap) && *m.Swap == -1:
		put(swapFile, "max", "swap").Optional = true
	case given(m.Swap):
		w := put(swapFile, itoa(*m.Swap-*m.Limit), "swap")
		w.Optional, w.Hint = *m.Swap == *m.Limit, hint
	case given(m.Limit) && *m.Limit == -1:
		put(swapFile, "max", "limit").Optional = true
	}
}

// checked says that the config asks for a look at the usage before a limit is lowered.
func checked(m *specs.LinuxMemory) bool {
	return m.CheckBeforeUpdate != nil && *m.CheckBeforeUpdate && *m.Limit > 0
}
