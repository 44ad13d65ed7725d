package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// specFlags are the flags of spec.
type specFlags struct {
	bundle                         string
	rootless, writable, noTerminal bool
	args, env                      []string
	hostname                       string
	caps                           []string // nil: those of the example
	memory                         *int64
	quota                          *int64
	namespaces                     []specs.LinuxNamespaceType // nil: those of the example
	mapping                        *specs.LinuxIDMapping
	mounts                         []specs.Mount
	netDevices                     map[string]specs.LinuxNetDevice
	timeOffsets                    map[string]specs.LinuxTimeOffset
}

// specCommand writes a config.json to start from.
func specCommand(a *app) *cli.Command {
	var s specFlags
	return &cli.Command{
		Name:  "spec",
		Usage: "write a config.json to start from",
		Description: `Writes a config.json for a shell into the bundle. The root filesystem is expected
in the directory "rootfs" beside it. What the container runs, sees and may use, flags
change; what has no flag, an editor does.

With --rootless the configuration suits a caller other than root: it has a user
namespace in which root is the caller, and no network namespace.

--namespaces lists kinds of namespaces: user, mount, pid, network, ipc, uts, cgroup and
time. The container has these of its own and shares the rest with the host. Without
mount it has no mounts, and its root filesystem is entered by chroot. An empty list
leaves none.

--cap lists capabilities, with or without CAP_, or is all or none. Without it they are
AUDIT_WRITE, KILL and NET_BIND_SERVICE.

--mount takes the place of what config.json mounts there otherwise, /proc for example.
Its options are those of mount(8) for a bind mount, which is recursive: ro,noexec.`,
		Flags: s.flags(),
		Action: a.action(0, 0, func(*cli.Context) error {
			spec, err := s.spec()
			if err != nil {
				return err
			}
			return writeSpec(s.bundle, spec)
		}),
	}
}

func (s *specFlags) flags() []cli.Flag {
	return []cli.Flag{
		text(&s.bundle, "bundle,b", "the bundle in `DIR` (default: the current directory)"),
		boolean(&s.rootless, "rootless", "for a caller who isn't root"),
		each(appendTo(&s.args), "arg", "run `WORD` in place of the shell; repeated, its arguments"),
		each(s.addEnv, "env,e", "set the environment variable `NAME=VALUE`; may be repeated"),
		boolean(&s.noTerminal, "no-terminal", "use the caller's input and output, and no terminal"),
		boolean(&s.writable, "rw", "let the root filesystem be written to"),
		each(s.setHostname, "hostname", "call the container's host `HOST`"),
		each(s.addCaps, "cap", "have the capabilities in `LIST` and no others; may be repeated"),
		each(s.setNamespaces, "namespaces", "have the namespaces in `LIST` and no others: pid,mount"),
		each(s.setMapping, "id-map", "users and groups of the user namespace: `ID:HOST-ID:COUNT`"),
		each(s.addMount, "mount", "bind the host's `FROM:TO[:OPTIONS]`; may be repeated"),
		each(s.addNetDevice, "net-device", "take the host's network `DEVICE[:NEW-NAME]`; may be repeated"),
		each(s.addTimeOffset, "time-offset", "set a clock of the time namespace forward: `CLOCK=SECONDS`"),
		each(s.setMemory, "memory", "at most `SIZE` of memory: 64m"),
		each(s.setCPUs, "cpus", "at most `N` CPUs' time: 0.5"),
	}
}

// spec is the example as the flags change it.
func (s *specFlags) spec() (*specs.Spec, error) {
	euid, egid := os.Geteuid(), os.Getegid()
	spec := specconv.Example(s.rootless, onCgroup2(), euid, egid)
	if s.namespaces != nil {
		specconv.SetNamespaces(spec, s.namespaces, euid, egid)
	}
	if err := s.suits(spec); err != nil {
		return nil, err
	}
	p, linux := spec.Process, spec.Linux
	if len(s.args) > 0 {
		p.Args = s.args
	}
	for _, variable := range s.env {
		p.Env = setVariable(p.Env, variable)
	}
	p.Terminal = !s.noTerminal
	if s.caps != nil {
		c := p.Capabilities
		c.Bounding, c.Permitted, c.Effective = s.caps, s.caps, s.caps
	}
	spec.Root.Readonly = spec.Root.Readonly && !s.writable
	if s.hostname != "" {
		spec.Hostname = s.hostname
	}
	if s.mapping != nil {
		linux.UIDMappings = []specs.LinuxIDMapping{*s.mapping}
		linux.GIDMappings = linux.UIDMappings
	}
	for _, m := range s.mounts {
		spec.Mounts = setMount(spec.Mounts, m)
	}
	linux.NetDevices, linux.TimeOffsets = s.netDevices, s.timeOffsets
	s.setLimits(linux)
	return spec, nil
}

// suits says which flag needs a namespace that the container doesn't have.
func (s *specFlags) suits(spec *specs.Spec) error {
	for _, need := range []struct {
		given bool
		flag  string
		kind  specs.LinuxNamespaceType
	}{
		{s.rootless, "rootless", specs.UserNamespace},
		{s.hostname != "", "hostname", specs.UTSNamespace},
		{s.mapping != nil, "id-map", specs.UserNamespace},
		{s.mounts != nil, "mount", specs.MountNamespace},
		{s.netDevices != nil, "net-device", specs.NetworkNamespace},
		{s.timeOffsets != nil, "time-offset", specs.TimeNamespace},
	} {
		if need.given && !slices.Contains(spec.Linux.Namespaces, specs.LinuxNamespace{Type: need.kind}) {
			return fmt.Errorf("--%s: needs a %s namespace: add %s to --namespaces", need.flag, need.kind, need.kind)
		}
	}
	return nil
}

func (s *specFlags) setLimits(linux *specs.Linux) {
	if linux.Resources == nil && (s.memory != nil || s.quota != nil) {
		linux.Resources = &specs.LinuxResources{}
	}
	if s.memory != nil {
		linux.Resources.Memory = &specs.LinuxMemory{Limit: s.memory}
	}
	if s.quota != nil {
		period := uint64(cpuPeriod)
		linux.Resources.CPU = &specs.LinuxCPU{Quota: s.quota, Period: &period}
	}
}

func writeSpec(bundle string, spec *specs.Spec) error {
	data, err := specconv.ExampleJSON(spec)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(bundle, load.ConfigName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return existsError(load.ConfigName)
	}
	if err != nil {
		return fmt.Errorf("--bundle: write %s into the directory: %w", load.ConfigName, err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// existsError is the name of a file that is in the way. The words are runc's, which scripts look
// for.
type existsError string

func (e existsError) Error() string { return "File " + string(e) + " exists. Remove it first" }

// onCgroup2 reports whether this host has cgroup v2 alone: only there a container gets a cgroup
// namespace unasked.
func onCgroup2() bool {
	var at unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &at) == nil && at.Type == unix.CGROUP2_SUPER_MAGIC
}
