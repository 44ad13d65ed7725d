package v1

import (
	"math"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// BlockIO sets weights and throttles of the blkio controller.
func (Compiler) BlockIO(b *specs.LinuxBlockIO, from string) ([]backend.Write, error) {
	list := weight(nil, b.Weight, "", from+".weight")
	list = leafWeight(list, b.LeafWeight, "", from+".leafWeight")
	for i, d := range b.WeightDevice {
		at := from + ".weightDevice[" + strconv.Itoa(i) + "]"
		device := backend.DeviceNumbers(d.LinuxBlockIODevice)
		list = weight(list, d.Weight, device, at+".weight")
		list = leafWeight(list, d.LeafWeight, device, at+".leafWeight")
	}
	for _, t := range []struct {
		devices    []specs.LinuxThrottleDevice
		name, file string
		most       uint64
	}{
		{b.ThrottleReadBpsDevice, "throttleReadBpsDevice", "read_bps", math.MaxUint64},
		{b.ThrottleWriteBpsDevice, "throttleWriteBpsDevice", "write_bps", math.MaxUint64},
		// Of a greater number the kernel keeps the lower 32 bits, which may let nothing through.
		{b.ThrottleReadIOPSDevice, "throttleReadIOPSDevice", "read_iops", math.MaxUint32},
		{b.ThrottleWriteIOPSDevice, "throttleWriteIOPSDevice", "write_iops", math.MaxUint32},
	} {
		for i, d := range t.devices {
			device := backend.DeviceNumbers(d.LinuxBlockIODevice)
			w := file("blkio.throttle."+t.file+"_device", backend.Utoa(min(d.Rate, t.most)), from+"."+t.name+"["+strconv.Itoa(i)+"]")
			list = append(list, w.ForDevice(device, "0"))
		}
	}
	return list, nil
}

func file(name, value, from string) backend.Write {
	return backend.Write{Controller: "blkio", File: name, Value: value, From: from}
}

// weight sets the weight of the cgroup or, with a device "8:0", of the cgroup at that device. The
// BFQ scheduler has a file of its own; a kernel has either, both or none.
func weight(list []backend.Write, weight *uint16, device, from string) []backend.Write {
	if weight == nil || *weight == 0 && device == "" {
		return list
	}
	suffix, value := suffixOf(device), strconv.Itoa(int(*weight))
	w := file("blkio.bfq.weight"+suffix, value, from).ForDevice(device, "0")
	other := file("blkio.weight"+suffix, value, from).ForDevice(device, "0")
	other.Hint, w.Else = backend.NoBlockWeight, &other
	return append(list, w)
}

func leafWeight(list []backend.Write, weight *uint16, device, from string) []backend.Write {
	if !backend.Given(weight) {
		return list
	}
	w := file("blkio.leaf_weight"+suffixOf(device), strconv.Itoa(int(*weight)), from).ForDevice(device, "0")
	w.Hint = "leaf weights went away with the CFQ scheduler in Linux 5.0"
	return append(list, w)
}

// suffixOf ends the name of a file with a line for each device.
func suffixOf(device string) string {
	if device != "" {
		return "_device"
	}
	return ""
}
