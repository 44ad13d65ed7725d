package check

import specs "github.com/opencontainers/runtime-spec/specs-go"

func (c *checker) seccomp() {
	s := c.linux.Seccomp
	if s == nil || s.DefaultAction == "" && len(s.Syscalls) == 0 {
		// Without a default and rules there is no filter: engines send such.
		return
	}
	const place = "linux.seccomp"
	c.seccompAction(place+".defaultAction", s.DefaultAction)
	if s.DefaultAction == specs.ActNotify {
		c.bad(place+".defaultAction", "%s can't be the default: nobody would be left to answer", s.DefaultAction)
	}
	c.seccompErrno(place+".defaultErrnoRet", s.DefaultAction, s.DefaultErrnoRet)
	for i, arch := range s.Architectures {
		if !seccompArch(arch) {
			c.bad(at(place+".architectures", i), "unknown architecture %q", arch)
		}
	}
	for i, flag := range s.Flags {
		if !seccompFlag(flag) {
			c.bad(at(place+".flags", i), "unknown flag %q", flag)
		}
	}
	if s.ListenerMetadata != "" && s.ListenerPath == "" {
		c.bad(place+".listenerMetadata", "must not be set without a listenerPath")
	}
	if nul(s.ListenerPath) {
		c.bad(place+".listenerPath", hasNUL)
	}
	for i := range s.Syscalls {
		c.seccompRule(place, i, s)
	}
}

func (c *checker) seccompRule(place string, i int, s *specs.LinuxSeccomp) {
	rule := &s.Syscalls[i]
	list := place + ".syscalls"
	if len(rule.Names) == 0 {
		c.bad(at(list, i)+".names", "must not be empty")
	}
	if !knownSeccompAction(rule.Action) {
		c.seccompAction(at(list, i)+".action", rule.Action)
	}
	if rule.Action == specs.ActNotify && s.ListenerPath == "" {
		c.bad(at(list, i)+".action", "%s needs a listenerPath", rule.Action)
	}
	if rule.ErrnoRet != nil {
		c.seccompErrno(at(list, i)+".errnoRet", rule.Action, rule.ErrnoRet)
	}
	for j := range rule.Args {
		arg := &rule.Args[j]
		if arg.Index > 5 {
			c.bad(at(at(list, i)+".args", j)+".index", "must be between 0 and 5, not %d", arg.Index)
		}
		if !seccompOperator(arg.Op) {
			c.bad(at(at(list, i)+".args", j)+".op", "unknown operator %q", arg.Op)
		}
	}
}

func (c *checker) seccompAction(place string, action specs.LinuxSeccompAction) {
	if !knownSeccompAction(action) {
		c.bad(place, "unknown action %q", action)
	}
}

// seccompErrno checks a return value, which only two actions have. The kernel
// cuts an errno to 4095, and what a tracer gets to 16 bits.
func (c *checker) seccompErrno(place string, action specs.LinuxSeccompAction, errno *uint) {
	if errno == nil {
		return
	}
	most := uint(4095)
	switch action {
	case specs.ActErrno:
	case specs.ActTrace:
		most = 1<<16 - 1
	default:
		c.bad(place, "must not be set: %q returns none", action)
		return
	}
	if *errno > most {
		c.bad(place, "must not be more than %d: %d", most, *errno)
	}
}

func knownSeccompAction(action specs.LinuxSeccompAction) bool {
	switch action {
	case specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno, specs.ActTrace,
		specs.ActAllow, specs.ActLog, specs.ActNotify:
		return true
	}
	return false
}

func seccompOperator(op specs.LinuxSeccompOperator) bool {
	switch op {
	case specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan,
		specs.OpMaskedEqual:
		return true
	}
	return false
}

func seccompFlag(flag specs.LinuxSeccompFlag) bool {
	switch flag {
	case "SECCOMP_FILTER_FLAG_TSYNC", specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagWaitKillableRecv:
		return true
	}
	return false
}

func seccompArch(arch specs.Arch) bool {
	switch arch {
	case specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64,
		specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32,
		specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X, specs.ArchPARISC, specs.ArchPARISC64,
		specs.ArchRISCV64, specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB:
		return true
	}
	return false
}
