package specconv

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// SetNamespaces gives a configuration of [Example] these namespaces in place of its own, and takes
// from it what can't be without those that are not among them: without a mount namespace the mounts
// and masked paths, for they would be the host's, without a uts namespace the hostname. With a user
// namespace its root is the user euid and the group egid of the host, and it mounts only what the
// kernel lets the root of a user namespace mount.
func SetNamespaces(spec *specs.Spec, types []specs.LinuxNamespaceType, euid, egid int) {
	linux := spec.Linux
	linux.Namespaces = make([]specs.LinuxNamespace, len(types))
	for i, t := range types {
		linux.Namespaces[i].Type = t
	}
	if !slices.Contains(types, specs.UTSNamespace) {
		spec.Hostname = ""
	}
	linux.UIDMappings, linux.GIDMappings = nil, nil
	if slices.Contains(types, specs.UserNamespace) {
		linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(euid), Size: 1}}
		linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(egid), Size: 1}}
		toUserNamespace(spec, types)
	}
	if !slices.Contains(types, specs.MountNamespace) {
		spec.Mounts, linux.MaskedPaths, linux.ReadonlyPaths = nil, nil, nil
		spec.Root.Readonly = false
	}
}

// toUserNamespace changes the mounts to those that the root of a user namespace may make. Proc,
// sysfs and mqueue show a pid, a network and an ipc namespace, and have to be of one that is the
// user namespace's own (mount_namespaces(7)). Where it is not, the host's are bound, and mqueue is
// left out. Ids that aren't mapped can't be given.
func toUserNamespace(spec *specs.Spec, types []specs.LinuxNamespaceType) {
	shows := map[string]specs.LinuxNamespaceType{
		"proc": specs.PIDNamespace, "sysfs": specs.NetworkNamespace, "mqueue": specs.IPCNamespace,
	}
	spec.Mounts = slices.DeleteFunc(spec.Mounts, func(m specs.Mount) bool {
		return m.Type == "mqueue" && !slices.Contains(types, specs.IPCNamespace)
	})
	for i := range spec.Mounts {
		m := &spec.Mounts[i]
		if t, ok := shows[m.Type]; ok && !slices.Contains(types, t) {
			options := []string{"rbind", "nosuid", "noexec", "nodev"}
			if m.Type == "sysfs" {
				options = append(options, "ro")
			}
			*m = specs.Mount{Destination: m.Destination, Type: "none", Source: m.Destination, Options: options}
			continue
		}
		var kept []string
		for _, option := range m.Options {
			if !strings.HasPrefix(option, "uid=") && !strings.HasPrefix(option, "gid=") {
				kept = append(kept, option)
			}
		}
		m.Options = kept
	}
}
