package load

import specs "github.com/opencontainers/runtime-spec/specs-go"

func decodeProcess(r *jsonReader, p *specs.Process) {
	r.object(fields{
		{"terminal", func() { readBool(r, &p.Terminal) }},
		{"consoleSize", func() { readPtr(r, &p.ConsoleSize, decodeBox) }},
		{"user", func() { decodeUser(r, &p.User) }},
		{"args", func() { readStrings(r, &p.Args) }},
		{"env", func() { readStrings(r, &p.Env) }},
		{"cwd", func() { readString(r, &p.Cwd) }},
		{"capabilities", func() { readPtr(r, &p.Capabilities, decodeCapabilities) }},
		{"rlimits", func() { readList(r, &p.Rlimits, decodeRlimit) }},
		{"noNewPrivileges", func() { readBool(r, &p.NoNewPrivileges) }},
		{"apparmorProfile", func() { readString(r, &p.ApparmorProfile) }},
		{"oomScoreAdj", func() { readPtr(r, &p.OOMScoreAdj, readInt[int]) }},
		{"scheduler", func() { readPtr(r, &p.Scheduler, decodeScheduler) }},
		{"selinuxLabel", func() { readString(r, &p.SelinuxLabel) }},
		{"ioPriority", func() { readPtr(r, &p.IOPriority, decodeIOPriority) }},
		{"execCPUAffinity", func() { readPtr(r, &p.ExecCPUAffinity, decodeAffinity) }},
	})
}

func decodeBox(r *jsonReader, b *specs.Box) {
	r.object(fields{
		{"height", func() { readInt(r, &b.Height) }},
		{"width", func() { readInt(r, &b.Width) }},
	})
}

func decodeUser(r *jsonReader, u *specs.User) {
	*u = specs.User{}
	r.object(fields{
		{"uid", func() { readInt(r, &u.UID) }},
		{"gid", func() { readInt(r, &u.GID) }},
		{"umask", func() { readPtr(r, &u.Umask, readInt[uint32]) }},
		{"additionalGids", func() { readList(r, &u.AdditionalGids, readInt[uint32]) }},
	})
}

func decodeCapabilities(r *jsonReader, c *specs.LinuxCapabilities) {
	r.object(fields{
		{"bounding", func() { readStrings(r, &c.Bounding) }},
		{"effective", func() { readStrings(r, &c.Effective) }},
		{"inheritable", func() { readStrings(r, &c.Inheritable) }},
		{"permitted", func() { readStrings(r, &c.Permitted) }},
		{"ambient", func() { readStrings(r, &c.Ambient) }},
	})
}

func decodeRlimit(r *jsonReader, l *specs.POSIXRlimit) {
	r.object(fields{
		{"type", func() { readString(r, &l.Type) }},
		{"hard", func() { readInt(r, &l.Hard) }},
		{"soft", func() { readInt(r, &l.Soft) }},
	})
}

func decodeScheduler(r *jsonReader, s *specs.Scheduler) {
	r.object(fields{
		{"policy", func() { readString(r, &s.Policy) }},
		{"nice", func() { readInt(r, &s.Nice) }},
		{"priority", func() { readInt(r, &s.Priority) }},
		{"flags", func() { readList(r, &s.Flags, readString[specs.LinuxSchedulerFlag]) }},
		{"runtime", func() { readInt(r, &s.Runtime) }},
		{"deadline", func() { readInt(r, &s.Deadline) }},
		{"period", func() { readInt(r, &s.Period) }},
	})
}

func decodeIOPriority(r *jsonReader, p *specs.LinuxIOPriority) {
	r.object(fields{
		{"class", func() { readString(r, &p.Class) }},
		{"priority", func() { readInt(r, &p.Priority) }},
	})
}

func decodeAffinity(r *jsonReader, a *specs.CPUAffinity) {
	r.object(fields{
		{"initial", func() { readString(r, &a.Initial) }},
		{"final", func() { readString(r, &a.Final) }},
	})
}
