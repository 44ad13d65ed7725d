package main

import (
	"errors"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// What the values of the flags of spec mean.

func (s *specFlags) addEnv(text string) error {
	s.env = append(s.env, text)
	return checkVariable(text)
}

// checkVariable wants what is given to --env to be a variable with its value.
func checkVariable(text string) error {
	if name, _, ok := strings.Cut(text, "="); !ok || name == "" {
		return errors.New("not NAME=VALUE")
	}
	return nil
}

// setVariable sets a variable in an environment, in place of an earlier value.
func setVariable(env []string, variable string) []string {
	name, _, _ := strings.Cut(variable, "=")
	for i, old := range env {
		if strings.HasPrefix(old, name+"=") {
			env[i] = variable
			return env
		}
	}
	return append(env, variable)
}

func (s *specFlags) setHostname(text string) error {
	const most = 64 // of sethostname(2)
	if text == "" || len(text) > most {
		return errors.New("a hostname has 1 to 64 bytes")
	}
	s.hostname = text
	return nil
}

// addCaps adds to what stands in the place of the example's capabilities.
func (s *specFlags) addCaps(list string) error {
	if s.caps == nil {
		s.caps = []string{}
	}
	for word := range strings.SplitSeq(list, ",") {
		name := "CAP_" + strings.TrimPrefix(strings.ToUpper(word), "CAP_")
		add := []string{name}
		switch {
		case strings.EqualFold(word, "none"):
			add = nil
		case strings.EqualFold(word, "all"):
			add = names.CapabilityTable[:]
		case !slices.Contains(names.CapabilityTable[:], name):
			return errors.New(strconv.Quote(word) + " is not a capability: all, none, or a name of capabilities(7), with or without CAP_")
		}
		for _, name := range add {
			if !slices.Contains(s.caps, name) {
				s.caps = append(s.caps, name)
			}
		}
	}
	return nil
}

// setNamespaces takes the names of config.json and those of /proc/PID/ns. An empty list is one: it
// leaves no namespaces.
func (s *specFlags) setNamespaces(list string) error {
	s.namespaces = []specs.LinuxNamespaceType{}
	if list == "" {
		return nil
	}
	for word := range strings.SplitSeq(list, ",") {
		kinds := namespace.Kinds()
		i := slices.IndexFunc(kinds[:], func(k namespace.Kind) bool { return k.Name == word || k.Link == word })
		if i < 0 {
			return errors.New(strconv.Quote(word) + " is not a kind of namespace: user, mount, pid, network, ipc, uts, cgroup, time")
		}
		kind := specs.LinuxNamespaceType(kinds[i].Name)
		if slices.Contains(s.namespaces, kind) {
			return errors.New(strconv.Quote(word) + " stands there twice")
		}
		s.namespaces = append(s.namespaces, kind)
	}
	return nil
}

func (s *specFlags) setMapping(text string) error {
	fields := strings.Split(text, ":")
	numbers := make([]uint32, 0, 3)
	for _, field := range fields {
		n, err := parseID(field)
		if err != nil {
			break
		}
		numbers = append(numbers, n)
	}
	if len(fields) != 3 || len(numbers) != 3 || numbers[2] == 0 {
		return errors.New("not ID:HOST-ID:COUNT as in 0:100000:65536")
	}
	s.mapping = &specs.LinuxIDMapping{ContainerID: numbers[0], HostID: numbers[1], Size: numbers[2]}
	return nil
}

func (s *specFlags) addMount(text string) error {
	source, rest, _ := strings.Cut(text, ":")
	destination, options, _ := strings.Cut(rest, ":")
	if source == "" || !path.IsAbs(destination) {
		return errors.New("not FROM:TO[:OPTIONS] as in /data:/mnt:ro, with an absolute TO")
	}
	m := specs.Mount{Destination: path.Clean(destination), Type: "none", Source: source, Options: []string{"rbind"}}
	if options != "" {
		m.Options = append(m.Options, strings.Split(options, ",")...)
	}
	s.mounts = append(s.mounts, m)
	return nil
}

// setMount adds a mount, or puts it in the place of what was there.
func setMount(mounts []specs.Mount, m specs.Mount) []specs.Mount {
	for i, old := range mounts {
		if old.Destination == m.Destination {
			mounts[i] = m
			return mounts
		}
	}
	return append(mounts, m)
}

func (s *specFlags) addNetDevice(text string) error {
	device, name, renamed := strings.Cut(text, ":")
	if device == "" || renamed && name == "" {
		return errors.New("not DEVICE[:NEW-NAME] as in veth1:eth0")
	}
	if s.netDevices == nil {
		s.netDevices = map[string]specs.LinuxNetDevice{}
	}
	s.netDevices[device] = specs.LinuxNetDevice{Name: name}
	return nil
}

func (s *specFlags) addTimeOffset(text string) error {
	clock, seconds, _ := strings.Cut(text, "=")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || clock != "monotonic" && clock != "boottime" {
		return errors.New("not CLOCK=SECONDS as in boottime=86400, of the clocks monotonic and boottime")
	}
	if s.timeOffsets == nil {
		s.timeOffsets = map[string]specs.LinuxTimeOffset{}
	}
	s.timeOffsets[clock] = specs.LinuxTimeOffset{Secs: n}
	return nil
}

func (s *specFlags) setMemory(text string) error {
	n, err := parseSize(text)
	if err != nil || n <= 0 {
		return errors.New("not a size as in 65536, 100m or 1.5g")
	}
	s.memory = &n
	return nil
}

// cpuPeriod is the kernel's own length of a period, in microseconds.
const cpuPeriod = 100_000

func (s *specFlags) setCPUs(text string) error {
	const least, most = 0.01, 1 << 20 // the kernel takes no quota below a millisecond
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= least && n <= most) {
		return errors.New("not a number of CPUs as in 0.5 or 2, and at least 0.01")
	}
	quota := int64(math.Round(n * cpuPeriod))
	s.quota = &quota
	return nil
}
