package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/cpuset"
	"github.com/ociruntime/ociruntime/specconv/idmap"
	"github.com/ociruntime/ociruntime/specconv/names"
	"github.com/ociruntime/ociruntime/specconv/similar"
)

func (c *checker) process(p *specs.Process) {
	c.absolute("process.cwd", p.Cwd)
	c.args(p.Args)
	c.env(p.Env)
	c.console(p)
	c.user(&p.User)
	c.rlimits(p.Rlimits)
	if p.Capabilities != nil {
		c.capabilities(p.Capabilities)
	}
	if p.OOMScoreAdj != nil && (*p.OOMScoreAdj < -1000 || *p.OOMScoreAdj > 1000) {
		c.bad("process.oomScoreAdj", "must be between -1000 and 1000, not %d", *p.OOMScoreAdj)
	}
	if p.Scheduler != nil {
		c.scheduler(p.Scheduler)
	}
	if p.IOPriority != nil {
		c.ioPriority(p.IOPriority)
	}
	if p.ExecCPUAffinity != nil {
		c.numberList("process.execCPUAffinity.initial", p.ExecCPUAffinity.Initial)
		c.numberList("process.execCPUAffinity.final", p.ExecCPUAffinity.Final)
	}
	if nul(p.ApparmorProfile) {
		c.bad("process.apparmorProfile", hasNUL)
	}
	if nul(p.SelinuxLabel) {
		c.bad("process.selinuxLabel", hasNUL)
	}
}

// args lets an empty name of a program pass: that it can't be found has words
// of its own, by which engines choose their exit code.
func (c *checker) args(args []string) {
	if len(args) == 0 {
		c.bad("process.args", "must not be empty")
	}
	for i, arg := range args {
		if nul(arg) {
			c.bad(at("process.args", i), hasNUL)
		}
	}
}

// env does not repeat the entries in its messages: they may hold secrets.
func (c *checker) env(env []string) {
	for i, entry := range env {
		switch equals := strings.IndexByte(entry, '='); {
		case nul(entry):
			c.bad(at("process.env", i), hasNUL)
		case equals < 0:
			c.bad(at("process.env", i), "must be NAME=value: there is no equals sign")
		case equals == 0:
			c.bad(at("process.env", i), "must be NAME=value: the name is empty")
		}
	}
}

func (c *checker) console(p *specs.Process) {
	const most = 1<<16 - 1 // struct winsize
	if !p.Terminal || p.ConsoleSize == nil {
		return
	}
	if p.ConsoleSize.Height > most {
		c.bad("process.consoleSize.height", "must not be more than %d: %d", most, p.ConsoleSize.Height)
	}
	if p.ConsoleSize.Width > most {
		c.bad("process.consoleSize.width", "must not be more than %d: %d", most, p.ConsoleSize.Width)
	}
}

// user holds the ids against the mappings of a user namespace that is to be
// made. One that is joined has its own, which only the kernel knows.
func (c *checker) user(u *specs.User) {
	// To setresuid(2) this number means no change, and the process would stay root.
	const none = 1<<32 - 1
	if u.UID == none {
		c.bad("process.user.uid", "%d is not an id", u.UID)
	}
	if u.GID == none {
		c.bad("process.user.gid", "%d is not an id", u.GID)
	}
	for i, gid := range u.AdditionalGids {
		if gid == none {
			c.bad(at("process.user.additionalGids", i), "%d is not an id", gid)
		}
	}
	if !c.newUserNamespace() {
		return
	}
	uids, gids := c.linux.UIDMappings, c.linux.GIDMappings
	if len(uids) > 0 && !idmap.Has(uids, u.UID) {
		c.bad("process.user.uid", "%d is not mapped by linux.uidMappings", u.UID)
	}
	if len(gids) == 0 {
		return
	}
	if !idmap.Has(gids, u.GID) {
		c.bad("process.user.gid", "%d is not mapped by linux.gidMappings", u.GID)
	}
	// Without newgidmap a user may map one group, and loses setgroups(2).
	if c.opts.Rootless && len(u.AdditionalGids) > 0 && len(gids) == 1 && gids[0].Size == 1 {
		c.bad("process.user.additionalGids", "must be empty when linux.gidMappings has one id and the runtime is not started by root")
		return
	}
	for i, gid := range u.AdditionalGids {
		if !idmap.Has(gids, gid) {
			c.bad(at("process.user.additionalGids", i), "%d is not mapped by linux.gidMappings", gid)
		}
	}
}

func (c *checker) rlimits(limits []specs.POSIXRlimit) {
	var seen uint64
	for i, limit := range limits {
		number, ok := names.RlimitNumber(limit.Type)
		switch bit := uint64(1) << number; {
		case !ok:
			hint := ""
			if full := "RLIMIT_" + strings.ToUpper(limit.Type); names.IsRlimit(full) {
				hint = fmt.Sprintf(": did you mean %q?", full)
			}
			c.bad(at("process.rlimits", i)+".type", "unknown resource limit %q%s", limit.Type, hint)
			continue
		case seen&bit != 0:
			c.bad(at("process.rlimits", i)+".type", "%s is given twice", limit.Type)
		default:
			seen |= bit
		}
		if limit.Soft > limit.Hard {
			c.bad(at("process.rlimits", i)+".soft", "must not be more than the hard limit %d: %d", limit.Hard, limit.Soft)
		}
	}
}

// capabilities only warns: the specification lets a container start without
// what can't be granted. The compiler, which knows what the host can grant,
// says the rest.
func (c *checker) capabilities(caps *specs.LinuxCapabilities) {
	var unknown []string
	known := names.CapabilityTable[:]
	for _, set := range [][]string{caps.Bounding, caps.Effective, caps.Inheritable, caps.Permitted, caps.Ambient} {
		_, names := names.CapabilityMask(set)
		for _, name := range names {
			hint := similar.Name(name, known)
			if name = strconv.Quote(name); hint != "" {
				name += " (did you mean " + hint + "?)"
			}
			if !slices.Contains(unknown, name) {
				unknown = append(unknown, name)
			}
		}
	}
	if len(unknown) > 0 {
		c.warn("process.capabilities", "unknown ones are ignored: %s", strings.Join(unknown, ", "))
	}
}

func (c *checker) scheduler(s *specs.Scheduler) {
	const place = "process.scheduler"
	if _, ok := names.SchedulerPolicy(s.Policy); !ok {
		c.bad(place+".policy", "unknown scheduling policy %q", s.Policy)
		return
	}
	if s.Nice < -20 || s.Nice > 19 {
		c.bad(place+".nice", "must be between -20 and 19, not %d", s.Nice)
	}
	if s.Policy == specs.SchedFIFO || s.Policy == specs.SchedRR {
		if s.Priority < 1 || s.Priority > 99 {
			c.bad(place+".priority", "must be between 1 and 99 for %s, not %d", s.Policy, s.Priority)
		}
	} else if s.Priority != 0 {
		c.bad(place+".priority", "only SCHED_FIFO and SCHED_RR have a priority, %s has not", s.Policy)
	}
	c.deadline(place, s)
	for i, flag := range s.Flags {
		if _, ok := names.SchedulerFlag(flag); !ok {
			c.bad(at(place+".flags", i), "unknown scheduling flag %q", flag)
		}
	}
}

// deadline knows the order that sched_setattr(2) wants; a period of 0 stands
// for the deadline.
func (c *checker) deadline(place string, s *specs.Scheduler) {
	if s.Policy != specs.SchedDeadline {
		for _, v := range []struct {
			name  string
			value uint64
		}{{"runtime", s.Runtime}, {"deadline", s.Deadline}, {"period", s.Period}} {
			if v.value != 0 {
				c.bad(place+"."+v.name, "only SCHED_DEADLINE has a %s, %s has not", v.name, s.Policy)
			}
		}
		return
	}
	switch {
	case s.Runtime == 0:
		c.bad(place+".runtime", "must be set for SCHED_DEADLINE")
	case s.Deadline < s.Runtime:
		c.bad(place+".deadline", "must not be less than the runtime %d: %d", s.Runtime, s.Deadline)
	case s.Period != 0 && s.Period < s.Deadline:
		c.bad(place+".period", "must not be less than the deadline %d: %d", s.Deadline, s.Period)
	}
}

func (c *checker) ioPriority(p *specs.LinuxIOPriority) {
	if _, ok := names.IOPriorityClass(p.Class); !ok {
		c.bad("process.ioPriority.class", "unknown I/O priority class %q", p.Class)
	}
	if p.Priority < 0 || p.Priority > 7 {
		c.bad("process.ioPriority.priority", "must be between 0 and 7, not %d", p.Priority)
	}
}

// numberList checks a list of CPUs or memory nodes that this runtime turns
// into a mask.
func (c *checker) numberList(place, list string) {
	if err := cpuset.Each(list, func(_, _ int) {}); err != nil {
		c.bad(place, "%v", err)
	}
}
