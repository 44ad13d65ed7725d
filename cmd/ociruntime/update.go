package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// updateFlags are the flags of update: the limits that it changes.
type updateFlags struct {
	file   string
	l3, mb string
	memory specs.LinuxMemory
	cpu    specs.LinuxCPU
	block  specs.LinuxBlockIO
	pids   specs.LinuxPids
	// flags that are given and do nothing
	ignored []string
}

// updateCommand changes limits.
func updateCommand(a *app) *cli.Command {
	var u updateFlags
	return &cli.Command{
		Name: "update", ArgsUsage: "ID",
		Usage: "change a container's limits",
		Description: `Changes the limits of a container that was created or runs. A limit that is not
given stays as it is, and so does one given as 0 where 0 would be no use; -1 means
no limit. When one can't be set, those already changed get their old values back.

Sizes are in bytes, or have a unit: 512k, 100m, 1.5g.

With --resources the limits come from a file in JSON, as "linux.resources" has them
in config.json, and other limits on the command line don't count. Device rules in it
are left out.`,
		Flags: u.flags(),
		Action: a.action(1, 1, a.container(func(c *libcontainer.Container) error {
			res, err := u.resources(a)
			if err != nil {
				return err
			}
			return c.Update(&libcontainer.UpdateOptions{Resources: res, L3CacheSchema: u.l3, MemBwSchema: u.mb})
		})),
	}
}

func (u *updateFlags) flags() []cli.Flag {
	m, c := &u.memory, &u.cpu
	return []cli.Flag{
		text(&u.file, "resources,r", "take the limits from the JSON file `FILE`, - for standard input"),
		each(into(&u.block.Weight, parseUint[uint16]), "blkio-weight", "share of block I/O: `WEIGHT` is 10 to 1000"),
		each(into(&c.Period, parseUint[uint64]), "cpu-period", "length of a CPU period in `USEC`"),
		each(into(&c.Quota, parseInt), "cpu-quota", "CPU time in a period in `USEC`"),
		each(into(&c.Burst, parseUint[uint64]), "cpu-burst", "unused CPU time that may be saved up in `USEC`"),
		each(into(&c.Shares, parseUint[uint64]), "cpu-share", "`SHARES` of CPU time beside other containers"),
		each(into(&c.RealtimePeriod, parseUint[uint64]), "cpu-rt-period", "length of a real-time period in `USEC`"),
		each(into(&c.RealtimeRuntime, parseInt), "cpu-rt-runtime", "real-time CPU time in a period in `USEC`"),
		text(&c.Cpus, "cpuset-cpus", "`LIST` of CPUs to run on: 0-3,7"),
		text(&c.Mems, "cpuset-mems", "`LIST` of memory nodes to use"),
		each(into(&c.Idle, parseInt), "cpu-idle", "run only when no other container wants the CPU: `0|1`"),
		each(into(&m.Limit, parseSize), "memory", "`SIZE` of memory"),
		each(into(&m.Reservation, parseSize), "memory-reservation", "`SIZE` of memory to be left alone when memory is scarce"),
		each(into(&m.Swap, parseSize), "memory-swap", "`SIZE` of memory and swap together"),
		u.without("kernel-memory"),
		u.without("kernel-memory-tcp"),
		each(into(&u.pids.Limit, parseInt), "pids-limit", "at most `N` processes and threads"),
		text(&u.l3, "l3-cache-schema", "`SCHEMA` of the L3 cache (Intel RDT); counts with --resources, too"),
		text(&u.mb, "mem-bw-schema", "`SCHEMA` of memory bandwidth (Intel RDT); counts with --resources, too"),
	}
}

// without is a flag of runc's that is accepted, and without effect.
func (u *updateFlags) without(name string) *option {
	return hidden(each(func(text string) error {
		if text != "" {
			u.ignored = append(u.ignored, name)
		}
		_, err := parseSize(cmp.Or(text, "0"))
		return err
	}, name, ""))
}

// resources are the limits to be changed.
func (u *updateFlags) resources(a *app) (*specs.LinuxResources, error) {
	if u.file == "" {
		for _, flag := range u.ignored {
			a.log.warn("--" + flag + ": without effect, kernels have no such limit any more")
		}
		return &specs.LinuxResources{Memory: &u.memory, CPU: &u.cpu, BlockIO: &u.block, Pids: &u.pids}, nil
	}
	data, err := readFileOrStdin(u.file)
	if err != nil {
		return nil, fmt.Errorf("--resources: %w", err)
	}
	res, warnings, err := load.Resources(data)
	a.warn(warnings)
	if err != nil {
		return nil, fmt.Errorf("--resources: %w", err)
	}
	for _, section := range unknownSections(data) {
		a.log.warn(fmt.Sprintf("--resources: %s: unknown, and left out", section))
	}
	// Podman sends a rule that denies everything with every update, and means nothing by it.
	if n := len(res.Devices); n > 1 || n == 1 && (res.Devices[0].Allow || res.Devices[0].Type != "") {
		a.log.warn("--resources: resources.devices: left out, an update does not change device rules")
	}
	return res, nil
}

func readFileOrStdin(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

// unknownSections are members of a resources object that nobody here knows.
func unknownSections(data []byte) []string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(data, &members) // what is no object has been refused before
	var unknown []string
	for name := range members {
		switch strings.ToLower(name) {
		case "devices", "memory", "cpu", "pids", "blockio", "hugepagelimits", "network", "rdma", "unified":
		default:
			unknown = append(unknown, "resources."+name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// into makes a flag of a pointer. An empty value leaves it nil, as scripts expect that have nothing
// to set.
func into[T any](p **T, parse func(string) (T, error)) func(string) error {
	return func(text string) error {
		if text == "" {
			return nil
		}
		v, err := parse(text)
		if err == nil {
			*p = &v
		}
		return err
	}
}

func parseInt(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.New("not a whole number in range")
	}
	return n, nil
}

func parseUint[T uint16 | uint64](text string) (T, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > uint64(^T(0)) {
		return 0, errors.New("not a whole number in range")
	}
	return T(n), nil
}

// parseSize understands bytes with a unit in powers of 1024: 100m, 1.5g, 64k, 10MiB, 1kb; and -1.
func parseSize(text string) (int64, error) {
	invalid := errors.New("not a size as in 4096, 100m or 1.5g, nor -1")
	if text == "-1" {
		return -1, nil
	}
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	shift, ok := unitShift(strings.ToLower(strings.TrimSpace(text[len(number):])))
	if !ok || strings.Trim(number, "0123456789.") != "" {
		return 0, invalid
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && n <= math.MaxInt64>>shift {
		return n << shift, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	f *= float64(int64(1) << shift)
	if err != nil || f >= math.MaxInt64 {
		return 0, invalid
	}
	return int64(f), nil
}

// unitShift gives a unit as a power of 2. The b of bytes may follow every letter.
func unitShift(unit string) (shift int, ok bool) {
	if unit == "" || unit == "b" {
		return 0, true
	}
	i, rest := strings.IndexByte("kmgtp", unit[0]), unit[1:]
	return 10 * (i + 1), i >= 0 && (rest == "" || rest == "b" || rest == "ib")
}
