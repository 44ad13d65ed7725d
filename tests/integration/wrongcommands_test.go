package integration

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// wrongCommands are mistakes on the command line, beside a running container {ID} with a bundle
// in {DIR}, and what the error has to say.
var wrongCommands = []struct{ args, want string }{
	{"strat {ID}", `unknown command "strat": did you mean "start"?`},
	{"stop {ID}", `unknown command "stop"`},
	{"list --root /x", "-root: it goes in front of the command: ociruntime --root VALUE list"},
	{"run --bundel {DIR} x", "-bundel: did you mean --bundle?"},
	{"create --bundle {DIR} {ID}", "container with given ID already exists: {ID}"},
	{"create --bundle {DIR} a/b", "'/': allowed are _ + - . digits and letters from a to z"},
	{"create --bundle {DIR} bücher", "'ü': allowed are _ + - . digits and letters"},
	{"create --bundle /nosuch x", `there is no config.json in /nosuch ("ociruntime spec" writes one)`},
	{"state nosuch", "container does not exist: there is no nosuch in {ROOT}"},
	{"start {ID}", "cannot start an already running container"},
	{"delete {ID}", "cannot delete container {ID} that is not stopped: running"},
	{"resume {ID}", "container not paused"},
	{"kill {ID} CHEESE", `unknown signal "CHEESE"`},
	{"kill {ID} 99", `unknown signal "99": their numbers are 1 to 64`},
	{"kill {ID} -9", "-9: a signal stands behind the ID, and without a dash: ociruntime kill ID 9"},
	{"kill {ID} trem", `unknown signal "trem": did you mean "TERM"?`},
	{"start", `"start" requires exactly 1 argument(s): ID, and there is none`},
	{"delete {ID} x", `"delete" requires exactly 1 argument(s): ID, not "{ID}" "x"`},
	{"exec {ID} nosuch", `exec: "nosuch": executable file not found in $PATH`},
	{"exec {ID}", "a COMMAND or --process is needed"},
	{"exec --cap CHEESE {ID} true", `--cap "CHEESE": unknown capability`},
	{"exec --cap sys_admn {ID} true", `--cap "sys_admn": unknown capability: did you mean "CAP_SYS_ADMIN"?`},
	{"exec --user root {ID} true", `--user: "root" is not UID[:GID]`},
	{"exec --env A {ID} true", `--env "A": not NAME=VALUE`},
	{"exec --cwd tmp {ID} true", "process.cwd: must be an absolute path"},
	{"exec --process /nosuch {ID}", "--process: there is no file /nosuch"},
	{"exec -d -t {ID} true", "--tty: a terminal that is left behind needs somebody to serve it: give a --console-socket"},
	{"exec -d -t --console-socket {DIR} {ID} true", "--console-socket: connect to {DIR}: connection refused (it is no socket)"},
	{"exec --pid-file {DIR} {ID} true", "--pid-file: {DIR} is a directory"},
	{"exec --pid-file /nosuch/p {ID} true", "--pid-file: there is no directory /nosuch for it"},
	{"--root {DIR}/config.json list", "--root: {DIR}/config.json has to be a directory"},
	// Not in a place where another runtime could make the directory.
	{"spec --bundle /proc/nosuch", "--bundle: write config.json into the directory: open /proc/nosuch/config.json"},
	{"list --format xml", `--format: invalid format option "xml": it is table or json`},
	{"update --memory 1x {ID}", `--memory "1x": not a size as in 4096, 100m or 1.5g, nor -1`},
	{"update --pids-limit many {ID}", `--pids-limit "many": not a whole number in range`},
	{"update --resources /nosuch {ID}", "--resources: open /nosuch"},
	{"--log journald:x list", "--log: journald:x is not supported"},
	{"--log syslog:x list", "--log: syslog:x is not supported"},
	{"--log-format xml list", "invalid log-format: xml (it is text or json)"},
	{"--cgroup-manager docker list", `"docker" is none of cgroupfs, systemd, disabled`},
	{"--rootless maybe list", `"maybe" is none of true, false, auto`},
	{"spec --bundle {DIR}", "File config.json exists. Remove it first"},
	{"ps --format xml {ID}", `--format: invalid format option "xml": it is table or json`},
}

func TestWrongInputsCommands(t *testing.T) {
	b := sleeper(t).Start()
	fill := strings.NewReplacer("{ID}", b.ID, "{DIR}", b.Dir, "{ROOT}", b.Root)
	for _, c := range wrongCommands {
		t.Run(c.args, func(t *testing.T) {
			res := b.Runtime.Run(strings.Fields(fill.Replace(c.args))...)
			t.Logf("exit %d: %s", res.Code, res.Message())
			if want := fill.Replace(c.want); harness.Peer() == "" && (res.Code == 0 || !strings.Contains(res.Message(), want)) {
				t.Errorf("not said: %s", want)
			}
		})
	}
}

func TestRunWithoutProcess(t *testing.T) {
	t.Parallel()
	ours(t, "has words of its own")
	b := harness.NewBundle(t).Edit(func(s *specs.Spec) { s.Process = nil })
	if res := b.Run(); res.Code != 1 || !strings.Contains(res.Message(), "run failed: process: must be set: there is nothing to run") {
		t.Errorf("%+v", res)
	}
}

// A user who asks for ids that nobody has granted is told where that is done.
func TestRootlessWithIDsOfOthers(t *testing.T) {
	t.Parallel()
	ours(t, "has words of its own")
	b := harness.NewUser(t).Rootless(t, true).Args("true")
	b.Spec.Linux.UIDMappings = slices.Clone(b.Spec.Linux.UIDMappings)
	b.Spec.Linux.UIDMappings[1].HostID = 5000000
	if res := b.Run(); res.Code != 1 || !strings.Contains(res.Message(), "it allows what /etc/subuid grants this user, a line of it is USER:FIRST-ID:COUNT") {
		t.Errorf("%+v", res)
	}
}

// In a plain chroot / is no mount point.
func TestInAPlainChroot(t *testing.T) {
	t.Parallel()
	ours(t, "has words of its own")
	root := filepath.Join(harness.TempDir(t), "root")
	harness.Busybox(t, root)
	if err := harness.CopyFile(harness.Path(), filepath.Join(root, "bin/ociruntime"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := `mount -t proc proc "$0/proc"; mount --rbind /sys "$0/sys"; mount --rbind /dev "$0/dev"; mount -t tmpfs x "$0/tmp"
		exec chroot "$0" /bin/sh -c 'cd /tmp; ln -s / rootfs; ociruntime spec --no-terminal --arg true
			ociruntime --root /tmp/root --cgroup-manager disabled run x'`
	out, err := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, root).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in a plain chroot it is none: mount --bind DIR DIR before chroot DIR makes it one") {
		t.Errorf("%v: %s", err, out)
	}
}

// What is asked for by hand and can't be had is told on standard error, warnings of files are not.
func TestExecTellsOfMissingCapabilities(t *testing.T) {
	t.Parallel()
	ours(t, "says nothing")
	b := sleeper(t).Start()
	cmd := b.Cmd("exec", "--cap", "SYS_BOOT", b.ID, "true")
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("setpriv is not installed")
	}
	cmd.Args = slices.Concat([]string{"setpriv", "--bounding-set", "-sys_boot", "--", cmd.Path}, cmd.Args[1:])
	cmd.Path = setpriv
	res := b.RunCmd(cmd)
	if res.Code != 0 || !strings.Contains(res.Stderr, "this host can't give CAP_SYS_BOOT") {
		t.Errorf("%+v", res)
	}
}

func TestUpdateTellsOfLimitsWithoutEffect(t *testing.T) {
	t.Parallel()
	ours(t, "says nothing")
	b := sleeper(t).Start()
	log := filepath.Join(t.TempDir(), "log")
	b.Must("--log", log, "update", "--kernel-memory", "64m", b.ID)
	contains(t, readFile(t, log), "--kernel-memory: without effect")
}

// Annotations of crun's that change nothing here are told of, and those that do are not.
func TestAnnotationsWithoutEffect(t *testing.T) {
	t.Parallel()
	ours(t, "says nothing")
	log := filepath.Join(harness.TempDir(t), "log")
	b := sleeper(t).Edit(func(s *specs.Spec) {
		s.Annotations = map[string]string{
			"run.oci.mount_context_type": "x", "run.oci.cheese": "/x", "org.criu.config": "/x", "run.oci.keep_original_groups": "1", "org.example": "x",
		}
	})
	b.Flags = append(b.Flags, "--log", log)
	b.Start()
	said := readFile(t, log)
	contains(t, said, `annotations[\"run.oci.mount_context_type\"]: ignored`, `annotations[\"run.oci.cheese\"]: ignored`)
	if strings.Count(said, "\n") != 2 {
		t.Errorf("log: %s", said)
	}
	features := b.Must("features")
	if !strings.Contains(features, "org.criu.config") || strings.Contains(features, `"run.oci."`) || !strings.Contains(features, "run.oci.keep_original_groups") {
		t.Errorf("features: %s", features)
	}
}

// A container that ends while exec is on its way is the reason, whatever has failed for it.
func TestExecIntoContainerThatEnds(t *testing.T) {
	t.Parallel()
	ours(t, "has words of its own")
	b := sleeper(t).Start()
	init := b.Pid()
	cmd := faulty(t, b.Cmd("exec", b.ID, "true"), fault{calls: "setns", what: "delay_enter=3000000"})
	ended := make(chan harness.Result, 1)
	go func() { ended <- b.RunCmd(cmd) }()
	time.Sleep(harness.Patience(500 * time.Millisecond))
	if err := unix.Kill(init, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	res := <-ended
	if res.Code != 255 || !strings.Contains(res.Message(), "exec failed: cannot exec in a stopped container: it has just ended (") {
		t.Errorf("%+v", res)
	}
}

// A runtime that is told to quit does so without Go's dump of its goroutines.
func TestQuitWhileTheBundleIsRead(t *testing.T) {
	t.Parallel()
	ours(t, "has a runtime of its own")
	b := sleeper(t).Save()
	// config.json is a pipe, at which the command waits.
	config := filepath.Join(b.Dir, "config.json")
	if err := unix.Unlink(config); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(config, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"create", "run"} {
		cmd := b.Command(verb)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w, err := unix.Open(config, unix.O_WRONLY, 0) // waits for the reader
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(unix.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		unix.Close(w)
		_ = cmd.Wait()
		if strings.Contains(stderr.String(), "goroutine") {
			t.Errorf("%s: %s", verb, stderr.String())
		}
	}
}

func TestQuitOfEvents(t *testing.T) {
	t.Parallel()
	ours(t, "has a runtime of its own")
	b := sleeper(t).Start()
	cmd := b.Cmd("events", "--interval", "20ms", b.ID)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(unix.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	endsByQuit(t, cmd, &stderr)
}

// endsByQuit wants a command to have ended as SIGQUIT ends a program, without a word.
func endsByQuit(t *testing.T, cmd *exec.Cmd, stderr *strings.Builder) {
	t.Helper()
	_ = cmd.Wait()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != unix.SIGQUIT || stderr.String() != "" {
		t.Errorf("%s: %v: %s", cmd.Args[1:], cmd.ProcessState, stderr)
	}
}

// Commands that have nothing to undo are ended by SIGQUIT as any other program.
func TestQuitOfShortCommands(t *testing.T) {
	t.Parallel()
	ours(t, "has a runtime of its own")
	created, stopped := sleeper(t).Create(), sleeper(t).Start()
	stopped.Kill()
	for _, b := range []*harness.Bundle{created, stopped} {
		// Whoever changes the container holds its directory.
		fd, err := unix.Open(filepath.Join(b.Root, b.ID), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
	}
	update := created.Cmd("update", "--resources", "-", created.ID)
	in, err := update.StdinPipe() // open, so that there is more to come
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for _, cmd := range []*exec.Cmd{created.Cmd("start", created.ID), stopped.Cmd("delete", stopped.ID), update} {
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(harness.Patience(300 * time.Millisecond))
		if err := cmd.Process.Signal(unix.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		endsByQuit(t, cmd, &stderr)
	}
}
