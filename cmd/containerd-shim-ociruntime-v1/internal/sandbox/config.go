package sandbox

import (
	"maps"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/pod"
	"github.com/ociruntime/ociruntime/specconv/idmap"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// surroundings are what a pod's configuration does not say.
type surroundings struct {
	ID          string
	Root        string // an empty directory with an empty directory dev
	Network     string // the path of the pod's network namespace, "" for a new one
	User        string // the path of the user namespace which that belongs to, "" for a new one
	InUserNS    bool   // this program is in a user namespace itself
	Annotations map[string]string
}

// nobody is who the pod's process runs as, as that of the usual pause image.
const nobody = 65535

// spec is the container that holds the pod's namespaces. Its program never runs, and who might take
// its process over, as a container with CAP_SYS_PTRACE that shares the pod's pid namespace can,
// shall find nothing in it: no capabilities, no files, no devices, and no system calls that its own
// filter refuses it.
func spec(config *pod.PodSandboxConfig, s *surroundings) *specs.Spec {
	uids, gids := userMaps(config)
	shares := uint64(2) // the fewest that there are
	return &specs.Spec{
		Version: specs.Version,
		Root:    &specs.Root{Path: s.Root, Readonly: true},
		Process: &specs.Process{
			Args: []string{"pause"}, Cwd: "/", Env: []string{"HOME=/"},
			User:         specs.User{UID: user(uids), GID: user(gids)},
			Capabilities: &specs.LinuxCapabilities{}, NoNewPrivileges: true,
		},
		Hostname: hostname(config),
		// A bind mount on /dev is one in which no devices are made.
		Mounts:      []specs.Mount{{Destination: "/dev", Type: "bind", Source: s.Root + "/dev", Options: []string{"bind", "ro"}}},
		Annotations: s.Annotations,
		Linux: &specs.Linux{
			Namespaces:  namespaces(config, s),
			UIDMappings: uids,
			GIDMappings: gids,
			Sysctl:      sysctls(config, s),
			CgroupsPath: cgroupsPath(config.GetLinux().GetCgroupParent(), s.ID),
			Resources: &specs.LinuxResources{
				Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}},
				CPU:     &specs.LinuxCPU{Shares: &shares},
			},
			// To wait, to say what is wrong, and to end.
			Seccomp: &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
				{Names: []string{"accept4", "close", "close_range", "sendto", "exit_group"}, Action: specs.ActAllow},
			}},
		},
	}
}

func user(maps []specs.LinuxIDMapping) uint32 {
	if len(maps) > 0 && !idmap.Has(maps, nobody) {
		return 0
	}
	return nobody
}

func namespaceOptions(config *pod.PodSandboxConfig) *pod.NamespaceOption {
	return config.GetLinux().GetSecurityContext().GetNamespaceOptions()
}

func hostNetwork(config *pod.PodSandboxConfig) bool {
	return namespaceOptions(config).GetNetwork() == pod.NamespaceMode_NODE
}

func hostIPC(config *pod.PodSandboxConfig) bool {
	return namespaceOptions(config).GetIpc() == pod.NamespaceMode_NODE
}

// namespaces are the pod's. CRI has its containers join network, ipc and uts, and pid unless each
// has one of its own. With the host's network a pod has the host's name.
func namespaces(config *pod.PodSandboxConfig, s *surroundings) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	if !hostNetwork(config) {
		list = append(list, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: s.Network}, specs.LinuxNamespace{Type: specs.UTSNamespace})
	}
	if !hostIPC(config) {
		list = append(list, specs.LinuxNamespace{Type: specs.IPCNamespace})
	}
	if namespaceOptions(config).GetPid() != pod.NamespaceMode_NODE {
		list = append(list, specs.LinuxNamespace{Type: specs.PIDNamespace})
	}
	if mapped(config) {
		list = append(list, specs.LinuxNamespace{Type: specs.UserNamespace, Path: s.User})
	}
	return list
}

// hostname is the pod's; the host's, if there is none.
func hostname(config *pod.PodSandboxConfig) string {
	if hostNetwork(config) {
		return ""
	}
	return config.GetHostname()
}

// mapped reports whether the pod has a user namespace.
func mapped(config *pod.PodSandboxConfig) bool {
	o := namespaceOptions(config).GetUsernsOptions()
	return o != nil && o.GetMode() == pod.NamespaceMode_POD
}

// refusal says what of a user namespace a pod can't have, as containerd does where it keeps the pod:
// Kubernetes relies on that.
func refusal(config *pod.PodSandboxConfig) string {
	o := namespaceOptions(config).GetUsernsOptions()
	if o == nil {
		return ""
	}
	const place = "the pod's user namespace: "
	switch uids, gids := mappings(o.GetUids()), mappings(o.GetGids()); {
	case o.GetMode() == pod.NamespaceMode_NODE && len(uids)+len(gids) > 0:
		return place + "it is the host's, and can't have mappings"
	case o.GetMode() == pod.NamespaceMode_NODE:
		return ""
	case o.GetMode() != pod.NamespaceMode_POD:
		return place + "mode " + o.GetMode().String() + " is not supported"
	case !idmap.Has(uids, 0) || !idmap.Has(gids, 0):
		return place + "id 0 is not mapped, which a pod needs"
	}
	return ""
}

func userMaps(config *pod.PodSandboxConfig) (uids, gids []specs.LinuxIDMapping) {
	if !mapped(config) {
		return nil, nil
	}
	o := namespaceOptions(config).GetUsernsOptions()
	return mappings(o.GetUids()), mappings(o.GetGids())
}

func mappings(list []*pod.IDMapping) (maps []specs.LinuxIDMapping) {
	for _, m := range list {
		maps = append(maps, specs.LinuxIDMapping{ContainerID: m.GetContainerId(), HostID: m.GetHostId(), Size: m.GetLength()})
	}
	return maps
}

// sysctls are the pod's, and what containerd 2 gives to every pod unless its configuration says
// otherwise (enable_unprivileged_ports, enable_unprivileged_icmp), of which no shim is told: ports
// below 1024 and ping without privileges.
func sysctls(config *pod.PodSandboxConfig, s *surroundings) map[string]string {
	all := make(map[string]string)
	if !hostNetwork(config) {
		all["net.ipv4.ip_unprivileged_port_start"] = "0"
		if !s.InUserNS && !mapped(config) {
			all["net.ipv4.ping_group_range"] = "0 2147483647"
		}
	}
	for name, value := range config.GetLinux().GetSysctls() {
		maps.DeleteFunc(all, func(other, _ string) bool { return names.SysctlPath(other) == names.SysctlPath(name) })
		all[name] = value
	}
	return all
}

// systemdCgroups knows systemd's cgroups by the form of the pod's, as CRI does.
func systemdCgroups(parent string) bool { return strings.HasSuffix(path.Base(parent), ".slice") }

// cgroupsPath is where containerd puts the process of a pod.
func cgroupsPath(parent, id string) string {
	switch {
	case parent == "":
		return ""
	case systemdCgroups(parent):
		return path.Base(parent) + ":cri-containerd:" + id
	}
	return path.Join(parent, id)
}
