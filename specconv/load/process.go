package load

import specs "github.com/opencontainers/runtime-spec/specs-go"

func decodeProcess(r *jsonReader, p *specs.Process) {
	r.object(func(name string) bool {
		switch name {
		case "terminal":
			readBool(r, &p.Terminal)
		case "consoleSize":
			readPtr(r, &p.ConsoleSize, decodeBox)
		case "user":
			decodeUser(r, &p.User)
		case "args":
			readStrings(r, &p.Args)
		case "env":
			readStrings(r, &p.Env)
		case "cwd":
			readString(r, &p.Cwd)
		case "capabilities":
			readPtr(r, &p.Capabilities, decodeCapabilities)
		case "rlimits":
			readList(r, &p.Rlimits, decodeRlimit)
		case "noNewPrivileges":
			readBool(r, &p.NoNewPrivileges)
		case "apparmorProfile":
			readString(r, &p.ApparmorProfile)
		case "oomScoreAdj":
			readPtr(r, &p.OOMScoreAdj, readInt[int])
		case "scheduler":
			readPtr(r, &p.Scheduler, decodeScheduler)
		case "selinuxLabel":
			readString(r, &p.SelinuxLabel)
		case "ioPriority":
			readPtr(r, &p.IOPriority, decodeIOPriority)
		case "execCPUAffinity":
			readPtr(r, &p.ExecCPUAffinity, decodeAffinity)
		default:
			return false
		}
		return true
	})
}

func decodeBox(r *jsonReader, b *specs.Box) {
	r.object(func(name string) bool {
		switch name {
		case "height":
			readInt(r, &b.Height)
		case "width":
			readInt(r, &b.Width)
		default:
			return false
		}
		return true
	})
}

func decodeUser(r *jsonReader, u *specs.User) {
	*u = specs.User{}
	r.object(func(name string) bool {
		switch name {
		case "uid":
			readInt(r, &u.UID)
		case "gid":
			readInt(r, &u.GID)
		case "umask":
			readPtr(r, &u.Umask, readInt[uint32])
		case "additionalGids":
			readList(r, &u.AdditionalGids, readInt[uint32])
		default:
			return false
		}
		return true
	})
}

func decodeCapabilities(r *jsonReader, c *specs.LinuxCapabilities) {
	r.object(func(name string) bool {
		switch name {
		case "bounding":
			readStrings(r, &c.Bounding)
		case "effective":
			readStrings(r, &c.Effective)
		case "inheritable":
			readStrings(r, &c.Inheritable)
		case "permitted":
			readStrings(r, &c.Permitted)
		case "ambient":
			readStrings(r, &c.Ambient)
		default:
			return false
		}
		return true
	})
}

func decodeRlimit(r *jsonReader, l *specs.POSIXRlimit) {
	r.object(func(name string) bool {
		switch name {
		case "type":
			readString(r, &l.Type)
		case "hard":
			readInt(r, &l.Hard)
		case "soft":
			readInt(r, &l.Soft)
		default:
			return false
		}
		return true
	})
}

func decodeScheduler(r *jsonReader, s *specs.Scheduler) {
	r.object(func(name string) bool {
		switch name {
		case "policy":
			readString(r, &s.Policy)
		case "nice":
			readInt(r, &s.Nice)
		case "priority":
			readInt(r, &s.Priority)
		case "flags":
			readList(r, &s.Flags, readString[specs.LinuxSchedulerFlag])
		case "runtime":
			readInt(r, &s.Runtime)
		case "deadline":
			readInt(r, &s.Deadline)
		case "period":
			readInt(r, &s.Period)
		default:
			return false
		}
		return true
	})
}

func decodeIOPriority(r *jsonReader, p *specs.LinuxIOPriority) {
	r.object(func(name string) bool {
		switch name {
		case "class":
			readString(r, &p.Class)
		case "priority":
			readInt(r, &p.Priority)
		default:
			return false
		}
		return true
	})
}

func decodeAffinity(r *jsonReader, a *specs.CPUAffinity) {
	r.object(func(name string) bool {
		switch name {
		case "initial":
			readString(r, &a.Initial)
		case "final":
			readString(r, &a.Final)
		default:
			return false
		}
		return true
	})
}
