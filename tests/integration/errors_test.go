package integration

import (
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

type logLine struct {
	Level, Msg string
	Time       time.Time
}

// readLog decodes a --log file the way engines do.
func readLog(t *testing.T, name string) []logLine {
	t.Helper()
	var lines []logLine
	for d := json.NewDecoder(strings.NewReader(readFile(t, name))); d.More(); {
		var l logLine
		if err := d.Decode(&l); err != nil {
			t.Fatalf("%v in %s", err, readFile(t, name))
		}
		lines = append(lines, l)
	}
	return lines
}

// An error is one JSON line in the log and the plain message on stderr.
func TestErrorInTheLog(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log.json")
	b := sleeper(t).Args("/no/such/command")
	b.Flags = []string{"--log", name, "--log-format", "json"}
	before := time.Now().Add(-time.Second)
	res := b.TryCreate()
	if res.Code != 1 {
		t.Errorf("exit %d, want 1", res.Code)
	}
	lines := readLog(t, name)
	if len(lines) != 1 {
		t.Fatalf("%d lines in the log: %s", len(lines), readFile(t, name))
	}
	l := lines[0]
	if l.Level != "error" || !strings.Contains(l.Msg, "stat /no/such/command: no such file or directory") || l.Time.Before(before) || l.Time.After(time.Now().Add(time.Second)) {
		t.Errorf("log: %+v", l)
	}
	if !strings.Contains(res.Stderr, l.Msg) || strings.Contains(res.Stderr, "level=") || strings.Contains(res.Stderr, `"msg"`) {
		t.Errorf("stderr %q, log %q", res.Stderr, l.Msg)
	}
	if res.Stdout != "" {
		t.Errorf("stdout %q", res.Stdout)
	}
}

// Without --log, stderr has one line in the text format.
func TestErrorOnStderr(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	res := r.Run("state", "nosuch")
	if res.Code != 1 || strings.Count(res.Stderr, "\n") != 1 || !strings.Contains(res.Stderr, "level=error msg=") {
		t.Errorf("stderr: %+v", res)
	}
}

// Warnings must not spoil a log that an engine reads as one object.
func TestWarningBesideError(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "writes both")
	name := filepath.Join(t.TempDir(), "log.json")
	b := sleeper(t).Args("/no/such/command").Caps("CAP_CHEESE")
	b.Flags = []string{"--log", name, "--log-format", "json"}
	b.TryCreate()
	if lines := readLog(t, name); len(lines) != 1 || lines[0].Level != "error" {
		t.Errorf("log: %+v", lines)
	}
}

// The log exists before anything can fail, for every command.
func TestLogIsAlwaysCreated(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"state", "nosuch"}, {"create"}, {"kill"}, {"delete", "--force", "nosuch"}, {"create", "--nosuchflag", "x"}, {"--version"},
	} {
		r := harness.NewRuntime(t)
		name := filepath.Join(t.TempDir(), "log.json")
		r.Flags = []string{"--log", name, "--log-format", "json"}
		res := r.Run(args...)
		if args[0] == "--version" {
			continue
		}
		if _, err := os.Stat(name); err != nil && !(harness.Peer() != "" && strings.HasPrefix(args[len(args)-1], "x")) {
			t.Errorf("%v: no log", args)
			continue
		}
		if lines := readLog(t, name); res.Code != 0 && harness.Peer() == "" && (len(lines) != 1 || lines[0].Level != "error" || lines[0].Msg == "") {
			t.Errorf("%v: exit %d, log %+v", args, res.Code, lines)
		}
	}
}

func TestLogIsAppended(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log.json")
	r := harness.NewRuntime(t)
	r.Flags = []string{"--log", name, "--log-format", "json"}
	r.Run("state", "one")
	r.Run("state", "two")
	if lines := readLog(t, name); len(lines) != 2 {
		t.Errorf("log: %+v", lines)
	}
}

func TestLogFormat(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	r.Flags = []string{"--log-format", "xml"}
	if res := r.Run("list"); res.Code != 1 || !strings.Contains(res.Stderr, "invalid log-format") {
		t.Errorf("--log-format xml: %+v", res)
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"nosuchcommand"}, 3}, {[]string{"state"}, 1}, {[]string{"state", "a", "b"}, 1}, {[]string{"create", "--nosuch", "x"}, 1},
		{[]string{"kill"}, 1}, {[]string{"delete"}, 1}, {[]string{"exec"}, 1},
	} {
		if res := r.Run(c.args...); res.Code != c.code || res.Stderr == "" && res.Stdout == "" {
			t.Errorf("%v: %+v, want exit %d", c.args, res, c.code)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	for _, args := range [][]string{nil, {"--help"}, {"-h"}, {"help"}} {
		if res := r.Run(args...); res.Code != 0 || !strings.Contains(res.Stdout, "create") || res.Stderr != "" {
			t.Errorf("%v: exit %d, %q, stderr %q", args, res.Code, res.Stdout, res.Stderr)
		}
	}
	for _, verb := range []string{"create", "run", "start", "state", "kill", "delete", "list", "ps", "spec", "features", "exec", "pause", "resume"} {
		if verb == "features" && harness.Peer() == "runc" {
			continue
		}
		if res := r.Run(verb, "--help"); res.Code != 0 || !strings.Contains(res.Stdout, verb) {
			t.Errorf("%s --help: exit %d, %q", verb, res.Code, res.Stdout)
		}
	}
}

// Flags in all the shapes that engines and people write.
func TestFlagShapes(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{
		{"-bundle", "DIR"}, {"--bundle=DIR"}, {"-b", "DIR"}, {"-bundle=DIR"}, {"-b=DIR"}, {"--no-pivot=false", "--bundle", "DIR"},
	} {
		b := harness.NewBundle(t).Args("echo", "runs").Save()
		args := []string{"run"}
		for _, f := range flags {
			args = append(args, strings.ReplaceAll(f, "DIR", b.Dir))
		}
		if res := b.Runtime.Run(append(args, b.ID)...); res.Code != 0 || res.Stdout != "runs\n" {
			t.Errorf("%v: %+v", flags, res)
		}
		// Flags may follow the id.
		args = append([]string{"run", b.ID}, args[1:]...)
		if res := b.Runtime.Run(args...); res.Code != 0 || res.Stdout != "runs\n" {
			t.Errorf("%v after the id: %+v", flags, res)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	for _, flag := range []string{"--version", "-v"} {
		res := r.Run(flag)
		lines := strings.Split(res.Stdout, "\n")
		if res.Code != 0 || res.Stderr != "" || !strings.Contains(lines[0], " version ") {
			t.Errorf("%s: %+v", flag, res)
		}
		contains(t, res.Stdout, "\ncommit: ", "\nspec: ")
	}
}

func TestSpec(t *testing.T) {
	t.Parallel()
	r := harness.NewRuntime(t)
	dir := t.TempDir()
	r.Must("spec", "--bundle", dir)
	name := filepath.Join(dir, "config.json")
	var s specs.Spec
	if err := json.Unmarshal([]byte(readFile(t, name)), &s); err != nil {
		t.Fatal(err)
	}
	if !s.Process.Terminal || s.Process.Args[0] != "sh" || !s.Root.Readonly || s.Root.Path != "rootfs" || len(s.Mounts) != 7 || len(s.Linux.MaskedPaths) < 9 {
		t.Errorf("config.json: %+v", s)
	}
	contains(t, readFile(t, name), "\n\t\"process\": {\n")
	if res := r.Run("spec", "--bundle", dir); res.Code != 1 || !strings.Contains(res.Message(), "config.json exists") {
		t.Errorf("second spec: %+v", res)
	}
	rootless := t.TempDir()
	r.Must("spec", "--rootless", "-b", rootless)
	var u specs.Spec
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(rootless, "config.json"))), &u); err != nil {
		t.Fatal(err)
	}
	if len(u.Linux.UIDMappings) != 1 || u.Linux.UIDMappings[0].Size != 1 {
		t.Errorf("rootless: %+v", u.Linux.UIDMappings)
	}
	for _, n := range u.Linux.Namespaces {
		if n.Type == specs.NetworkNamespace {
			t.Error("rootless: has a network namespace")
		}
	}
}

// The example at the top of the source tree is what `spec` writes.
func TestConfigExample(t *testing.T) {
	t.Parallel()
	ours(t, "writes another one")
	if harness.Unified() {
		t.Skip("spec adds a cgroup namespace on hosts with cgroup v2 alone")
	}
	dir := t.TempDir()
	harness.NewRuntime(t).Must("spec", "--bundle", dir)
	if readFile(t, filepath.Join(dir, "config.json")) != readFile(t, "../../config.json.example") {
		t.Error("config.json.example differs from what spec writes")
	}
}

// What `spec` writes runs, as it is but for the terminal.
func TestSpecRuns(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t)
	b.Must("spec", "--bundle", b.Dir)
	config := readFile(t, filepath.Join(b.Dir, "config.json"))
	config = strings.Replace(config, `"terminal": true`, `"terminal": false`, 1)
	config = strings.Replace(config, `"sh"`, `"hostname"`, 1)
	config = strings.Replace(config, `"linux": {`, `"linux": {"cgroupsPath": "`+b.Spec.Linux.CgroupsPath+`",`, 1)
	b.SaveRaw(config)
	if out := b.MustRun(); out == "" {
		t.Error("no hostname")
	}
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	harness.SkipOnPeer(t, "runc", "1.1 says less")
	r := harness.NewRuntime(t)
	cmd := r.Cmd("features")
	cmd.Env = []string{}
	cmd.Args = []string{cmd.Args[0], "features"} // engines give no global flags
	res := r.RunCmd(cmd)
	var f struct {
		OciVersionMin, OciVersionMax string
		Hooks, MountOptions          []string
		Linux                        struct {
			Namespaces, Capabilities []string
			Cgroup                   map[string]bool
			Seccomp                  map[string]any
			MountExtensions          struct{ Idmap struct{ Enabled bool } }
		}
	}
	if err := json.Unmarshal([]byte(res.Stdout), &f); err != nil || res.Code != 0 || res.Stderr != "" {
		t.Fatalf("features: %v, %+v", err, res)
	}
	if f.OciVersionMin != "1.0.0" || f.OciVersionMax != "1.3.0" || len(f.Hooks) != 6 || len(f.Linux.Namespaces) != 8 || len(f.Linux.Capabilities) != 41 {
		t.Errorf("features: %+v", f)
	}
	if !f.Linux.MountExtensions.Idmap.Enabled || !f.Linux.Cgroup["v1"] || !f.Linux.Cgroup["v2"] {
		t.Errorf("features: %+v", f.Linux)
	}
	contains(t, " "+strings.Join(f.MountOptions, " ")+" ", " rro ", " defaults ", " idmap ", " ridmap ", " tmpcopyup ", " bind ", " rnodev ")
}

// start reports what the kernel or the program's file got in its way.
func TestExecFormatErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		words   []string
	}{
		"text":        {"echo no interpreter\n", []string{"exec format error"}},
		"empty":       {"", []string{"exec format error"}},
		"other":       {elfProgram(elf.EM_RISCV, "/lib/ld.so"), []string{"exec format error", "riscv|RISC-V"}},
		"carriage":    {"#!/bin/sh\r\necho\r\n", []string{"no such file or directory", `\r|carriage|CR`}},
		"interpreter": {"#!/no/such/interpreter\n", []string{"no such file or directory", "/no/such/interpreter"}},
		"loader":      {elfWithLoader("/lib/no-such-loader.so"), []string{"no such file or directory", "/lib/no-such-loader.so"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours(t, "start succeeds")
			b := harness.NewBundle(t).File("bin/bad", c.content, 0o755).Args("/bin/bad").Create()
			res := b.Do("start")
			if res.Code == 0 {
				t.Fatal("start succeeded")
			}
			for _, w := range c.words {
				found := false
				for alternative := range strings.SplitSeq(w, "|") {
					found = found || strings.Contains(res.Message(), alternative)
				}
				if !found {
					t.Errorf("%q is missing in %q", w, res.Message())
				}
			}
			contains(t, res.Message(), "/bin/bad")
			running := sleeper(t).File("bin/bad", c.content, 0o755).Start()
			if res := running.Exec("/bin/bad"); res.Code != 255 || !strings.Contains(res.Message(), "/bin/bad") {
				t.Errorf("exec: exit %d: %s", res.Code, res.Message())
			}
		})
	}
}

// elfWithLoader is a program of this machine that asks for a loader.
func elfWithLoader(loader string) string {
	self, err := elf.Open("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	defer self.Close()
	return elfProgram(self.Machine, loader)
}

// elfProgram is a dynamic program with nothing in it but the loader's name.
func elfProgram(machine elf.Machine, loader string) string {
	const header, entry = 64, 56
	h := make([]byte, header+entry+len(loader)+1)
	le := binary.LittleEndian
	copy(h, "\x7fELF\x02\x01\x01")
	le.PutUint16(h[16:], uint16(elf.ET_EXEC))
	le.PutUint16(h[18:], uint16(machine))
	le.PutUint32(h[20:], 1)
	le.PutUint64(h[32:], header) // where the program headers are
	le.PutUint16(h[52:], header)
	le.PutUint16(h[54:], entry)
	le.PutUint16(h[56:], 1)
	p := h[header:]
	le.PutUint32(p, uint32(elf.PT_INTERP))
	le.PutUint64(p[8:], header+entry)
	le.PutUint64(p[32:], uint64(len(loader)+1))
	le.PutUint64(p[40:], uint64(len(loader)+1))
	copy(h[header+entry:], loader)
	return string(h)
}

// Validation is complete: every problem of a config.json is named at once,
// with its place, before anything is touched.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	ours(t, "stops at the first")
	b := sleeper(t).Edit(func(s *specs.Spec) {
		s.Process.Cwd = "relative"
		s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{Type: "RLIMIT_CHEESE"})
		s.Linux.RootfsPropagation = "sideways"
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "cheese"})
		s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "relative/path")
		s.Linux.Resources.BlockIO = &specs.LinuxBlockIO{WeightDevice: []specs.LinuxWeightDevice{{}}}
		s.Annotations = map[string]string{"": "empty"}
	})
	b.FailRun("process.cwd", "process.rlimits[1]", "linux.rootfsPropagation",
		fmt.Sprintf("linux.namespaces[%d]", len(b.Spec.Linux.Namespaces)-1), "linux.maskedPaths[10]",
		"linux.resources.blockIO.weightDevice[0]", "annotations")
}

func TestBrokenConfigs(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"not JSON": "{", "empty": "", "wrong type": `{"ociVersion": "1.0.0", "process": 7}`, "array": "[]", "null": "null",
		"trailing": `{"ociVersion": "1.0.0"} x`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "trailing" || name == "null" {
				ours(t, "accepts or crashes")
			}
			sleeper(t).SaveRaw(config).FailRun()
		})
	}
	b := sleeper(t).Save()
	if err := os.Remove(filepath.Join(b.Dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	b.FailRun("config.json")
	nowhere := sleeper(t).Save()
	if res := nowhere.Runtime.Run("create", "--bundle", "/no/such/bundle", nowhere.ID); res.Code != 1 {
		t.Errorf("a bundle that doesn't exist: %+v", res)
	}
}

// Unknown properties are for other versions and other readers.
func TestUnknownPropertiesAreIgnored(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t).Args("echo", "runs").Save()
	config := strings.Replace(readFile(t, filepath.Join(b.Dir, "config.json")), "{", `{"future": {"x": [1]}, "windows": {}, "vm": {},`, 1)
	config = strings.Replace(config, `"linux": {`, `"linux": {"future": true,`, 1)
	config = strings.Replace(config, `"process": {`, `"process": {"future": null,`, 1)
	b.SaveRaw(config)
	wantLines(t, b.MustRun(), "runs")
}

// What comes in other issues is refused by name, never silently left out.
func TestNotYetSupported(t *testing.T) {
	t.Parallel()
	ours(t, "knows other sections")
	for place, change := range map[string]func(s *specs.Spec){
		"linux.intelRdt":          func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "x"} },
		"process.apparmorProfile": func(s *specs.Spec) { s.Process.ApparmorProfile = "nosuch" },
		"process.selinuxLabel":    func(s *specs.Spec) { s.Process.SelinuxLabel = "a:b:c:s0" },
		"linux.mountLabel":        func(s *specs.Spec) { s.Linux.MountLabel = "a:b:c:s0" },
		"linux.netDevices":        func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"nosuch0": {}} },
		"linux.memoryPolicy":      func(s *specs.Spec) { s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_CHEESE"} },
		"linux.seccomp":           func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_CHEESE"} },
		"linux.personality.flags": func(s *specs.Spec) {
			s.Linux.Personality = &specs.LinuxPersonality{Domain: "LINUX", Flags: []specs.LinuxPersonalityFlag{"X"}}
		},
	} {
		b := sleeper(t).Edit(change)
		b.FailRun(place)
	}
}

func TestMountErrorNamesEverything(t *testing.T) {
	t.Parallel()
	ours(t, "other texts")
	b := sleeper(t).Mount("tmpfs", "/tmp", "tmpfs", "nosuid", "size=nonsense")
	b.FailRun("mounts[7]", "tmpfs", "/tmp", "size=nonsense", "invalid")
}

func TestSystemdCgroupWithoutSystemd(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		t.Skip("systemd runs here")
	}
	b := sleeper(t)
	b.Flags = []string{"--systemd-cgroup"}
	b.Spec.Linux.CgroupsPath = "system.slice:x:y"
	contains(t, b.TryCreate().Message(), "systemd")
}

func TestGlobalFlagsAreAccepted(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"--debug"}, {"--rootless", "false"}, {"--rootless=auto"}, {"--log-format", "text"}} {
		b := harness.NewBundle(t).Args("echo", "runs")
		b.Flags = flags
		wantLines(t, b.MustRun(), "runs")
	}
}

// podman calls with an almost empty environment; for root the directory for
// state doesn't depend on it.
func TestEmptyEnvironment(t *testing.T) {
	t.Parallel()
	harness.NeedController(t, "freezer")
	b := sleeper(t)
	b.Env = []string{"XDG_RUNTIME_DIR="}
	b.Start()
	b.Must("pause", b.ID)
	b.Must("resume", b.ID)
	b.MustExec("true")
	b.Kill()
	b.Delete()
}

// explain prints what would be done, without privileges and without doing it.
func TestExplain(t *testing.T) {
	t.Parallel()
	ours(t, "has no explain")
	b := harness.NewBundle(t).Mount("tmpfs", "/tmp", "tmpfs", "mode=1777").Save()
	res := b.Runtime.Run("explain", "--bundle", b.Dir)
	if res.Code != 0 {
		t.Fatalf("explain: %+v", res)
	}
	contains(t, res.Stdout, "mounts[7]", "/tmp", "mode=1777", "pivot_root", "execve", "linux.maskedPaths[0]", "process.capabilities")
	if strings.Index(res.Stdout, "mounts[0]") > strings.Index(res.Stdout, "mounts[7]") {
		t.Error("the steps are out of order")
	}
	raw := b.Must("explain", "--json", "--bundle", b.Dir)
	if !json.Valid([]byte(raw)) {
		t.Errorf("explain --json: %.200s", raw)
	}
	if dirs := b.CgroupDirs(); dirs != nil {
		t.Errorf("explain made %v", dirs)
	}
	if left, _ := os.ReadDir(b.Root); len(left) > 0 {
		t.Errorf("explain made %v", left)
	}
	b.Args("sleep", "1000").Save().Start()
	contains(t, b.Must("explain", b.ID), "mounts[7]", "execve")
}

// A root file system that is not there is told before anything is made: neither the cgroup nor the
// init has come to be.
func TestNoRootFilesystem(t *testing.T) {
	t.Parallel()
	ours(t, "runc says it in other words")
	for _, c := range []struct{ path, want string }{{"nothing", "no such file or directory"}, {"config.json", "not a directory"}} {
		b := sleeper(t)
		b.Spec.Root.Path = c.path
		trace := filepath.Join(t.TempDir(), "trace")
		res := b.TryCreate("--trace", trace)
		want := fmt.Sprintf("root.path: there is no root file system in %s/%s: %s", b.Dir, c.path, c.want)
		if res.Code != 1 || !strings.Contains(res.Message(), want) {
			t.Errorf("exit %d: %s, want %s", res.Code, res.Message(), want)
		}
		if steps := readFile(t, trace); strings.Contains(steps, "make the cgroup") {
			t.Errorf("something was made before: %s", steps)
		}
	}
}
