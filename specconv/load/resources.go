package load

import specs "github.com/opencontainers/runtime-spec/specs-go"

func decodeResources(r *jsonReader, res *specs.LinuxResources) {
	r.object(fields{
		{"devices", func() { readList(r, &res.Devices, decodeDeviceRule) }},
		{"memory", func() { readPtr(r, &res.Memory, decodeMemory) }},
		{"cpu", func() { readPtr(r, &res.CPU, decodeCPU) }},
		{"pids", func() { readPtr(r, &res.Pids, decodePids) }},
		{"blockIO", func() { readPtr(r, &res.BlockIO, decodeBlockIO) }},
		{"hugepageLimits", func() { readList(r, &res.HugepageLimits, decodeHugepageLimit) }},
		{"network", func() { readPtr(r, &res.Network, decodeNetwork) }},
		{"rdma", func() { readMap(r, &res.Rdma, decodeRdma) }},
		{"unified", func() { readMap(r, &res.Unified, readString[string]) }},
	})
}

func decodeDeviceRule(r *jsonReader, d *specs.LinuxDeviceCgroup) {
	r.object(fields{
		{"allow", func() { readBool(r, &d.Allow) }},
		{"type", func() { readString(r, &d.Type) }},
		{"major", func() { readPtr(r, &d.Major, readInt[int64]) }},
		{"minor", func() { readPtr(r, &d.Minor, readInt[int64]) }},
		{"access", func() { readString(r, &d.Access) }},
	})
}

func decodeMemory(r *jsonReader, m *specs.LinuxMemory) {
	r.object(fields{
		{"limit", func() { readPtr(r, &m.Limit, readInt[int64]) }},
		{"reservation", func() { readPtr(r, &m.Reservation, readInt[int64]) }},
		{"swap", func() { readPtr(r, &m.Swap, readInt[int64]) }},
		{"kernel", func() { readPtr(r, &m.Kernel, readInt[int64]) }}, //nolint:staticcheck // deprecated, named in a warning
		{"kernelTCP", func() { readPtr(r, &m.KernelTCP, readInt[int64]) }},
		{"swappiness", func() { readPtr(r, &m.Swappiness, readInt[uint64]) }},
		{"disableOOMKiller", func() { readPtr(r, &m.DisableOOMKiller, readBool) }},
		{"useHierarchy", func() { readPtr(r, &m.UseHierarchy, readBool) }},
		{"checkBeforeUpdate", func() { readPtr(r, &m.CheckBeforeUpdate, readBool) }},
	})
}

func decodeCPU(r *jsonReader, c *specs.LinuxCPU) {
	r.object(fields{
		{"shares", func() { readPtr(r, &c.Shares, readInt[uint64]) }},
		{"quota", func() { readPtr(r, &c.Quota, readInt[int64]) }},
		{"burst", func() { readPtr(r, &c.Burst, readInt[uint64]) }},
		{"period", func() { readPtr(r, &c.Period, readInt[uint64]) }},
		{"realtimeRuntime", func() { readPtr(r, &c.RealtimeRuntime, readInt[int64]) }},
		{"realtimePeriod", func() { readPtr(r, &c.RealtimePeriod, readInt[uint64]) }},
		{"cpus", func() { readString(r, &c.Cpus) }},
		{"mems", func() { readString(r, &c.Mems) }},
		{"idle", func() { readPtr(r, &c.Idle, readInt[int64]) }},
	})
}

func decodePids(r *jsonReader, p *specs.LinuxPids) {
	r.object(fields{{"limit", func() { readPtr(r, &p.Limit, readInt[int64]) }}})
}

func decodeBlockIO(r *jsonReader, b *specs.LinuxBlockIO) {
	r.object(fields{
		{"weight", func() { readPtr(r, &b.Weight, readInt[uint16]) }},
		{"leafWeight", func() { readPtr(r, &b.LeafWeight, readInt[uint16]) }},
		{"weightDevice", func() { readList(r, &b.WeightDevice, decodeWeightDevice) }},
		{"throttleReadBpsDevice", func() { readList(r, &b.ThrottleReadBpsDevice, decodeThrottleDevice) }},
		{"throttleWriteBpsDevice", func() { readList(r, &b.ThrottleWriteBpsDevice, decodeThrottleDevice) }},
		{"throttleReadIOPSDevice", func() { readList(r, &b.ThrottleReadIOPSDevice, decodeThrottleDevice) }},
		{"throttleWriteIOPSDevice", func() { readList(r, &b.ThrottleWriteIOPSDevice, decodeThrottleDevice) }},
	})
}

func decodeWeightDevice(r *jsonReader, d *specs.LinuxWeightDevice) {
	r.object(fields{
		{"major", func() { readInt(r, &d.Major) }},
		{"minor", func() { readInt(r, &d.Minor) }},
		{"weight", func() { readPtr(r, &d.Weight, readInt[uint16]) }},
		{"leafWeight", func() { readPtr(r, &d.LeafWeight, readInt[uint16]) }},
	})
}

func decodeThrottleDevice(r *jsonReader, d *specs.LinuxThrottleDevice) {
	r.object(fields{
		{"major", func() { readInt(r, &d.Major) }},
		{"minor", func() { readInt(r, &d.Minor) }},
		{"rate", func() { readInt(r, &d.Rate) }},
	})
}

func decodeHugepageLimit(r *jsonReader, h *specs.LinuxHugepageLimit) {
	r.object(fields{
		{"pageSize", func() { readString(r, &h.Pagesize) }},
		{"limit", func() { readInt(r, &h.Limit) }},
	})
}

func decodeNetwork(r *jsonReader, n *specs.LinuxNetwork) {
	r.object(fields{
		{"classID", func() { readPtr(r, &n.ClassID, readInt[uint32]) }},
		{"priorities", func() { readList(r, &n.Priorities, decodeInterfacePriority) }},
	})
}

func decodeInterfacePriority(r *jsonReader, p *specs.LinuxInterfacePriority) {
	r.object(fields{
		{"name", func() { readString(r, &p.Name) }},
		{"priority", func() { readInt(r, &p.Priority) }},
	})
}

func decodeRdma(r *jsonReader, d *specs.LinuxRdma) {
	r.object(fields{
		{"hcaHandles", func() { readPtr(r, &d.HcaHandles, readInt[uint32]) }},
		{"hcaObjects", func() { readPtr(r, &d.HcaObjects, readInt[uint32]) }},
	})
}
