// Package resources says what is wrong with linux.resources, for whoever reads it: the check of
// config.json, the update command, and the compiler of cgroup limits (pure).
package resources

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/devices"
)

// Bad is told what is wrong at a place in the document.
type Bad func(place, format string, args ...any)

// Check tells bad everything that is wrong with resources, whatever the host; place is that of the
// object itself, such as "linux.resources". Zero means "unset" wherever it would be senseless as a
// limit, since engines send it. What one cgroup version lacks is not known here.
func Check(place string, r *specs.LinuxResources, bad Bad) {
	c := checker{bad}
	devices.Check(place+".devices", r.Devices, bad)
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
		if _, ok := PageSize(h.Pagesize); !ok {
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
	for _, device := range slices.Sorted(maps.Keys(r.Rdma)) {
		limit := r.Rdma[device]
		switch {
		case device == "" || strings.ContainsAny(device, " \t\n/\x00"):
			c.bad(member(place+".rdma", device), "not the name of an RDMA device: %q", device)
		case limit.HcaHandles == nil && limit.HcaObjects == nil:
			c.bad(member(place+".rdma", device), "must have hcaHandles or hcaObjects")
		}
	}
	for _, file := range slices.Sorted(maps.Keys(r.Unified)) {
		c.unified(member(place+".unified", file), file)
	}
}

// checker has one method for each object of linux.resources.
type checker struct{ bad Bad }

// value gives what a pointer points to, zero for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (c checker) memory(place string, m *specs.LinuxMemory) {
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
func (c checker) cpu(place string, cpu *specs.LinuxCPU) {
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
func (c checker) cpusetList(place, list string) {
	if strings.Trim(list, "0123456789,-:/ Nal") != "" {
		c.bad(place, "must be a list of numbers and ranges as in \"0-3,7\": %q", list)
	}
}

func (c checker) blockIO(place string, b *specs.LinuxBlockIO) {
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
		name string
		list []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", b.ThrottleWriteIOPSDevice},
	} {
		for i := range throttle.list {
			c.blockDevice(at(place+"."+throttle.name, i), &throttle.list[i].LinuxBlockIODevice)
		}
	}
}

func (c checker) weight(place string, weight *uint16) {
	if w := value(weight); w != 0 && (w < 10 || w > 1000) {
		c.bad(place, "must be between 10 and 1000, not %d", w)
	}
}

func (c checker) blockDevice(place string, d *specs.LinuxBlockIODevice) {
	if d.Major < 0 || d.Major > devices.MaxMajor {
		c.bad(place+".major", "must be between 0 and %d, not %d", devices.MaxMajor, d.Major)
	}
	if d.Minor < 0 || d.Minor > devices.MaxMinor {
		c.bad(place+".minor", "must be between 0 and %d, not %d", devices.MaxMinor, d.Minor)
	}
}

// PageSize turns "2MB" into the spelling of the kernel's file names, which use the largest unit:
// 1024MB is 1GB. ok is false for what is no size of a huge page.
func PageSize(s string) (size string, ok bool) {
	const units = "KMG"
	number, unit := "", -1
	if n := len(s); n > 2 && s[n-1] == 'B' {
		number, unit = s[:n-2], strings.IndexByte(units, s[n-2])
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || unit < 0 || number[0] < '1' || number[0] > '9' {
		return "", false
	}
	for n%1024 == 0 && unit < len(units)-1 {
		n, unit = n/1024, unit+1
	}
	return strconv.FormatUint(n, 10) + units[unit:unit+1] + "B", true
}

// unified allows the files of controllers. Of the core files cgroup.* only limits are allowed:
// cgroup.procs would move a process of the host into the container's cgroup, where delete kills it,
// and the others change what the runtime itself relies on (cgroup.freeze, cgroup.kill, cgroup.type,
// cgroup.subtree_control).
func (c checker) unified(place, file string) {
	switch {
	case file == "" || file == "." || file == ".." || strings.ContainsAny(file, "/\n\x00"):
		c.bad(place, "must be the name of a file in the cgroup's directory")
	case file == "cgroup.max.depth" || file == "cgroup.max.descendants" || file == "cgroup.pressure":
	case file == "cgroup" || strings.HasPrefix(file, "cgroup."):
		c.bad(place, "is not a limit: of cgroup.* only max.depth, max.descendants and pressure can be set")
	}
}

// interfaceName is the kernel's dev_valid_name.
func interfaceName(name string) bool {
	const ifnamsiz = 16
	return name != "" && name != "." && name != ".." && len(name) < ifnamsiz && !strings.ContainsAny(name, "/: \t\n\v\f\r\x00")
}

func at(list string, index int) string { return list + "[" + strconv.Itoa(index) + "]" }

func member(object, name string) string { return object + "[" + strconv.Quote(name) + "]" }
