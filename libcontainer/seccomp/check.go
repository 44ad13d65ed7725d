package seccomp

import (
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Check tells bad what is wrong with a profile, whatever the machine that loads it: the place of
// each thing in config.json, which begins with "linux.seccomp", and what it is.
func Check(s *specs.LinuxSeccomp, bad func(place, format string, args ...any)) {
	const place = "linux.seccomp"
	checkAction(place+".defaultAction", s.DefaultAction, bad)
	if s.DefaultAction == specs.ActNotify {
		// The runtime's own calls after loading the filter would wait for an agent that it has not
		// reached yet.
		bad(place+".defaultAction", "%s can't be the default: nobody would be left to answer", s.DefaultAction)
	}
	checkErrno(place+".defaultErrnoRet", s.DefaultAction, s.DefaultErrnoRet, bad)
	for i, arch := range s.Architectures {
		if findArch(arch) == nil {
			bad(at(place+".architectures", i), "unknown architecture %q", arch)
		}
	}
	for i, flag := range s.Flags {
		if flagBit(flag) == 0 {
			bad(at(place+".flags", i), "unknown flag %q", flag)
		}
	}
	if s.ListenerMetadata != "" && s.ListenerPath == "" {
		bad(place+".listenerMetadata", "must not be set without a listenerPath")
	}
	if strings.IndexByte(s.ListenerPath, 0) >= 0 {
		bad(place+".listenerPath", "must not contain a zero byte")
	}
	for i := range s.Syscalls {
		checkRule(at(place+".syscalls", i), &s.Syscalls[i], s.ListenerPath != "", bad)
	}
}

func at(list string, index int) string { return list + "[" + strconv.Itoa(index) + "]" }

func checkRule(place string, rule *specs.LinuxSyscall, listener bool, bad func(place, format string, args ...any)) {
	if len(rule.Names) == 0 {
		bad(place+".names", "must not be empty")
	}
	checkAction(place+".action", rule.Action, bad)
	if rule.Action == specs.ActNotify && !listener {
		bad(place+".action", "%s needs a listenerPath", rule.Action)
	}
	checkErrno(place+".errnoRet", rule.Action, rule.ErrnoRet, bad)
	for j := range rule.Args {
		arg := &rule.Args[j]
		if arg.Index > 5 {
			bad(at(place+".args", j)+".index", "must be between 0 and 5, not %d", arg.Index)
		}
		if operatorOf(arg.Op) == opNone {
			bad(at(place+".args", j)+".op", "unknown operator %q", arg.Op)
		}
	}
}

func checkAction(place string, action specs.LinuxSeccompAction, bad func(place, format string, args ...any)) {
	if action == "" {
		bad(place, "must be set")
	} else if _, _, ok := actionValue(action); !ok {
		bad(place, "unknown action %q", action)
	}
}

// checkErrno checks a return value, which only two actions have.
func checkErrno(place string, action specs.LinuxSeccompAction, errno *uint, bad func(place, format string, args ...any)) {
	if errno == nil {
		return
	}
	switch _, most, _ := actionValue(action); {
	case most == 0:
		bad(place, "must not be set: %q returns none", action)
	case *errno > most:
		bad(place, "must not be more than %d: %d", most, *errno)
	}
}
