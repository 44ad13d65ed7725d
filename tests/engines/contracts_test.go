// Package engines replays what real engines call: containerd's shim, dockerd,
// Podman with conmon and CRI-O. The calls were recorded between engine and
// runtime, and each engine misreports or breaks when an answer is not as the
// tables say. The engines themselves are run by the scripts beside.
package engines

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m, nil) }

// call is one recorded call. In args, ID is the container's id, BUNDLE
// its bundle, DIR a scratch directory, ROOT the --root directory.
type call struct {
	args  string
	stdin string
	bare  bool   // podman's own calls: an environment of an empty XDG_RUNTIME_DIR and nothing else
	code  int    // the exit code
	err   string // what the message has to contain
	then  func(*session)
}

const (
	shim   = "--root ROOT --log DIR/log.json --log-format json "
	conmon = "--log-format=json --log DIR/oci-log "

	kilo64  = "65536000"
	kilo128 = "131072000"
)

var engines = []struct {
	name  string
	calls []call
}{
	{"containerd", []call{
		{args: shim + "create --bundle BUNDLE --pid-file BUNDLE/init.pid ID", then: pidFile("BUNDLE/init.pid", "created")},
		{args: shim + "create --bundle BUNDLE --pid-file BUNDLE/again.pid ID", code: 1, err: "container with given ID already exists"},
		{args: shim + "start ID", then: status("running")},
		{args: shim + "start ID", code: 1, err: "cannot start"},
		{args: shim + "exec --process DIR/sleep.json --detach --pid-file BUNDLE/a.pid ID", then: pids(2)},
		{args: shim + "exec --process DIR/missing.json --detach --pid-file BUNDLE/b.pid ID", code: 255, err: `exec: "nosuchprogram": executable file not found in $PATH`},
		{args: shim + "exec --process DIR/plain.json --detach --pid-file BUNDLE/b.pid ID", code: 255, err: `exec: "/plain": permission denied`},
		{args: shim + "pause ID", then: status("paused")},
		{args: shim + "exec --process DIR/sleep.json --detach --pid-file BUNDLE/c.pid ID", code: 255, err: "paused"},
		{args: shim + "resume ID", then: status("running")},
		{args: shim + "update --resources - ID", stdin: `{"memory":{"limit":` + kilo128 + `}}`, then: memory(kilo128)},
		{args: shim + "update --resources=- ID", stdin: `{"memory":{"limit":` + kilo64 + `}}`, then: memory(kilo64)},
		{args: shim + "delete ID", code: 1, err: "that is not stopped: running"},
		{args: shim + "kill ID 0"},
		{args: shim + "kill ID 9", then: status("stopped")},
		{args: shim + "kill ID 9", code: 1, err: "container not running"},
		{args: shim + "kill --all ID 9"},
		{args: shim + "resume ID", code: 1, err: "not paused"},
		{args: shim + "delete ID"},
		{args: shim + "delete --force ID"},
		{args: shim + "delete ID", code: 1, err: "does not exist"},
		{args: shim + "kill ID 9", code: 1, err: "does not exist"},
		{args: shim + "pause ID", code: 1, err: "does not exist"},
	}},
	{"docker", []call{
		{args: shim + "create --bundle BUNDLE --pid-file BUNDLE/init.pid ID"},
		{args: shim + "start ID"},
		{args: shim + "update --resources - ID", stdin: `{"memory":{"limit":` + kilo128 + `}}`, then: memory(kilo128)},
		// docker update --restart no: zeroes, and they mean nothing.
		{args: shim + "update --resources - ID", then: memory(kilo128),
			stdin: `{"memory":{"limit":0,"reservation":0,"kernel":0},"cpu":{"shares":0,"quota":0,"period":0},"blockIO":{"weight":0}}`},
		// docker kill of a paused container, and the resume that comes too late.
		{args: shim + "pause ID"},
		{args: shim + "kill ID 9", then: status("stopped")},
		{args: shim + "delete ID"},
		{args: shim + "delete --force ID"},
	}},
	{"podman", []call{
		{args: conmon + "create --bundle BUNDLE --pid-file DIR/pidfile ID", then: pidFile("DIR/pidfile", "created")},
		{args: "start ID", bare: true, then: status("running")},
		{args: conmon + "exec --pid-file DIR/exec_pid --process DIR/sleep.json --detach ID", then: pids(2)},
		{args: "--log-format=json --log DIR/exec-log exec --pid-file DIR/no_pid --process DIR/missing.json --detach ID", code: 255,
			err: "executable file not found in $PATH", then: oneObject("DIR/exec-log")},
		{args: "pause ID", bare: true, then: status("paused")},
		{args: "resume ID", bare: true, then: status("running")},
		{args: "update --resources=DIR/resources.json ID", bare: true, then: stillWrites},
		{args: "kill ID 15", bare: true},
		{args: "kill ID 9", bare: true, then: status("stopped")},
		{args: "delete --force ID", bare: true},
		{args: "delete --force ID", bare: true},
		{args: "state ID", bare: true, code: 1, err: "does not exist"},
		{args: conmon + "create --bundle DIR/missing --pid-file DIR/pidfile ID", code: 1,
			err: `exec: "nosuchprogram": executable file not found in $PATH`, then: oneObject("DIR/oci-log")},
		{args: "delete --force ID", bare: true},
	}},
	{"cri-o", []call{
		{args: "--root=ROOT create --bundle BUNDLE --pid-file DIR/pidfile ID"},
		{args: "--root=ROOT start ID"},
		{args: "--root=ROOT exec --process DIR/true.json ID"},
		{args: "--root=ROOT update --resources - ID", stdin: `{"memory":{"limit":` + kilo128 + `}}`, then: memory(kilo128)},
		{args: "--root=ROOT kill ID WINCH"},
		{args: "--root=ROOT kill ID SIGKILL", then: status("stopped")},
		{args: "--root=ROOT kill ID KILL", code: 1, err: "container not running"},
		{args: "--root=ROOT delete --force ID"},
	}},
}

func TestRecordedCalls(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			s := newSession(t, strings.Contains(e.calls[0].args, "ROOT"))
			for i, c := range e.calls {
				s.place = fmt.Sprintf("call %d: %s", i, c.args)
				s.replay(c)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// session is a container and what the calls left so far.
type session struct {
	*testing.T
	*harness.Bundle
	place string
	root  string
	names *strings.Replacer
}

// newSession prepares the files that engines hand over. Without ownRoot the runtime picks its
// --root itself.
func newSession(t *testing.T, ownRoot bool) *session {
	b := harness.NewBundle(t).Args("sh", "-c", "trap : TERM; while :; do sleep 0.05; done")
	b.File("/plain", "no program\n", 0o644)
	b.Spec.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}}
	b.Save()
	s := &session{T: t, Bundle: b, root: b.Root}
	if !ownRoot {
		s.root = "/run/" + filepath.Base(harness.Path())
		t.Cleanup(func() { s.run(call{args: "delete --force ID"}) })
	}
	dir := harness.TempDir(t)
	s.names = strings.NewReplacer("ROOT", s.root, "BUNDLE", b.Dir, "DIR", dir, "ID", b.ID)

	for name, args := range map[string][]string{
		"sleep": {"sleep", "1000"}, "true": {"true"}, "missing": {"nosuchprogram"}, "plain": {"/plain"},
	} {
		p := *b.Spec.Process
		p.Args = args
		s.write("DIR/"+name+".json", p)
	}
	s.write("DIR/resources.json", json.RawMessage(
		`{"devices":[{"allow":false,"access":"rwm"}],"memory":{"limit":`+kilo128+`,"swap":`+kilo128+`},"pids":{"limit":50}}`))
	spec := *b.Spec
	spec.Root = &specs.Root{Path: b.Rootfs}
	spec.Process = new(specs.Process)
	*spec.Process = *b.Spec.Process
	spec.Process.Args = []string{"nosuchprogram"}
	s.write("DIR/missing/config.json", spec)
	return s
}

func (s *session) write(name string, v any) {
	s.Helper()
	name = s.names.Replace(name)
	data, err := json.Marshal(v)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o755)
	}
	if err == nil {
		err = os.WriteFile(name, data, 0o600)
	}
	if err != nil {
		s.Fatal(err)
	}
}

func (s *session) run(c call) harness.Result {
	args := strings.Fields(c.args)
	for i := range args {
		args[i] = s.names.Replace(args[i])
	}
	cmd := exec.CommandContext(s.Context(), harness.Path(), args...)
	if s.Context().Err() != nil { // a clean-up
		cmd = exec.Command(harness.Path(), args...)
	}
	cmd.Dir = s.Dir
	cmd.WaitDelay = 2 * time.Second
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	if c.bare {
		cmd.Env = []string{"XDG_RUNTIME_DIR="}
	}
	return s.RunCmd(cmd)
}

// replay makes a call and checks what every call promises: exit code, streams and log.
func (s *session) replay(c call) {
	s.Helper()
	res := s.run(c)
	if res.Code != c.code {
		s.Fatalf("%s: exit %d, not %d: %s", s.place, res.Code, c.code, res.Stderr)
	}
	if res.Stdout != "" {
		s.Errorf("%s: prints %q", s.place, res.Stdout)
	}
	switch {
	case c.code == 0 && res.Stderr != "":
		s.Errorf("%s: prints %q to stderr", s.place, res.Stderr)
	case !strings.Contains(res.Message(), c.err):
		s.Errorf("%s: message %q has no %q", s.place, res.Message(), c.err)
	}
	if _, rest, ok := strings.Cut(c.args, "--log "); ok {
		name, _, _ := strings.Cut(rest, " ")
		s.log(s.names.Replace(name), c.code != 0, c.err)
	}
	if c.then != nil {
		c.then(s)
	}
}

// log checks the --log file: there after every call, JSON throughout, and the last error is that of
// the failed call.
func (s *session) log(name string, failed bool, want string) {
	s.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		s.Fatalf("%s: no log: %v", s.place, err)
	}
	last := ""
	for line := range strings.Lines(string(data)) {
		var entry struct {
			Level, Msg string
			Time       time.Time
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Time.IsZero() {
			s.Fatalf("%s: log line %q: %v", s.place, line, err)
		}
		if entry.Level == "error" {
			last = entry.Msg
		}
	}
	if failed && !strings.Contains(last, want) {
		s.Errorf("%s: the log's last error %q has no %q", s.place, last, want)
	}
}

// state asks as podman 4 and CRI-O do.
func (s *session) state() harness.State {
	s.Helper()
	res := s.run(call{args: "--root ROOT state ID"})
	var st harness.State
	if err := json.Unmarshal([]byte(res.Stdout), &st); err != nil || res.Code != 0 || res.Stderr != "" || st.Created.IsZero() {
		s.Fatalf("%s: state: exit %d, %v: %s%s", s.place, res.Code, err, res.Stdout, res.Stderr)
	}
	return st
}

func status(want specs.ContainerState) func(*session) {
	return func(s *session) {
		s.Helper()
		harness.Eventually(s.T, string(want), func() bool { return s.state().Status == want })
		if pid := s.state().Pid; (pid == 0) != (want == specs.StateStopped) {
			s.Errorf("%s: pid %d of a container that is %s", s.place, pid, want)
		}
	}
}

// pidFile wants the bare number that the state has.
func pidFile(name string, want specs.ContainerState) func(*session) {
	return func(s *session) {
		s.Helper()
		status(want)(s)
		data, err := os.ReadFile(s.names.Replace(name))
		if err != nil {
			s.Fatal(err)
		}
		if pid, err := strconv.Atoi(string(data)); err != nil || pid != s.state().Pid {
			s.Errorf("%s: pid file %q, state has %d", s.place, data, s.state().Pid)
		}
	}
}

// pids wants at least that many in ps, the program's among them.
func pids(least int) func(*session) {
	return func(s *session) {
		s.Helper()
		res := s.run(call{args: "--root ROOT ps --format json ID"})
		var list []int
		if err := json.Unmarshal([]byte(res.Stdout), &list); err != nil || len(list) < least {
			s.Errorf("%s: ps: %v: %q", s.place, err, res.Stdout)
		}
	}
}

func memory(want string) func(*session) {
	return func(s *session) {
		s.Helper()
		for _, dir := range s.CgroupDirs() {
			for _, file := range []string{"memory.limit_in_bytes", "memory.max"} {
				data, err := os.ReadFile(filepath.Join(dir, file))
				if err == nil {
					if got := strings.TrimSpace(string(data)); got != want {
						s.Errorf("%s: %s is %s, not %s", s.place, file, got, want)
					}
					return
				}
			}
		}
		s.Logf("%s: no memory controller here", s.place)
	}
}

// stillWrites: podman sends a deny-all device rule with every update.
func stillWrites(s *session) {
	s.Helper()
	memory(kilo128)(s)
	res := s.run(call{args: "--root ROOT exec ID sh -c echo>/dev/null"})
	if res.Code != 0 {
		s.Errorf("%s: /dev/null after the update: %s", s.place, res.Stderr)
	}
}

// oneObject: podman decodes the whole file as one value.
func oneObject(name string) func(*session) {
	return func(s *session) {
		s.Helper()
		data, err := os.ReadFile(s.names.Replace(name))
		if err != nil {
			s.Fatal(err)
		}
		// The calls that went well have written nothing.
		var entry map[string]string
		if err := json.Unmarshal(data, &entry); err != nil {
			s.Errorf("%s: %v in %q", s.place, err, data)
		}
	}
}

// dockerd takes the lines apart; CRI-O throws features away when anything but JSON is on either
// stream, and asks in an empty environment.
func TestQuestions(t *testing.T) {
	r := harness.NewRuntime(t)
	ask := func(args ...string) harness.Result {
		cmd := exec.Command(harness.Path(), args...)
		cmd.Env = []string{}
		res := r.RunCmd(cmd)
		if res.Code != 0 || res.Stderr != "" {
			t.Errorf("%v: exit %d: %s", args, res.Code, res.Stderr)
		}
		return res
	}

	version := ask("--version").Stdout
	first, rest, _ := strings.Cut(version, "\n")
	if !strings.Contains(first, " version ") || !strings.Contains("\n"+rest, "\nspec: ") {
		t.Errorf("--version: %q", version)
	}

	var f struct {
		OCIVersionMin, OCIVersionMax string
		MountOptions                 []string
		Linux                        struct {
			Namespaces      []string
			MountExtensions struct{ IDMap struct{ Enabled bool } }
		}
	}
	if err := json.Unmarshal([]byte(ask("features").Stdout), &f); err != nil {
		t.Fatal(err)
	}
	if f.OCIVersionMin == "" || f.OCIVersionMax == "" {
		t.Error("CRI-O ignores features without ociVersionMin and ociVersionMax")
	}
	if !slices.Contains(f.MountOptions, "rro") {
		t.Error("without rro engines make no recursively read-only mounts")
	}
	if !slices.Contains(f.Linux.Namespaces, "user") || !f.Linux.MountExtensions.IDMap.Enabled {
		t.Error("without user and idmap there are no pods with user namespaces")
	}

	if err := os.MkdirAll(r.Root, 0o700); err != nil {
		t.Fatal(err)
	}
	if list := strings.TrimSpace(r.Must("list", "--format", "json")); list != "null" && list != "[]" {
		t.Errorf("list of nothing: %q", list)
	}
}

// A terminal arrives before create ends: the shim accepts only then, and its buffer holds one
// descriptor.
func TestConsoleBeforeCreateEnds(t *testing.T) {
	b := harness.NewBundle(t).Args("sleep", "1000").Edit(func(s *specs.Spec) { s.Process.Terminal = true })
	socket := harness.NewSocket(t)
	b.Create("--pid-file", filepath.Join(b.Dir, "init.pid"), "--console-socket", socket.Path)
	name, master := socket.Receive()
	defer master.Close()
	if name == "" || len(name) >= 4096 {
		t.Errorf("the terminal's name is %q", name)
	}
	b.Kill()
	b.Delete()
}
