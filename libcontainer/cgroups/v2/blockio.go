package v2

import (
	"fmt"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/internal/backend"
)

// BlockIO sets weights and throttles of the io controller. There are no leaf weights.
func (Compiler) BlockIO(b *specs.LinuxBlockIO, from string) ([]backend.Write, error) {
	const noLeaf = "%s.leafWeight: cgroup v2 has no leaf weight"
	list := weight(nil, b.Weight, "", from+".weight")
	if backend.Given(b.LeafWeight) {
		return nil, fmt.Errorf(noLeaf, from)
	}
	for i, d := range b.WeightDevice {
		at := from + ".weightDevice[" + strconv.Itoa(i) + "]"
		list = weight(list, d.Weight, backend.DeviceNumbers(d.LinuxBlockIODevice), at+".weight")
		if backend.Given(d.LeafWeight) {
			return nil, fmt.Errorf(noLeaf, at)
		}
	}
	for _, t := range []struct {
		devices   []specs.LinuxThrottleDevice
		name, key string
	}{
		{b.ThrottleReadBpsDevice, "throttleReadBpsDevice", "rbps"},
		{b.ThrottleWriteBpsDevice, "throttleWriteBpsDevice", "wbps"},
		{b.ThrottleReadIOPSDevice, "throttleReadIOPSDevice", "riops"},
		{b.ThrottleWriteIOPSDevice, "throttleWriteIOPSDevice", "wiops"},
	} {
		for i, d := range t.devices {
			// v1 lifts a limit with 0; v2 refuses 0 and takes "max".
			rate := "max"
			if d.Rate != 0 {
				rate = backend.Utoa(d.Rate)
			}
			device := backend.DeviceNumbers(d.LinuxBlockIODevice)
			w := file("io.max", t.key+"="+rate, from+"."+t.name+"["+strconv.Itoa(i)+"]")
			list = append(list, w.ForDevice(device, "rbps=max wbps=max riops=max wiops=max"))
		}
	}
	return list, nil
}

func file(name, value, from string) backend.Write {
	return backend.Write{Controller: "io", File: name, Value: value, From: from}
}

// weight sets the weight of the cgroup or, with a device "8:0", of the cgroup at that device. The
// BFQ scheduler has its own file, with v1's values (10 to 1000); the cost model has another one (1
// to 10000). A kernel has either, both or none.
func weight(list []backend.Write, weight *uint16, device, from string) []backend.Write {
	if weight == nil || *weight == 0 && device == "" {
		return list
	}
	value, cost := strconv.Itoa(int(*weight)), "default"
	if *weight != 0 {
		cost = strconv.Itoa(1 + (int(*weight)-10)*9999/990)
	}
	w := file("io.bfq.weight", value, from).ForDevice(device, "0")
	other := file("io.weight", cost, from).ForDevice(device, "default")
	other.Hint, w.Else = backend.NoBlockWeight, &other
	return append(list, w)
}
