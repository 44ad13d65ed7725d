package load

import (
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func decodeLinux(r *jsonReader, l *specs.Linux) {
	r.object(func(name string) bool {
		switch name {
		case "uidMappings":
			readList(r, &l.UIDMappings, decodeIDMapping)
		case "gidMappings":
			readList(r, &l.GIDMappings, decodeIDMapping)
		case "sysctl":
			readMap(r, &l.Sysctl, readString[string])
		case "resources":
			readPtr(r, &l.Resources, decodeResources)
		case "cgroupsPath":
			readString(r, &l.CgroupsPath)
		case "namespaces":
			readList(r, &l.Namespaces, decodeNamespace)
		case "devices":
			readList(r, &l.Devices, decodeDevice)
		case "netDevices":
			readMap(r, &l.NetDevices, decodeNetDevice)
		case "seccomp":
			readPtr(r, &l.Seccomp, decodeSeccomp)
		case "rootfsPropagation":
			readString(r, &l.RootfsPropagation)
		case "maskedPaths":
			readStrings(r, &l.MaskedPaths)
		case "readonlyPaths":
			readStrings(r, &l.ReadonlyPaths)
		case "mountLabel":
			readString(r, &l.MountLabel)
		case "intelRdt":
			readPtr(r, &l.IntelRdt, decodeIntelRdt)
		case "memoryPolicy":
			readPtr(r, &l.MemoryPolicy, decodeMemoryPolicy)
		case "personality":
			readPtr(r, &l.Personality, decodePersonality)
		case "timeOffsets":
			readMap(r, &l.TimeOffsets, decodeTimeOffset)
		default:
			return false
		}
		return true
	})
}

func decodeIDMapping(r *jsonReader, m *specs.LinuxIDMapping) {
	r.object(func(name string) bool {
		switch name {
		case "containerID":
			readInt(r, &m.ContainerID)
		case "hostID":
			readInt(r, &m.HostID)
		case "size":
			readInt(r, &m.Size)
		default:
			return false
		}
		return true
	})
}

func decodeNamespace(r *jsonReader, n *specs.LinuxNamespace) {
	r.object(func(name string) bool {
		switch name {
		case "type":
			readString(r, &n.Type)
		case "path":
			readString(r, &n.Path)
		default:
			return false
		}
		return true
	})
}

func decodeDevice(r *jsonReader, d *specs.LinuxDevice) {
	r.object(func(name string) bool {
		switch name {
		case "path":
			readString(r, &d.Path)
		case "type":
			readString(r, &d.Type)
		case "major":
			readInt(r, &d.Major)
		case "minor":
			readInt(r, &d.Minor)
		case "fileMode":
			readPtr(r, &d.FileMode, readInt[os.FileMode])
		case "uid":
			readPtr(r, &d.UID, readInt[uint32])
		case "gid":
			readPtr(r, &d.GID, readInt[uint32])
		default:
			return false
		}
		return true
	})
}

func decodeNetDevice(r *jsonReader, d *specs.LinuxNetDevice) {
	r.object(func(name string) bool {
		if name != "name" {
			return false
		}
		readString(r, &d.Name)
		return true
	})
}

func decodeIntelRdt(r *jsonReader, i *specs.LinuxIntelRdt) {
	r.object(func(name string) bool {
		switch name {
		case "closID":
			readString(r, &i.ClosID)
		case "schemata":
			readStrings(r, &i.Schemata)
		case "l3CacheSchema":
			readString(r, &i.L3CacheSchema)
		case "memBwSchema":
			readString(r, &i.MemBwSchema)
		case "enableMonitoring":
			readBool(r, &i.EnableMonitoring)
		default:
			return false
		}
		return true
	})
}

func decodeMemoryPolicy(r *jsonReader, m *specs.LinuxMemoryPolicy) {
	r.object(func(name string) bool {
		switch name {
		case "mode":
			readString(r, &m.Mode)
		case "nodes":
			readString(r, &m.Nodes)
		case "flags":
			readList(r, &m.Flags, readString[specs.MemoryPolicyFlagType])
		default:
			return false
		}
		return true
	})
}

func decodePersonality(r *jsonReader, p *specs.LinuxPersonality) {
	r.object(func(name string) bool {
		switch name {
		case "domain":
			readString(r, &p.Domain)
		case "flags":
			readList(r, &p.Flags, readString[specs.LinuxPersonalityFlag])
		default:
			return false
		}
		return true
	})
}

func decodeTimeOffset(r *jsonReader, o *specs.LinuxTimeOffset) {
	r.object(func(name string) bool {
		switch name {
		case "secs":
			readInt(r, &o.Secs)
		case "nanosecs":
			readInt(r, &o.Nanosecs)
		default:
			return false
		}
		return true
	})
}

func decodeSeccomp(r *jsonReader, s *specs.LinuxSeccomp) {
	r.object(func(name string) bool {
		switch name {
		case "defaultAction":
			readString(r, &s.DefaultAction)
		case "defaultErrnoRet":
			readPtr(r, &s.DefaultErrnoRet, readInt[uint])
		case "architectures":
			readList(r, &s.Architectures, readString[specs.Arch])
		case "flags":
			readList(r, &s.Flags, readString[specs.LinuxSeccompFlag])
		case "listenerPath":
			readString(r, &s.ListenerPath)
		case "listenerMetadata":
			readString(r, &s.ListenerMetadata)
		case "syscalls":
			readList(r, &s.Syscalls, decodeSyscall)
		default:
			return false
		}
		return true
	})
}

func decodeSyscall(r *jsonReader, s *specs.LinuxSyscall) {
	r.object(func(name string) bool {
		switch name {
		case "names":
			readStrings(r, &s.Names)
		case "action":
			readString(r, &s.Action)
		case "errnoRet":
			readPtr(r, &s.ErrnoRet, readInt[uint])
		case "args":
			readList(r, &s.Args, decodeSeccompArg)
		default:
			return false
		}
		return true
	})
}

func decodeSeccompArg(r *jsonReader, a *specs.LinuxSeccompArg) {
	r.object(func(name string) bool {
		switch name {
		case "index":
			readInt(r, &a.Index)
		case "value":
			readInt(r, &a.Value)
		case "valueTwo":
			readInt(r, &a.ValueTwo)
		case "op":
			readString(r, &a.Op)
		default:
			return false
		}
		return true
	})
}
