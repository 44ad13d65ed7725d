package load

import (
	"io/fs"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func decodeLinux(r *jsonReader, l *specs.Linux) {
	r.object(fields{
		{"uidMappings", func() { readList(r, &l.UIDMappings, decodeIDMapping) }},
		{"gidMappings", func() { readList(r, &l.GIDMappings, decodeIDMapping) }},
		{"sysctl", func() { readMap(r, &l.Sysctl, readString[string]) }},
		{"resources", func() { readPtr(r, &l.Resources, decodeResources) }},
		{"cgroupsPath", func() { readString(r, &l.CgroupsPath) }},
		{"namespaces", func() { readList(r, &l.Namespaces, decodeNamespace) }},
		{"devices", func() { readList(r, &l.Devices, decodeDevice) }},
		{"netDevices", func() { readMap(r, &l.NetDevices, decodeNetDevice) }},
		{"seccomp", func() { readPtr(r, &l.Seccomp, decodeSeccomp) }},
		{"rootfsPropagation", func() { readString(r, &l.RootfsPropagation) }},
		{"maskedPaths", func() { readStrings(r, &l.MaskedPaths) }},
		{"readonlyPaths", func() { readStrings(r, &l.ReadonlyPaths) }},
		{"mountLabel", func() { readString(r, &l.MountLabel) }},
		{"intelRdt", func() { readPtr(r, &l.IntelRdt, decodeIntelRdt) }},
		{"memoryPolicy", func() { readPtr(r, &l.MemoryPolicy, decodeMemoryPolicy) }},
		{"personality", func() { readPtr(r, &l.Personality, decodePersonality) }},
		{"timeOffsets", func() { readMap(r, &l.TimeOffsets, decodeTimeOffset) }},
	})
}

func decodeIDMapping(r *jsonReader, m *specs.LinuxIDMapping) {
	r.object(fields{
		{"containerID", func() { readInt(r, &m.ContainerID) }},
		{"hostID", func() { readInt(r, &m.HostID) }},
		{"size", func() { readInt(r, &m.Size) }},
	})
}

func decodeNamespace(r *jsonReader, n *specs.LinuxNamespace) {
	r.object(fields{
		{"type", func() { readString(r, &n.Type) }},
		{"path", func() { readString(r, &n.Path) }},
	})
}

func decodeDevice(r *jsonReader, d *specs.LinuxDevice) {
	r.object(fields{
		{"path", func() { readString(r, &d.Path) }},
		{"type", func() { readString(r, &d.Type) }},
		{"major", func() { readInt(r, &d.Major) }},
		{"minor", func() { readInt(r, &d.Minor) }},
		{"fileMode", func() { readPtr(r, &d.FileMode, readInt[fs.FileMode]) }},
		{"uid", func() { readPtr(r, &d.UID, readInt[uint32]) }},
		{"gid", func() { readPtr(r, &d.GID, readInt[uint32]) }},
	})
}

func decodeNetDevice(r *jsonReader, d *specs.LinuxNetDevice) {
	r.object(fields{{"name", func() { readString(r, &d.Name) }}})
}

func decodeIntelRdt(r *jsonReader, i *specs.LinuxIntelRdt) {
	r.object(fields{
		{"closID", func() { readString(r, &i.ClosID) }},
		{"schemata", func() { readStrings(r, &i.Schemata) }},
		{"l3CacheSchema", func() { readString(r, &i.L3CacheSchema) }},
		{"memBwSchema", func() { readString(r, &i.MemBwSchema) }},
		{"enableMonitoring", func() { readBool(r, &i.EnableMonitoring) }},
	})
}

func decodeMemoryPolicy(r *jsonReader, m *specs.LinuxMemoryPolicy) {
	r.object(fields{
		{"mode", func() { readString(r, &m.Mode) }},
		{"nodes", func() { readString(r, &m.Nodes) }},
		{"flags", func() { readList(r, &m.Flags, readString[specs.MemoryPolicyFlagType]) }},
	})
}

func decodePersonality(r *jsonReader, p *specs.LinuxPersonality) {
	r.object(fields{
		{"domain", func() { readString(r, &p.Domain) }},
		{"flags", func() { readList(r, &p.Flags, readString[specs.LinuxPersonalityFlag]) }},
	})
}

func decodeTimeOffset(r *jsonReader, o *specs.LinuxTimeOffset) {
	r.object(fields{
		{"secs", func() { readInt(r, &o.Secs) }},
		{"nanosecs", func() { readInt(r, &o.Nanosecs) }},
	})
}

func decodeSeccomp(r *jsonReader, s *specs.LinuxSeccomp) {
	r.object(fields{
		{"defaultAction", func() { readString(r, &s.DefaultAction) }},
		{"defaultErrnoRet", func() { readPtr(r, &s.DefaultErrnoRet, readInt[uint]) }},
		{"architectures", func() { readList(r, &s.Architectures, readString[specs.Arch]) }},
		{"flags", func() { readList(r, &s.Flags, readString[specs.LinuxSeccompFlag]) }},
		{"listenerPath", func() { readString(r, &s.ListenerPath) }},
		{"listenerMetadata", func() { readString(r, &s.ListenerMetadata) }},
		{"syscalls", func() { readList(r, &s.Syscalls, decodeSyscall) }},
	})
}

func decodeSyscall(r *jsonReader, s *specs.LinuxSyscall) {
	r.object(fields{
		{"names", func() { readStrings(r, &s.Names) }},
		{"action", func() { readString(r, &s.Action) }},
		{"errnoRet", func() { readPtr(r, &s.ErrnoRet, readInt[uint]) }},
		{"args", func() { readList(r, &s.Args, decodeSeccompArg) }},
	})
}

func decodeSeccompArg(r *jsonReader, a *specs.LinuxSeccompArg) {
	r.object(fields{
		{"index", func() { readInt(r, &a.Index) }},
		{"value", func() { readInt(r, &a.Value) }},
		{"valueTwo", func() { readInt(r, &a.ValueTwo) }},
		{"op", func() { readString(r, &a.Op) }},
	})
}
