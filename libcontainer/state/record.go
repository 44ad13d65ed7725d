package state

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/internal/members"
)

// version of the record's format. A reader takes every version: it ignores what it does not know
// and does without what is missing. 0 is a record of runc, whose names are used where it has one
// for the same thing.
const version = 1

// Phase says how far create came.
type Phase string

const (
	Creating Phase = "creating" // from before the first side effect
	Created  Phase = "created"  // create has succeeded
)

// Record is what state.json holds.
type Record struct {
	Version int
	ID      string
	Phase   Phase

	// InitPid is 0 until the init's pid is known; until then the cgroup is the only way to find it.
	InitPid int
	// InitStart is when it started, in clock ticks since boot (field 22 of proc_pid_stat(5)). Pids
	// are used again, the pair is not.
	InitStart uint64
	// BootID is the boot that the two are valid in: a record on a disk outlives it.
	BootID string
	boot   func() (string, error) // the boot that the record's Dir asks for, or nil

	Created     time.Time
	Bundle      string
	OCIVersion  string
	Annotations map[string]string
	// Owner is the user id of the creator.
	Owner    int
	Rootless bool

	// CgroupPaths are the container's cgroup directories by controller, "" for cgroup v2. They
	// stand here before they are made.
	CgroupPaths map[string]string
	// CgroupMade says that the cgroup was made or found empty, before the init was started in it:
	// from then on all processes in it are the container's. Until then nothing may be killed there:
	// config.json may name any cgroup of the host.
	CgroupMade bool
	// CgroupID tells the cgroup from one that another container has at the same paths later, or is
	// empty.
	CgroupID string
	// SystemdScope is the unit that systemd makes for the container, or empty. Like CgroupPaths, it
	// is the container's only with CgroupMade.
	SystemdScope string

	// RootBelow is the id of the mount that root.path lay in before the container's mounts were
	// made on it in the host's mount namespace; 0 for a container with a mount namespace.
	RootBelow uint64
	// RootMount is the id, unique where the kernel has such, of the mount that the container's
	// mounts lie in on the host; 0 until it is there.
	RootMount uint64

	// ProcessRoot is the unique id of the mount that is the root of the container's processes,
	// where these can be found by nothing else, or 0.
	ProcessRoot uint64

	ExternalDescriptors []string
	IntelRdtPath        string
	IntelRdtMonPath     string
	// IntelRdtOwn and IntelRdtMonMade say that the two are the container's alone and go with it.
	// They stand here before they are made.
	IntelRdtOwn     bool
	IntelRdtMonMade bool

	// WorkerPid and WorkerStart are a criu at work on the container, and the leader of its process
	// group; 0 when there is none.
	WorkerPid   int
	WorkerStart uint64

	// NoPoststop says that config.json has no poststop hooks, so that it need not be read to delete
	// the container; NoStartHooks, that start need not read it. False in records of other runtimes,
	// and of ours before there was this.
	NoPoststop   bool
	NoStartHooks bool

	// WaitOp is the op of the init's plan at which it waits for `start`, ExecOp the last op, which
	// executes the user's program.
	WaitOp int
	ExecOp int

	Config Config
}

// Config is the part of runc's internal configuration that other programs look at in state.json.
type Config struct {
	Rootfs     string
	Namespaces []Namespace
	Cgroups    Cgroups
	// Labels are written by runc only: "key=value" for each annotation, and "bundle=PATH".
	Labels []string
}

// Namespace is a namespace of the container: "NEWPID" and so on, with the path of an existing one
// to join, or empty.
type Namespace struct {
	Type string
	Path string
}

// Cgroups is where linux.cgroupsPath puts the container.
type Cgroups struct {
	Path string
}

// members are the record as state.json has it.
func (r *Record) members() members.Table {
	return members.Table{
		{Name: "version", Value: &r.Version},
		{Name: "id", Value: &r.ID},
		{Name: "phase", Value: (*string)(&r.Phase)},
		{Name: "init_process_pid", Value: &r.InitPid},
		{Name: "init_process_start", Value: &r.InitStart},
		{Name: "boot_id", Value: &r.BootID, Optional: true},
		{Name: "created", Value: &r.Created},
		{Name: "bundle", Value: &r.Bundle},
		{Name: "oci_version", Value: &r.OCIVersion},
		{Name: "annotations", Value: &r.Annotations, Optional: true},
		{Name: "owner", Value: &r.Owner},
		{Name: "rootless", Value: &r.Rootless},
		{Name: "cgroup_paths", Value: &r.CgroupPaths},
		{Name: "cgroup_made", Value: &r.CgroupMade},
		{Name: "cgroup_id", Value: &r.CgroupID, Optional: true},
		{Name: "systemd_scope", Value: &r.SystemdScope, Optional: true},
		{Name: "root_below", Value: &r.RootBelow, Optional: true},
		{Name: "root_mount", Value: &r.RootMount, Optional: true},
		{Name: "process_root", Value: &r.ProcessRoot, Optional: true},
		{Name: "namespace_paths", Value: members.Derived(r.namespacePaths)},
		{Name: "external_descriptors", Value: &r.ExternalDescriptors, Optional: true},
		{Name: "criu_pid", Value: &r.WorkerPid, Optional: true},
		{Name: "criu_start", Value: &r.WorkerStart, Optional: true},
		{Name: "intel_rdt_path", Value: &r.IntelRdtPath, Optional: true},
		{Name: "intel_rdt_mon_path", Value: &r.IntelRdtMonPath, Optional: true},
		{Name: "intel_rdt_own", Value: &r.IntelRdtOwn, Optional: true},
		{Name: "intel_rdt_mon_made", Value: &r.IntelRdtMonMade, Optional: true},
		{Name: "no_poststop", Value: &r.NoPoststop, Optional: true},
		{Name: "no_start_hooks", Value: &r.NoStartHooks, Optional: true},
		{Name: "wait_op", Value: &r.WaitOp},
		{Name: "exec_op", Value: &r.ExecOp},
		{Name: "config", Value: r.Config.members()},
	}
}

func (c *Config) members() members.Table {
	namespace := func(i int) members.Table {
		ns := &c.Namespaces[i]
		return members.Table{{Name: "type", Value: &ns.Type}, {Name: "path", Value: &ns.Path}}
	}
	return members.Table{
		{Name: "rootfs", Value: &c.Rootfs},
		{Name: "namespaces", Value: members.List{Len: len(c.Namespaces), At: namespace, Add: func() members.Table {
			c.Namespaces = append(c.Namespaces, Namespace{})
			return namespace(len(c.Namespaces) - 1)
		}}},
		{Name: "cgroups", Value: members.Table{{Name: "path", Value: &c.Cgroups.Path}}, Optional: true},
		{Name: "labels", Value: &c.Labels, Optional: true},
	}
}

// NewRecord begins the record of a container that is about to be created.
func NewRecord(id string) (*Record, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	return &Record{
		Version: version, ID: id, Phase: Creating, BootID: boot,
		Created: time.Now().UTC(), OCIVersion: specs.Version, Owner: os.Geteuid(),
	}, nil
}

// SetInit notes the container's init, a living process or a zombie that nobody has waited for.
func (r *Record) SetInit(pid int) error {
	p, err := ReadProcess(pid)
	if err != nil {
		return err
	}
	r.InitPid, r.InitStart = pid, p.Start
	return nil
}

// namespacePaths are the init's namespaces, which some programs look for in runc's records.
func (r *Record) namespacePaths() any {
	var paths map[string]string
	if r.InitPid == 0 {
		return &paths
	}
	paths = map[string]string{}
	for _, ns := range []struct{ name, file string }{
		{"NEWNS", "mnt"}, {"NEWUTS", "uts"}, {"NEWIPC", "ipc"}, {"NEWUSER", "user"}, {"NEWPID", "pid"},
		{"NEWNET", "net"}, {"NEWCGROUP", "cgroup"}, {"NEWTIME", "time"},
	} {
		paths[ns.name] = fmt.Sprintf("/proc/%d/ns/%s", r.InitPid, ns.file)
	}
	return &paths
}

// SetNamespaces notes the namespaces of config.json.
func (r *Record) SetNamespaces(list []specs.LinuxNamespace) {
	for _, ns := range list {
		r.Config.Namespaces = append(r.Config.Namespaces, Namespace{namespaceName(ns.Type), ns.Path})
	}
}

// AddNamespace notes one that the container has without a word in config.json.
func (r *Record) AddNamespace(name string) {
	if !slices.ContainsFunc(r.Config.Namespaces, func(n Namespace) bool { return n.Type == name }) {
		r.Config.Namespaces = append(r.Config.Namespaces, Namespace{Type: name})
	}
}

func namespaceName(t specs.LinuxNamespaceType) string {
	switch t {
	case specs.MountNamespace:
		return "NEWNS"
	case specs.NetworkNamespace:
		return "NEWNET"
	}
	return "NEW" + strings.ToUpper(string(t))
}

// PrivatePid reports whether the container has a pid namespace of its own, whose processes the
// kernel kills with the init.
func (r *Record) PrivatePid() bool {
	return slices.Contains(r.Config.Namespaces, Namespace{Type: "NEWPID"})
}

// adopt fills in what runc keeps elsewhere.
func (r *Record) adopt(id string) {
	r.ID = id
	if r.Version > 0 {
		return
	}
	r.Phase, r.CgroupMade = Created, true
	for _, label := range r.Config.Labels {
		key, value, _ := strings.Cut(label, "=")
		if key == "bundle" {
			r.Bundle = value
			continue
		}
		if r.Annotations == nil {
			r.Annotations = map[string]string{}
		}
		r.Annotations[key] = value
	}
}
