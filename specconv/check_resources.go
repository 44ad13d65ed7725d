package specconv

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
)

// resources checks limits. Zero means "unset" wherever it would be senseless
// as a limit: engines send it. What one cgroup version lacks is not known
// here.
func (c *checker) resources(place string, r *specs.LinuxResources) {
	c.deviceRules(place+".devices", r.Devices)
	if r.Memory != nil {
		c.memory(place+".memory", r.Memory)
	}
	if r.CPU != nil {
		c.cpu(place+".cpu", r.CPU)
	}
	if r.BlockIO != nil {
		c.blockIO(place+".blockIO", r.BlockIO)
	}
	for i, h := range r.HugepageLimits {
		if !hugepageSize(h.Pagesize) {
			c.bad(at(place+".hugepageLimits", i)+".pageSize", "must be a size as in 64KB, 2MB or 1GB, not %q", h.Pagesize)
		}
	}
	if r.Network != nil {
		for i, p := range r.Network.Priorities {
			if !interfaceName(p.Name) {
				c.bad(at(place+".network.priorities", i)+".name", "not the name of a network device: %q", p.Name)
			}
		}
	}
	for _, device := range orderedKeys(r.Rdma) {
		limit := r.Rdma[device]
		switch {
		case device == "" || strings.ContainsAny(device, " \t\n/\x00"):
			c.bad(memberPath(place+".rdma", device), "not the name of an RDMA device: %q", device)
		case limit.HcaHandles == nil && limit.HcaObjects == nil:
			c.bad(memberPath(place+".rdma", device), "must have hcaHandles or hcaObjects")
		}
	}
	for _, file := range orderedKeys(r.Unified) {
		if err := cgroups.CheckUnified(file); err != nil {
			c.bad(memberPath(place+".unified", file), "%v", err)
		}
	}
}

// value gives what a pointer points to, zero for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (c *checker) memory(place string, m *specs.LinuxMemory) {
	limit, swap := value(m.Limit), value(m.Swap)
	for _, v := range []struct {
		name  string
		value int64
	}{{"limit", limit}, {"reservation", value(m.Reservation)}, {"swap", swap}} {
		if v.value < -1 {
			c.bad(place+"."+v.name, "must be a number of bytes, or -1 for no limit, not %d", v.value)
		}
	}
	switch {
	case swap <= 0:
	case limit == 0:
		c.bad(place+".swap", "is the limit of memory and swap together: it needs a memory limit")
	case limit == -1:
		c.bad(place+".swap", "must be -1 as the memory limit is, not %d", swap)
	case swap < limit:
		c.bad(place+".swap", "is the limit of memory and swap together: %d is less than the memory limit %d", swap, limit)
	}
	if s := value(m.Swappiness); s > 100 {
		c.bad(place+".swappiness", "must be between 0 and 100, not %d", s)
	}
}

// cpu has the bounds of the kernel's bandwidth controller, in microseconds:
// a quota of 1 ms at least, a period of 1 ms to 1 s.
func (c *checker) cpu(place string, cpu *specs.LinuxCPU) {
	quota, burst := value(cpu.Quota), value(cpu.Burst)
	if quota > 0 && quota < 1000 {
		c.bad(place+".quota", "must be 1000 microseconds or more, not %d", quota)
	}
	if p := value(cpu.Period); p != 0 && (p < 1000 || p > 1000000) {
		c.bad(place+".period", "must be between 1000 and 1000000 microseconds, not %d", p)
	}
	if quota > 0 && burst > uint64(quota) {
		c.bad(place+".burst", "must not be more than the quota %d: %d", quota, burst)
	}
	runtime, period := value(cpu.RealtimeRuntime), value(cpu.RealtimePeriod)
	if runtime > 0 && period > 0 && uint64(runtime) > period {
		c.bad(place+".realtimeRuntime", "must not be more than the period %d: %d", period, runtime)
	}
	if idle := value(cpu.Idle); idle != 0 && idle != 1 {
		c.bad(place+".idle", "must be 0 or 1, not %d", idle)
	}
	c.cpusetList(place+".cpus", cpu.Cpus)
	c.cpusetList(place+".mems", cpu.Mems)
}

// cpusetList lets pass whatever the kernel's own parser may understand
// ("0-3,8-31:2/4", "N").
func (c *checker) cpusetList(place, list string) {
	if strings.Trim(list, "0123456789,-:/ Nal") != "" {
		c.bad(place, "must be a list of numbers and ranges as in \"0-3,7\": %q", list)
	}
}

func (c *checker) blockIO(place string, b *specs.LinuxBlockIO) {
	c.weight(place+".weight", b.Weight)
	c.weight(place+".leafWeight", b.LeafWeight)
	for i := range b.WeightDevice {
		d := &b.WeightDevice[i]
		item := at(place+".weightDevice", i)
		c.blockDevice(item, &d.LinuxBlockIODevice)
		if d.Weight == nil && d.LeafWeight == nil {
			c.bad(item, "must have a weight or leafWeight")
		}
		c.weight(item+".weight", d.Weight)
		c.weight(item+".leafWeight", d.LeafWeight)
	}
	for _, throttle := range []struct {
		name    string
		devices []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", b.ThrottleWriteIOPSDevice},
	} {
		for i := range throttle.devices {
			c.blockDevice(at(place+"."+throttle.name, i), &throttle.devices[i].LinuxBlockIODevice)
		}
	}
}

func (c *checker) weight(place string, weight *uint16) {
	if w := value(weight); w != 0 && (w < 10 || w > 1000) {
		c.bad(place, "must be between 10 and 1000, not %d", w)
	}
}

func (c *checker) blockDevice(place string, d *specs.LinuxBlockIODevice) {
	if d.Major < 0 || d.Major > maxMajor {
		c.bad(place+".major", "must be between 0 and %d, not %d", maxMajor, d.Major)
	}
	if d.Minor < 0 || d.Minor > maxMinor {
		c.bad(place+".minor", "must be between 0 and %d, not %d", maxMinor, d.Minor)
	}
}

// hugepageSize says whether a page size is spelt as the kernel spells it in
// the names of its files: 64KB, 2MB, 1GB.
func hugepageSize(size string) bool {
	number, ok := strings.CutSuffix(size, "B")
	if !ok || len(number) < 2 || number[0] == '0' || !strings.ContainsRune("KMG", rune(number[len(number)-1])) {
		return false
	}
	return strings.Trim(number[:len(number)-1], "0123456789") == ""
}

// cgroupsPath has three parts for systemd: the slice, the prefix of the unit's
// name, and the rest of it.
func (c *checker) cgroupsPath() {
	const place = "linux.cgroupsPath"
	p := c.linux.CgroupsPath
	switch {
	case p == "":
	case strings.ContainsAny(p, "\n\x00"):
		c.bad(place, "must not have a line break or a zero byte: %q", p)
	case !c.opts.SystemdCgroup:
	case strings.Count(p, ":") != 2 || strings.HasSuffix(p, ":"):
		c.bad(place, "must be slice:prefix:name for systemd, not %q", p)
	}
}
