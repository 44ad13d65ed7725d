package check

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckProcessProperties(t *testing.T) {
	rlimits := func(l ...specs.POSIXRlimit) func(*specs.Spec) { return func(s *specs.Spec) { s.Process.Rlimits = l } }
	runCheckTests(t, Options{}, []checkTest{
		{"none", func(s *specs.Spec) { s.Process = nil }, ""},
		{"no cwd", func(s *specs.Spec) { s.Process.Cwd = "" }, "process.cwd: must not be empty"},
		{"relative cwd", func(s *specs.Spec) { s.Process.Cwd = "a/b" }, `process.cwd: must be an absolute path, not "a/b"`},
		{"cwd with a zero byte", func(s *specs.Spec) { s.Process.Cwd = "/\x00" }, "process.cwd: must not contain a zero byte"},
		{"no args", func(s *specs.Spec) { s.Process.Args = []string{} }, "process.args: must not be empty"},
		{"empty program", func(s *specs.Spec) { s.Process.Args = []string{""} }, ""},
		{"zero byte in args", func(s *specs.Spec) { s.Process.Args = []string{"a", "b\x00c"} }, "process.args[1]: must not contain a zero byte"},
		{"env without equals", func(s *specs.Spec) { s.Process.Env = []string{"A=b", "SECRET"} },
			"process.env[1]: must be NAME=value: there is no equals sign"},
		{"env without name", func(s *specs.Spec) { s.Process.Env = []string{"=secret"} }, "process.env[0]: must be NAME=value: the name is empty"},
		{"empty env entry", func(s *specs.Spec) { s.Process.Env = []string{""} }, "process.env[0]: must be NAME=value: there is no equals sign"},
		{"zero byte in env", func(s *specs.Spec) { s.Process.Env = []string{"A=\x00"} }, "process.env[0]: must not contain a zero byte"},
		{"labels", func(s *specs.Spec) { s.Process.ApparmorProfile, s.Process.SelinuxLabel = "\x00", "\x00" },
			"process.apparmorProfile: must not contain a zero byte; process.selinuxLabel: must not contain a zero byte"},
		{"console", func(s *specs.Spec) { s.Process.ConsoleSize = &specs.Box{Height: 65536, Width: 70000} },
			"process.consoleSize.height: must not be more than 65535: 65536; process.consoleSize.width: must not be more than 65535: 70000"},
		{"console without terminal", func(s *specs.Spec) { s.Process.Terminal, s.Process.ConsoleSize = false, &specs.Box{Height: 65536} }, ""},
		{"oom", func(s *specs.Spec) { s.Process.OOMScoreAdj = new(1001) }, "process.oomScoreAdj: must be between -1000 and 1000, not 1001"},
		{"oom below", func(s *specs.Spec) { s.Process.OOMScoreAdj = new(-1001) }, "process.oomScoreAdj: must be between -1000 and 1000, not -1001"},

		{"unknown rlimit", rlimits(specs.POSIXRlimit{Type: "RLIMIT_FOO"}), `process.rlimits[0].type: unknown resource limit "RLIMIT_FOO"`},
		{"rlimit without type", rlimits(specs.POSIXRlimit{}), `process.rlimits[0].type: unknown resource limit ""`},
		{"rlimit twice", rlimits(specs.POSIXRlimit{Type: "RLIMIT_CPU"}, specs.POSIXRlimit{Type: "RLIMIT_NOFILE"}, specs.POSIXRlimit{Type: "RLIMIT_CPU"}),
			`process.rlimits[2].type: RLIMIT_CPU is given twice`},
		{"soft above hard", rlimits(specs.POSIXRlimit{Type: "RLIMIT_CPU", Soft: 2, Hard: 1}),
			`process.rlimits[0].soft: must not be more than the hard limit 1: 2`},

		{"unknown capabilities", func(s *specs.Spec) {
			s.Process.Capabilities.Bounding = append(s.Process.Capabilities.Bounding, "CAP_X", "kill")
			s.Process.Capabilities.Effective = append(s.Process.Capabilities.Effective, "CAP_X")
		}, `warning: process.capabilities: unknown ones are ignored: "CAP_X", "kill"`},
	})
}

func TestCheckScheduling(t *testing.T) {
	scheduler := func(sc specs.Scheduler) func(*specs.Spec) { return func(s *specs.Spec) { s.Process.Scheduler = &sc } }
	affinity := func(list string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Process.ExecCPUAffinity = &specs.CPUAffinity{Final: list} }
	}
	ioPriority := func(class specs.IOPriorityClass, n int) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Process.IOPriority = &specs.LinuxIOPriority{Class: class, Priority: n} }
	}
	runCheckTests(t, Options{}, []checkTest{
		{"no policy", scheduler(specs.Scheduler{Nice: 30}), `process.scheduler.policy: unknown scheduling policy ""`},
		{"nice", scheduler(specs.Scheduler{Policy: specs.SchedBatch, Nice: 20}), `process.scheduler.nice: must be between -20 and 19, not 20`},
		{"priority missing", scheduler(specs.Scheduler{Policy: specs.SchedFIFO}), `process.scheduler.priority: must be between 1 and 99 for SCHED_FIFO, not 0`},
		{"needless priority", scheduler(specs.Scheduler{Policy: specs.SchedOther, Priority: 1}),
			`process.scheduler.priority: only SCHED_FIFO and SCHED_RR have a priority, SCHED_OTHER has not`},
		{"needless deadline", scheduler(specs.Scheduler{Policy: specs.SchedRR, Priority: 1, Runtime: 1, Deadline: 2, Period: 3}),
			"process.scheduler.runtime: only SCHED_DEADLINE has a runtime, SCHED_RR has not; " +
				"process.scheduler.deadline: only SCHED_DEADLINE has a deadline, SCHED_RR has not; " +
				"process.scheduler.period: only SCHED_DEADLINE has a period, SCHED_RR has not"},
		{"no runtime", scheduler(specs.Scheduler{Policy: specs.SchedDeadline, Deadline: 1}), `process.scheduler.runtime: must be set for SCHED_DEADLINE`},
		{"short deadline", scheduler(specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 3, Deadline: 2}),
			`process.scheduler.deadline: must not be less than the runtime 3: 2`},
		{"short period", scheduler(specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 1, Deadline: 3, Period: 2}),
			`process.scheduler.period: must not be less than the deadline 3: 2`},
		{"scheduler flag", scheduler(specs.Scheduler{Policy: specs.SchedOther, Flags: []specs.LinuxSchedulerFlag{"SCHED_FLAG_KEEP_POLICY", "X"}}),
			`process.scheduler.flags[1]: unknown scheduling flag "X"`},

		{"no I/O class", ioPriority("", 0), `process.ioPriority.class: unknown I/O priority class ""`},
		{"I/O priority", ioPriority(specs.IOPRIO_CLASS_BE, 8), `process.ioPriority.priority: must be between 0 and 7, not 8`},

		{"affinity", affinity("0-3,x"), `process.execCPUAffinity.final: must be a list of numbers and ranges as in "0-3,7": "0-3,x"`},
		{"affinity ends early", affinity("0-3,"), `process.execCPUAffinity.final: must be a list of numbers and ranges as in "0-3,7": "0-3,"`},
		{"affinity of blanks", affinity(" "), `process.execCPUAffinity.final: must be a list of numbers and ranges as in "0-3,7": " "`},
		{"affinity backwards", affinity("3-1"), `process.execCPUAffinity.final: must not have a range that runs backwards: "3-1"`},
		{"affinity far out", affinity("0-99999999999999999999"), `process.execCPUAffinity.final: must not have numbers above 65535: "0-99999999999999999999"`},
		{"affinity twice", affinity("1-2-3"), `process.execCPUAffinity.final: must be a list of numbers and ranges as in "0-3,7": "1-2-3"`},
	})
}

// setresuid(2) takes the number for "no change": the process would stay root.
func TestCheckUserIsAnID(t *testing.T) {
	runCheckTests(t, Options{}, []checkTest{
		{"no id", func(s *specs.Spec) {
			s.Process.User = specs.User{UID: 1<<32 - 1, GID: 1<<32 - 1, AdditionalGids: []uint32{1<<32 - 1}}
		}, "process.user.uid: 4294967295 is not an id; process.user.gid: 4294967295 is not an id; " +
			"process.user.additionalGids[0]: 4294967295 is not an id"},
		{"the greatest id", func(s *specs.Spec) { s.Process.User = specs.User{UID: 1<<32 - 2, GID: 1<<32 - 2} }, ""},
	})
}

func TestCheckUserAgainstMappings(t *testing.T) {
	tests := []checkTest{
		{"mapped", func(s *specs.Spec) {
			addUserNamespace(s)
			s.Process.User = specs.User{UID: 99, GID: 99, AdditionalGids: []uint32{0, 1}}
		}, ""},
		{"not mapped", func(s *specs.Spec) {
			addUserNamespace(s)
			s.Process.User = specs.User{UID: 100, GID: 101, AdditionalGids: []uint32{0, 102}}
		}, "process.user.uid: 100 is not mapped by linux.uidMappings; process.user.gid: 101 is not mapped by linux.gidMappings; " +
			"process.user.additionalGids[1]: 102 is not mapped by linux.gidMappings"},
		{"a joined namespace has its own mappings", func(s *specs.Spec) {
			addUserNamespace(s)
			s.Linux.Namespaces[len(s.Linux.Namespaces)-1].Path = "/proc/1/ns/user"
			s.Process.User.UID = 100
		}, ""},
	}
	runCheckTests(t, Options{}, tests)
	runCheckTests(t, Options{Rootless: true}, append(tests, checkTest{"groups without setgroups", func(s *specs.Spec) {
		addUserNamespace(s)
		s.Linux.GIDMappings = s.Linux.GIDMappings[:1]
		s.Process.User.AdditionalGids = []uint32{0}
		s.Mounts[2].Options = nil // gid=5
	}, "process.user.additionalGids: must be empty when linux.gidMappings has one id and the runtime is not started by root"}))
}

func TestCheckProcessAlone(t *testing.T) {
	container := exampleSpec(t)
	addUserNamespace(container)
	p := &specs.Process{Args: []string{"sh"}, Cwd: "/", User: specs.User{UID: 500}}
	if warnings, err := Process(p, nil, Options{}); err != nil || warnings != nil {
		t.Errorf("without a container: %v, %v", warnings, err)
	}
	_, err := Process(p, container, Options{})
	if want := "process.user.uid: 500 is not mapped by linux.uidMappings"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	_, err = Process(&specs.Process{}, container, Options{})
	if want := "process.cwd: must not be empty; process.args: must not be empty"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
