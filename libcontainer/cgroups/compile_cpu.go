package cgroups

import (
	"fmt"
	"math"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func (c *compiler) cpu(res *specs.LinuxResources) error {
	r := res.CPU
	if r == nil {
		return nil
	}
	const place = linuxResources + ".cpu"
	if !given(r.Shares) && !given(r.Quota) && !given(r.Period) && r.Burst == nil && r.Idle == nil &&
		!given(r.RealtimeRuntime) && !given(r.RealtimePeriod) {
		return nil
	}
	v2, err := c.tree("cpu", place)
	if err != nil {
		return err
	}
	if v2 {
		return c.cpuV2(r, place)
	}
	return c.cpuV1(r, place)
}

// idle comes before the weight, and an idle cgroup has none: the kernel refuses to set it (EINVAL).
func (c *compiler) cpuIdle(r *specs.LinuxCPU, place string, v2 bool) (idle bool) {
	if r.Idle == nil {
		return false
	}
	c.put(Write{
		Controller: "cpu", V2: v2, File: "cpu.idle", Value: itoa(*r.Idle), From: place + ".idle",
		Optional: *r.Idle == 0, Hint: "it came with Linux 5.15",
	})
	return *r.Idle == 1
}

func (c *compiler) cpuV1(r *specs.LinuxCPU, place string) error {
	put := func(file, value, name string) *Write {
		c.put(Write{Controller: "cpu", File: file, Value: value, From: place + "." + name})
		return &c.Writes[len(c.Writes)-1]
	}
	// Real-time budget must be there before a real-time process may come in.
	const hint = "this kernel has no real-time group scheduling"
	if given(r.RealtimePeriod) {
		put("cpu.rt_period_us", utoa(*r.RealtimePeriod), "realtimePeriod").Hint = hint
	}
	if given(r.RealtimeRuntime) {
		put("cpu.rt_runtime_us", itoa(*r.RealtimeRuntime), "realtimeRuntime").Hint = hint
	}
	idle := c.cpuIdle(r, place, false)
	if given(r.Shares) {
		// The kernel would silently take the nearest value that it allows.
		switch {
		case *r.Shares < 2:
			return fmt.Errorf("%s.shares: %d: the minimum allowed cpu-shares is 2", place, *r.Shares)
		case *r.Shares > 262144:
			return fmt.Errorf("%s.shares: %d: the maximum allowed cpu-shares is 262144", place, *r.Shares)
		case !idle:
			put("cpu.shares", utoa(*r.Shares), "shares")
		}
	}
	if given(r.Period) {
		put("cpu.cfs_period_us", utoa(*r.Period), "period")
	}
	if given(r.Quota) {
		put("cpu.cfs_quota_us", itoa(*r.Quota), "quota")
	}
	if r.Burst != nil {
		put("cpu.cfs_burst_us", utoa(*r.Burst), "burst").Optional = true
	}
	return nil
}

func (c *compiler) cpuV2(r *specs.LinuxCPU, place string) error {
	put := func(file, value, name string) *Write {
		c.put(Write{Controller: "cpu", V2: true, File: file, Value: value, From: place + "." + name})
		return &c.Writes[len(c.Writes)-1]
	}
	if given(r.RealtimeRuntime) {
		return fmt.Errorf("%s.realtimeRuntime: cgroup v2 has no real-time limits", place)
	}
	if given(r.RealtimePeriod) {
		return fmt.Errorf("%s.realtimePeriod: cgroup v2 has no real-time limits", place)
	}
	if idle := c.cpuIdle(r, place, true); given(r.Shares) && !idle {
		put("cpu.weight", utoa(Weight(*r.Shares)), "shares")
	}
	if given(r.Quota) || given(r.Period) {
		quota, name := "max", "period"
		if given(r.Quota) {
			quota, name = orMax(*r.Quota), "quota"
		}
		period := uint64(100000) // the kernel's default, CFS_BANDWIDTH_SLICE
		if given(r.Period) {
			period = *r.Period
		}
		put("cpu.max", quota+" "+utoa(period), name)
	}
	if r.Burst != nil {
		put("cpu.max.burst", utoa(*r.Burst), "burst").Optional = *r.Burst == 0
	}
	return nil
}

// Weight converts v1's cpu.shares (2 to 262144) to v2's cpu.weight (1 to 10000) so that the
// minimum, the default (1024 to 100) and the maximum meet; a quadratic in the logarithm goes
// through the three points.
func Weight(shares uint64) uint64 {
	switch {
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
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
		v2, err := c.tree("cpuset", place)
		if err != nil {
			return err
		}
		w := Write{Controller: "cpuset", V2: v2, File: "cpuset." + f.name, Value: f.value, From: place}
		if !v2 {
			// A hierarchy mounted with "noprefix", as Android does, spells it without the
			// controller.
			w.Else = &Write{Controller: "cpuset", File: f.name, Value: f.value, From: place}
		}
		c.put(w)
	}
	return nil
}
