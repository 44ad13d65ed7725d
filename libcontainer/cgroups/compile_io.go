package cgroups

import (
	"fmt"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const blkio = linuxResources + ".blockIO"

func (c *compiler) blockIO(res *specs.LinuxResources) error {
	b := res.BlockIO
	if b == nil {
		return nil
	}
	throttles := len(b.ThrottleReadBpsDevice) + len(b.ThrottleWriteBpsDevice) +
		len(b.ThrottleReadIOPSDevice) + len(b.ThrottleWriteIOPSDevice)
	if !given(b.Weight) && !given(b.LeafWeight) && len(b.WeightDevice) == 0 && throttles == 0 {
		return nil
	}
	controller := "blkio"
	if c.host.version(controller) == 0 {
		controller = "io"
	}
	v2, err := c.tree(controller, blkio)
	if err != nil {
		return err
	}
	io := ioCompiler{c, v2}
	io.weight(b.Weight, "", "", blkio+".weight")
	if err := io.leafWeight(b.LeafWeight, "", "", blkio+".leafWeight"); err != nil {
		return err
	}
	if err := io.deviceWeights(b.WeightDevice); err != nil {
		return err
	}
	io.throttles(b)
	return nil
}

// ioCompiler writes for v1's blkio or v2's io controller.
type ioCompiler struct {
	*compiler
	v2 bool
}

func (c ioCompiler) file(name, value, from string) Write {
	if c.v2 {
		return Write{Controller: "io", V2: true, File: name, Value: value, From: from}
	}
	return Write{Controller: "blkio", File: name, Value: value, From: from}
}

// weight writes the weight of the cgroup or, with a device "8:0", of the cgroup at that device. The
// BFQ scheduler has its own file, the cost model of cgroup v2 another one; a kernel has either,
// both or none.
func (c ioCompiler) weight(weight *uint16, device, suffix, from string) {
	if weight == nil || *weight == 0 && device == "" {
		return
	}
	value, cost := strconv.Itoa(int(*weight)), "default"
	if *weight != 0 {
		cost = strconv.Itoa(1 + (int(*weight)-10)*9999/990)
	}
	const hint = "this kernel has no scheduler or cost model that weighs block I/O"
	w, other := c.file("blkio.bfq.weight"+suffix, value, from), c.file("blkio.weight"+suffix, value, from)
	if c.v2 {
		w, other = c.file("io.bfq.weight", value, from), c.file("io.weight", cost, from)
	}
	if device != "" {
		w.Key, w.Unset, w.Value = device, device+" 0", device+" "+w.Value
		other.Key, other.Unset, other.Value = device, device+" 0", device+" "+other.Value
		if c.v2 {
			other.Unset = device + " default"
		}
	}
	other.Hint, w.Else = hint, &other
	c.put(w)
}

func (c ioCompiler) leafWeight(weight *uint16, device, suffix, from string) error {
	if !given(weight) {
		return nil
	}
	if c.v2 {
		return fmt.Errorf("%s: cgroup v2 has no leaf weight", from)
	}
	w := c.file("blkio.leaf_weight"+suffix, strconv.Itoa(int(*weight)), from)
	w.Hint = "leaf weights went away with the CFQ scheduler in Linux 5.0"
	if device != "" {
		w.Key, w.Unset, w.Value = device, device+" 0", device+" "+w.Value
	}
	c.put(w)
	return nil
}

func (c ioCompiler) deviceWeights(list []specs.LinuxWeightDevice) error {
	for i, d := range list {
		from := blkio + ".weightDevice[" + strconv.Itoa(i) + "]"
		dev := deviceNumbers(d.LinuxBlockIODevice)
		c.weight(d.Weight, dev, "_device", from+".weight")
		if err := c.leafWeight(d.LeafWeight, dev, "_device", from+".leafWeight"); err != nil {
			return err
		}
	}
	return nil
}

func deviceNumbers(d specs.LinuxBlockIODevice) string { return itoa(d.Major) + ":" + itoa(d.Minor) }

func (c ioCompiler) throttles(b *specs.LinuxBlockIO) {
	for _, t := range []struct {
		list         []specs.LinuxThrottleDevice
		name, v1, v2 string
	}{
		{b.ThrottleReadBpsDevice, "throttleReadBpsDevice", "read_bps", "rbps"},
		{b.ThrottleWriteBpsDevice, "throttleWriteBpsDevice", "write_bps", "wbps"},
		{b.ThrottleReadIOPSDevice, "throttleReadIOPSDevice", "read_iops", "riops"},
		{b.ThrottleWriteIOPSDevice, "throttleWriteIOPSDevice", "write_iops", "wiops"},
	} {
		for i, d := range t.list {
			from := blkio + "." + t.name + "[" + strconv.Itoa(i) + "]"
			dev := deviceNumbers(d.LinuxBlockIODevice)
			w := c.file("blkio.throttle."+t.v1+"_device", dev+" "+utoa(d.Rate), from)
			w.Unset = dev + " 0"
			if c.v2 {
				// v1 lifts a limit with 0; v2 refuses 0 and takes "max".
				rate := utoa(d.Rate)
				if d.Rate == 0 {
					rate = "max"
				}
				w = c.file("io.max", dev+" "+t.v2+"="+rate, from)
				w.Unset = dev + " rbps=max wbps=max riops=max wiops=max"
			}
			w.Key = dev
			c.put(w)
		}
	}
}
