package load

import specs "github.com/opencontainers/runtime-spec/specs-go"

func decodeResources(r *jsonReader, res *specs.LinuxResources) {
	r.object(func(name string) bool {
		switch name {
		case "devices":
			readList(r, &res.Devices, decodeDeviceRule)
		case "memory":
			readPtr(r, &res.Memory, decodeMemory)
		case "cpu":
			readPtr(r, &res.CPU, decodeCPU)
		case "pids":
			readPtr(r, &res.Pids, decodePids)
		case "blockIO":
			readPtr(r, &res.BlockIO, decodeBlockIO)
		case "hugepageLimits":
			readList(r, &res.HugepageLimits, decodeHugepageLimit)
		case "network":
			readPtr(r, &res.Network, decodeNetwork)
		case "rdma":
			readMap(r, &res.Rdma, decodeRdma)
		case "unified":
			readMap(r, &res.Unified, readString[string])
		default:
			return false
		}
		return true
	})
}

func decodeDeviceRule(r *jsonReader, d *specs.LinuxDeviceCgroup) {
	r.object(func(name string) bool {
		switch name {
		case "allow":
			readBool(r, &d.Allow)
		case "type":
			readString(r, &d.Type)
		case "major":
			readPtr(r, &d.Major, readInt[int64])
		case "minor":
			readPtr(r, &d.Minor, readInt[int64])
		case "access":
			readString(r, &d.Access)
		default:
			return false
		}
		return true
	})
}

func decodeMemory(r *jsonReader, m *specs.LinuxMemory) {
	r.object(func(name string) bool {
		switch name {
		case "limit":
			readPtr(r, &m.Limit, readInt[int64])
		case "reservation":
			readPtr(r, &m.Reservation, readInt[int64])
		case "swap":
			readPtr(r, &m.Swap, readInt[int64])
		case "kernel":
			readPtr(r, &m.Kernel, readInt[int64]) //nolint:staticcheck // deprecated, named in a warning
		case "kernelTCP":
			readPtr(r, &m.KernelTCP, readInt[int64])
		case "swappiness":
			readPtr(r, &m.Swappiness, readInt[uint64])
		case "disableOOMKiller":
			readPtr(r, &m.DisableOOMKiller, readBool)
		case "useHierarchy":
			readPtr(r, &m.UseHierarchy, readBool)
		case "checkBeforeUpdate":
			readPtr(r, &m.CheckBeforeUpdate, readBool)
		default:
			return false
		}
		return true
	})
}

func decodeCPU(r *jsonReader, c *specs.LinuxCPU) {
	r.object(func(name string) bool {
		switch name {
		case "shares":
			readPtr(r, &c.Shares, readInt[uint64])
		case "quota":
			readPtr(r, &c.Quota, readInt[int64])
		case "burst":
			readPtr(r, &c.Burst, readInt[uint64])
		case "period":
			readPtr(r, &c.Period, readInt[uint64])
		case "realtimeRuntime":
			readPtr(r, &c.RealtimeRuntime, readInt[int64])
		case "realtimePeriod":
			readPtr(r, &c.RealtimePeriod, readInt[uint64])
		case "cpus":
			readString(r, &c.Cpus)
		case "mems":
			readString(r, &c.Mems)
		case "idle":
			readPtr(r, &c.Idle, readInt[int64])
		default:
			return false
		}
		return true
	})
}

func decodePids(r *jsonReader, p *specs.LinuxPids) {
	r.object(func(name string) bool {
		if name != "limit" {
			return false
		}
		readPtr(r, &p.Limit, readInt[int64])
		return true
	})
}

func decodeBlockIO(r *jsonReader, b *specs.LinuxBlockIO) {
	r.object(func(name string) bool {
		switch name {
		case "weight":
			readPtr(r, &b.Weight, readInt[uint16])
		case "leafWeight":
			readPtr(r, &b.LeafWeight, readInt[uint16])
		case "weightDevice":
			readList(r, &b.WeightDevice, decodeWeightDevice)
		case "throttleReadBpsDevice":
			readList(r, &b.ThrottleReadBpsDevice, decodeThrottleDevice)
		case "throttleWriteBpsDevice":
			readList(r, &b.ThrottleWriteBpsDevice, decodeThrottleDevice)
		case "throttleReadIOPSDevice":
			readList(r, &b.ThrottleReadIOPSDevice, decodeThrottleDevice)
		case "throttleWriteIOPSDevice":
			readList(r, &b.ThrottleWriteIOPSDevice, decodeThrottleDevice)
		default:
			return false
		}
		return true
	})
}

func decodeWeightDevice(r *jsonReader, d *specs.LinuxWeightDevice) {
	r.object(func(name string) bool {
		switch name {
		case "major":
			readInt(r, &d.Major)
		case "minor":
			readInt(r, &d.Minor)
		case "weight":
			readPtr(r, &d.Weight, readInt[uint16])
		case "leafWeight":
			readPtr(r, &d.LeafWeight, readInt[uint16])
		default:
			return false
		}
		return true
	})
}

func decodeThrottleDevice(r *jsonReader, d *specs.LinuxThrottleDevice) {
	r.object(func(name string) bool {
		switch name {
		case "major":
			readInt(r, &d.Major)
		case "minor":
			readInt(r, &d.Minor)
		case "rate":
			readInt(r, &d.Rate)
		default:
			return false
		}
		return true
	})
}

func decodeHugepageLimit(r *jsonReader, h *specs.LinuxHugepageLimit) {
	r.object(func(name string) bool {
		switch name {
		case "pageSize":
			readString(r, &h.Pagesize)
		case "limit":
			readInt(r, &h.Limit)
		default:
			return false
		}
		return true
	})
}

func decodeNetwork(r *jsonReader, n *specs.LinuxNetwork) {
	r.object(func(name string) bool {
		switch name {
		case "classID":
			readPtr(r, &n.ClassID, readInt[uint32])
		case "priorities":
			readList(r, &n.Priorities, decodeInterfacePriority)
		default:
			return false
		}
		return true
	})
}

func decodeInterfacePriority(r *jsonReader, p *specs.LinuxInterfacePriority) {
	r.object(func(name string) bool {
		switch name {
		case "name":
			readString(r, &p.Name)
		case "priority":
			readInt(r, &p.Priority)
		default:
			return false
		}
		return true
	})
}

func decodeRdma(r *jsonReader, d *specs.LinuxRdma) {
	r.object(func(name string) bool {
		switch name {
		case "hcaHandles":
			readPtr(r, &d.HcaHandles, readInt[uint32])
		case "hcaObjects":
			readPtr(r, &d.HcaObjects, readInt[uint32])
		default:
			return false
		}
		return true
	})
}
