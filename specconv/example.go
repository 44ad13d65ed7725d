package specconv

import (
	"encoding/json"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Example gives the configuration that the spec command writes: a shell in a
// container of its own. With cgroup2 it gets a cgroup namespace. With rootless
// it can be started by a user, to whom the container's root is mapped: euid
// and egid are the user's ids.
func Example(rootless, cgroup2 bool, euid, egid int) *specs.Spec {
	spec := &specs.Spec{
		Version:  specs.Version,
		Process:  exampleProcess(),
		Root:     &specs.Root{Path: "rootfs", Readonly: true},
		Hostname: "ociruntime",
		Mounts:   exampleMounts(),
		Linux: &specs.Linux{
			MaskedPaths: []string{
				"/proc/acpi",
				"/proc/asound",
				"/proc/kcore",
				"/proc/keys",
				"/proc/latency_stats",
				"/proc/timer_list",
				"/proc/timer_stats",
				"/proc/sched_debug",
				"/sys/firmware",
				"/proc/scsi",
			},
			ReadonlyPaths: []string{
				"/proc/bus",
				"/proc/fs",
				"/proc/irq",
				"/proc/sys",
				"/proc/sysrq-trigger",
			},
			Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
		},
	}
	if rootless {
		// A user may not set limits.
		spec.Linux.Resources = nil
	}
	SetNamespaces(spec, exampleNamespaces(rootless, cgroup2), euid, egid)
	return spec
}

// ExampleJSON gives a configuration as the spec command writes it.
func ExampleJSON(spec *specs.Spec) ([]byte, error) {
	data, err := json.MarshalIndent(spec, "", "\t")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

func exampleProcess() *specs.Process {
	caps := func() []string { return []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"} }
	return &specs.Process{
		Terminal:        true,
		Args:            []string{"sh"},
		Env:             []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"},
		Cwd:             "/",
		NoNewPrivileges: true,
		Capabilities:    &specs.LinuxCapabilities{Bounding: caps(), Permitted: caps(), Effective: caps()},
		Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}},
	}
}

func exampleMounts() []specs.Mount {
	return []specs.Mount{
		{
			Destination: "/proc",
			Type:        "proc",
			Source:      "proc",
		},
		{
			Destination: "/dev",
			Type:        "tmpfs",
			Source:      "tmpfs",
			Options:     []string{"nosuid", "strictatime", "mode=755", "size=65536k"},
		},
		{
			Destination: "/dev/pts",
			Type:        "devpts",
			Source:      "devpts",
			Options:     []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"},
		},
		{
			Destination: "/dev/shm",
			Type:        "tmpfs",
			Source:      "shm",
			Options:     []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"},
		},
		{
			Destination: "/dev/mqueue",
			Type:        "mqueue",
			Source:      "mqueue",
			Options:     []string{"nosuid", "noexec", "nodev"},
		},
		{
			Destination: "/sys",
			Type:        "sysfs",
			Source:      "sysfs",
			Options:     []string{"nosuid", "noexec", "nodev", "ro"},
		},
		{
			Destination: "/sys/fs/cgroup",
			Type:        "cgroup",
			Source:      "cgroup",
			Options:     []string{"nosuid", "noexec", "nodev", "relatime", "ro"},
		},
	}
}

func exampleNamespaces(rootless, cgroup2 bool) []specs.LinuxNamespaceType {
	types := []specs.LinuxNamespaceType{specs.PIDNamespace}
	if !rootless {
		types = append(types, specs.NetworkNamespace)
	}
	types = append(types, specs.IPCNamespace, specs.UTSNamespace, specs.MountNamespace)
	if cgroup2 {
		types = append(types, specs.CgroupNamespace)
	}
	if rootless {
		types = append(types, specs.UserNamespace)
	}
	return types
}
