package main

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/foreground"
)

func TestParseSignal(t *testing.T) {
	for word, want := range map[string]unix.Signal{
		"KILL": unix.SIGKILL, "SIGKILL": unix.SIGKILL, "kill": unix.SIGKILL, "sigTerm": unix.SIGTERM, "9": unix.SIGKILL, "0": 0,
		"64": 64, "WINCH": unix.SIGWINCH, "RTMIN": 34, "SIGRTMIN+3": 37, "rtmin+0": 34, "RTMAX": 64, "RTMAX-14": 50,
		"SIGRTMIN+30": 64,
	} {
		if got, err := parseSignal(word); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", word, got, err, want)
		}
	}
	const numbers = ": their numbers are 1 to 64"
	for word, hint := range map[string]string{
		"": "", "FOO": "", "SIG": "", "CHEESE": "", "RTMIN-1": "", "RTMIN+31": "", "RTMAX+1": "", "RTMIN+": "", "RTMINX": "", "9x": "",
		"-1": numbers, "65": numbers, "4294967305": numbers, "9223372036854775807": numbers,
		"KILL ": `: did you mean "KILL"?`, "sigtrem": `: did you mean "TERM"?`,
	} {
		if got, err := parseSignal(word); errorText(err) != `unknown signal "`+word+`"`+hint {
			t.Errorf("%q: %d, %v", word, got, err)
		}
	}
}

const psTable = `UID          PID    PPID CMD
root           1       0 init
root          10       1 sh -c echo 11
nobody        11      10 sleep 10
root         111       1 sleep

`

func TestFilterTable(t *testing.T) {
	got, err := filterTable(psTable, []int{10, 11, 12})
	want := "UID          PID    PPID CMD\nroot          10       1 sh -c echo 11\nnobody        11      10 sleep 10\n"
	if err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := filterTable(psTable, nil); err != nil || strings.Count(got, "\n") != 1 {
		t.Errorf("without processes: %q, %v", got, err)
	}
	if got, err := filterTable("  TID CMD\n 1 init\n", []int{1}); err == nil {
		t.Errorf("without a PID column: %q", got)
	}
}

func TestPsJSON(t *testing.T) {
	for want, pids := range map[string][]int{"null\n": nil, "[1]\n": {1}, "[1,22]\n": {1, 22}} {
		if got, err := psText(pids, "json", nil); err != nil || got != want {
			t.Errorf("%v: %q, %v", pids, got, err)
		}
	}
}

func TestListText(t *testing.T) {
	states := []*libcontainer.State{
		{
			Version: "1.3.0", ID: "one", Pid: 1234, Status: libcontainer.Running, Bundle: "/bundles/one", Rootfs: "/bundles/one/rootfs",
			Created: time.Date(2026, 11, 22, 1, 2, 3, 456789, time.UTC), Annotations: map[string]string{"a": "b"}, Owner: "root",
		},
		{
			Version: "1.3.0", ID: "a-longer-name", Status: libcontainer.Stopped, Bundle: "/b",
			Created: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Owner: "#4242",
		},
	}
	for format, want := range map[string]string{
		"table": "ID              PID         STATUS      BUNDLE         CREATED         OWNER\n" +
			"one             1234        running     /bundles/one   2 minutes ago   root\n" +
			"a-longer-name   0           stopped     /b             3 minutes ago   #4242\n",
		"json": `[{"ociVersion":"1.3.0","id":"one","pid":1234,"status":"running","bundle":"/bundles/one","rootfs":"/bundles/one/rootfs",` +
			`"created":"2026-11-22T01:02:03.000456789Z","annotations":{"a":"b"},"owner":"root"},` +
			`{"ociVersion":"1.3.0","id":"a-longer-name","pid":0,"status":"stopped","bundle":"/b","rootfs":"","created":"2026-11-22T01:02:03Z","owner":"#4242"}]` + "\n",
	} {
		got, err := listText(states, format, states[1].Created.Add(3*time.Minute))
		if err != nil || strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: %v\n%swant:\n%s", format, err, got, want)
		}
	}
}

func TestListenFDs(t *testing.T) {
	for _, c := range []struct {
		fds, pid string
		want     int
	}{
		{"2", "77", 2}, {"2", "78", 0}, {"2", "", 0}, {"", "77", 0}, {"x", "77", 0}, {"-1", "77", 0}, {"0", "77", 0}, {"2000000000", "77", 0},
	} {
		env := map[string]string{"LISTEN_FDS": c.fds, "LISTEN_PID": c.pid}
		if got := listenFDs(func(k string) string { return env[k] }, 77); got != c.want {
			t.Errorf("LISTEN_FDS=%s LISTEN_PID=%s: %d, want %d", c.fds, c.pid, got, c.want)
		}
	}
}

// No number of descriptors is too great to be refused.
func TestPreservedNumbers(t *testing.T) {
	for _, c := range []struct {
		listen, more, inherited int
		err                     string
	}{
		{1, math.MaxInt, 1, "--preserve-fds: descriptor 4: bad file descriptor"},
		{1, math.MaxInt, 0, "$LISTEN_FDS: descriptor 3: bad file descriptor"},
		{0, math.MaxInt, 2, "--preserve-fds: descriptor 5: bad file descriptor"},
		{2, 1, 2, "--preserve-fds: descriptor 5: bad file descriptor"},
	} {
		files, err := preserved(c.listen, c.more, c.inherited)
		if errorText(err) != c.err || files != nil {
			t.Errorf("%+v: %v, %v", c, files, err)
		}
	}
}

func TestStreamsCheckTheTerminal(t *testing.T) {
	for _, c := range []struct {
		socket               string
		terminal, foreground bool
		ok                   bool
	}{
		{"", false, false, true}, {"", false, true, true}, {"", true, true, true}, {"/s", true, false, true},
		{"", true, false, false}, {"/s", false, false, false}, {"/s", false, true, false}, {"/s", true, true, false},
	} {
		s := streams{consoleSocket: c.socket}
		if _, err := s.open(c.terminal, c.foreground, 0); (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "console") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestStreamsMakePathsAbsolute(t *testing.T) {
	t.Chdir("/usr")
	s := streams{consoleSocket: "c", pidfdSocket: "/run/p", pidFile: "../pid"}
	got, err := s.open(true, false, 0)
	if err != nil || got.consoleSocket != "/usr/c" || got.pidfdSocket != "/run/p" || got.pidFile != "/pid" || got.trace != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// ownProcess is the process of a container's config.json.
func ownProcess() *specs.Process {
	return &specs.Process{
		Args: []string{"init"}, Env: []string{"A=1"}, Cwd: "/srv", Terminal: true, NoNewPrivileges: true,
		User:         specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7}},
		Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}, Inheritable: []string{"CAP_CHOWN"}},
		SelinuxLabel: "label", ApparmorProfile: "profile", Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE"}},
	}
}

func merged(t *testing.T, own *specs.Process, flags ...string) *specs.Process {
	t.Helper()
	var x execFlags
	var p *specs.Process
	err := parse(append(flags, "id", "ls", "-l"), x.flags(), "ID COMMAND [ARGUMENT...]", func(args []string) (err error) {
		p, err = x.merge(own, args[1:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExecKeepsTheContainersProcess(t *testing.T) {
	p := merged(t, ownProcess())
	if !slices.Equal(p.Args, []string{"ls", "-l"}) || p.Terminal {
		t.Errorf("args %v, terminal %v", p.Args, p.Terminal)
	}
	if p.Cwd != "/srv" || !p.NoNewPrivileges || p.User.UID != 5 || p.User.GID != 6 || !slices.Equal(p.User.AdditionalGids, []uint32{7}) ||
		!slices.Equal(p.Env, []string{"A=1"}) || p.SelinuxLabel != "label" || p.ApparmorProfile != "profile" || len(p.Rlimits) != 1 {
		t.Errorf("%+v", p)
	}
}

func TestExecFlagsChangeTheProcess(t *testing.T) {
	own := ownProcess()
	p := merged(t, own, "--cwd=/tmp", "-t", "-e", "B=2", "--env", "A=3", "-u", "8:9", "-g", "10", "--additional-gids=11", "--no-new-privs=false",
		"--process-label", "other", "--apparmor=another", "-c", "net_raw", "--cap", "CAP_CHOWN", "--cap", "CAP_KILL")
	if p.Cwd != "/tmp" || !p.Terminal || p.NoNewPrivileges || p.User.UID != 8 || p.User.GID != 9 || !slices.Equal(p.User.AdditionalGids, []uint32{7, 10, 11}) ||
		!slices.Equal(p.Env, []string{"A=1", "B=2", "A=3"}) || p.SelinuxLabel != "other" || p.ApparmorProfile != "another" {
		t.Errorf("%+v", p)
	}
	c := p.Capabilities
	if !slices.Equal(c.Bounding, []string{"CAP_KILL", "CAP_NET_RAW", "CAP_CHOWN"}) || !slices.Equal(c.Effective, []string{"CAP_NET_RAW", "CAP_CHOWN", "CAP_KILL"}) ||
		!slices.Equal(c.Permitted, c.Effective) || !slices.Equal(c.Inheritable, []string{"CAP_CHOWN"}) || !slices.Equal(c.Ambient, []string{"CAP_CHOWN"}) {
		t.Errorf("capabilities %+v", c)
	}
	if len(own.Capabilities.Bounding) != 1 || len(own.Env) != 1 || own.User.UID != 5 {
		t.Errorf("the container's own process has changed: %+v", own)
	}
	if p := merged(t, own, "--user", "8"); p.User.UID != 8 || p.User.GID != 6 {
		t.Errorf("user without a group: %+v", p.User)
	}
}

// A container may have been created without a process.
func TestExecWithoutAProcessToStartFrom(t *testing.T) {
	p := merged(t, nil, "--cap", "CAP_KILL")
	if p.Cwd != "/" || !slices.Equal(p.Args, []string{"ls", "-l"}) || !slices.Equal(p.Capabilities.Effective, []string{"CAP_KILL"}) {
		t.Errorf("%+v", p)
	}
}

func TestExecRefusesWrongUsers(t *testing.T) {
	for _, user := range []string{"x", "1:x", "-1", "1:2:3", "4294967296", "4294967295", "1x", ":1", "1:", ":", " 1", "0x1", "+1"} {
		x := execFlags{user: user}
		if p, err := x.merge(ownProcess(), []string{"ls"}); err == nil || !strings.HasPrefix(err.Error(), "--user: ") {
			t.Errorf("--user %q: %+v, %v", user, p, err)
		}
	}
	var x execFlags
	if err := parse([]string{"-g", "1,2"}, x.flags(), "", func([]string) error { return nil }); err == nil {
		t.Errorf("-g 1,2: %v", x.gids)
	}
	if _, err := (&execFlags{}).merge(ownProcess(), nil); err == nil {
		t.Error("neither a command nor --process")
	}
}

func TestExitCode(t *testing.T) {
	for status, want := range map[unix.WaitStatus]int{0: 0, 7 << 8: 7, 255 << 8: 255, 9: 137, 15: 143, 11 | 0x80: 139} {
		if got := foreground.ExitCode(status); got != want {
			t.Errorf("status %#x: %d, want %d", status, got, want)
		}
	}
}
