package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/internal/version"
)

var update = flag.Bool("update", false, "write the golden files")

// asProgram makes the test binary the program itself.
const asProgram = "OCIRUNTIME_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

type result struct {
	stdout, stderr string
	code           int
}

// program runs the program in a directory of its own, with files as its descriptors from 3 on.
func program(t *testing.T, files []*os.File, args ...string) result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(self, args...)
	cmd.Env = []string{asProgram + "=1", "XDG_RUNTIME_DIR="}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &stdout, &stderr, files
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestStreamsAndExitCodes(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	empty := t.TempDir()
	for _, c := range []struct {
		args   string
		code   int
		stdout string // beginning of
		msg    string // the error, whole
	}{
		{"", 0, "NAME:\n   ociruntime - run containers", ""},
		{"--help", 0, "NAME:\n   ociruntime - run containers", ""},
		{"-h", 0, "NAME:\n   ociruntime - run containers", ""},
		{"help", 0, "NAME:\n   ociruntime - run containers", ""},
		{"h", 0, "NAME:\n   ociruntime - run containers", ""},
		{"help kill", 0, "NAME:\n   ociruntime kill - send a signal", ""},
		{"kill --help", 0, "NAME:\n   ociruntime kill - send a signal", ""},
		{"kill x -h", 0, "NAME:\n   ociruntime kill - send a signal", ""},
		{"--version", 0, "ociruntime version ", ""},
		{"-v", 0, "ociruntime version ", ""},
		{"--criu /x --debug=false --rootless true --systemd-cgroup --cgroup-manager disabled delete --force none", 0, "", ""},

		{"cheese", 3, "", `unknown command "cheese": "ociruntime help" lists those that there are`},
		{"help cheese", 3, "", `unknown command "cheese": "ociruntime help" lists those that there are`},
		{"strat x", 3, "", `unknown command "strat": did you mean "start"?`},
		{"help exce", 3, "", `unknown command "exce": did you mean "exec"?`},
		{"list --root /x", 1, "Incorrect Usage: ", "flag provided but not defined: -root: it goes in front of the command: ociruntime --root VALUE list"},
		{"state x --debug", 1, "Incorrect Usage: ", "flag provided but not defined: -debug: it goes in front of the command: ociruntime --debug state"},
		{"--rot /x list", 1, "Incorrect Usage: ", "flag provided but not defined: -rot: did you mean --root?"},
		{"--console-socket /x run y", 1, "Incorrect Usage: ", "flag provided but not defined: -console-socket: it goes behind the command, which is one of create, run, exec, restore"},
		{"run --bundel /x y", 1, "Incorrect Usage: ", "flag provided but not defined: -bundel: did you mean --bundle?"},
		// By these two podman finds out what is supported.
		{"checkpoint --help", 0, "NAME:\n   ociruntime checkpoint - write", ""},
		{"restore --lsm-mount-context", 1, "Incorrect Usage: flag needs an argument: -lsm-mount-context", "flag needs an argument: -lsm-mount-context"},
		{"--cheese", 1, "Incorrect Usage: flag provided but not defined: -cheese\n\nNAME:\n   ociruntime - run", "flag provided but not defined: -cheese"},
		{"state -cheese x", 1, "Incorrect Usage: flag provided but not defined: -cheese\n\nNAME:\n   ociruntime state", "flag provided but not defined: -cheese"},
		{"create --bundle", 1, "Incorrect Usage: flag needs an argument: -bundle\n\nNAME:", "flag needs an argument: -bundle"},
		{"--log", 1, "Incorrect Usage: flag needs an argument", "flag needs an argument: -log"},
		{"state", 1, "Incorrect Usage: ", `ociruntime: "state" requires exactly 1 argument(s): ID, and there is none`},
		{"kill x -9", 1, "Incorrect Usage: ", "flag provided but not defined: -9: a signal stands behind the ID, and without a dash: ociruntime kill ID 9"},
		{"exec", 1, "Incorrect Usage: ", `ociruntime: "exec" requires a minimum of 1 argument(s): ID COMMAND [ARGUMENT...], and there is none`},
		{"--root / list", 1, "", `--root "/": containers need a directory of their own`},
		{"--log-format xml list", 1, "", "invalid log-format: xml (it is text or json)"},
		{"--rootless perhaps list", 1, "", `--rootless: "perhaps" is none of true, false, auto`},
		{"--cgroup-manager x list", 1, "", `--cgroup-manager: "x" is none of cgroupfs, systemd, disabled`},
		{"list --format xml", 1, "", `--format: invalid format option "xml": it is table or json`},

		{"state none", 1, "", "container does not exist: there is no none in ROOT"},
		{"state help", 1, "", "container does not exist: there is no help in ROOT"},
		{"kill h 9", 1, "", "container does not exist: there is no h in ROOT"},
		{"start none", 1, "", "container does not exist: there is no none in ROOT"},
		{"kill none CHEESE", 1, "", "container does not exist: there is no none in ROOT"},
		{"delete none", 1, "", "container does not exist: there is no none in ROOT"},
		{"delete none --force", 0, "", ""},
		{"pause none", 1, "", "container does not exist: there is no none in ROOT"},
		{"resume none", 1, "", "container does not exist: there is no none in ROOT"},
		{"ps none", 1, "", "container does not exist: there is no none in ROOT"},
		{"exec none true", 255, "", "exec failed: container does not exist: there is no none in ROOT"},
		{"create --bundle " + empty + " x", 1, "", "ociruntime create failed: --bundle: there is no config.json in " + empty + ` ("ociruntime spec" writes one)`},
		{"run --bundle " + empty + " x", 1, "", "ociruntime run failed: --bundle: there is no config.json in " + empty + ` ("ociruntime spec" writes one)`},
		{"checkpoint none", 1, "", "ociruntime checkpoint failed: container does not exist: there is no none in ROOT"},
		{"checkpoint --manage-cgroups-mode x --page-server y none", 1, "", `--page-server "y": not an address and a port, as 192.0.2.1:9999`},
		{"checkpoint --page-server h:0 none", 1, "", `--page-server "h:0": "0" is no port`},
		{"checkpoint --empty-ns user none", 1, "", `--empty-ns "user": only the network namespace can be left empty`},
		{"checkpoint --status-fd 77 none", 1, "", `--status-fd "77": not a descriptor that is open for writing`},
		{"restore --bundle " + empty + " x", 1, "", "ociruntime restore failed: --bundle: there is no config.json in " + empty + ` ("ociruntime spec" writes one)`},
	} {
		c.msg = strings.ReplaceAll(c.msg, "ROOT", root)
		args := append([]string{"--root", root}, strings.Fields(c.args)...)
		got := program(t, nil, args...)
		if got.code != c.code || !strings.HasPrefix(got.stdout, c.stdout) || c.stdout == "" && got.stdout != "" || message(t, got.stderr) != c.msg {
			t.Errorf("%s: exit %d, stdout %.80q, stderr %q", c.args, got.code, got.stdout, got.stderr)
		}
		if c.code != 0 {
			checkLogged(t, args, c.code, c.msg)
		}
	}
	if _, err := os.Stat(root); err == nil {
		t.Error("commands that failed have made the root directory")
	}
}

// message is the error on standard error, where it must be the only line.
func message(t *testing.T, stderr string) string {
	t.Helper()
	if stderr == "" {
		return ""
	}
	_, quoted, ok := strings.Cut(stderr, " level=error msg=")
	var msg string
	if err := json.Unmarshal([]byte(strings.TrimSuffix(quoted, "\n")), &msg); !ok || err != nil {
		t.Errorf("not a line of the log: %q", stderr)
	}
	return msg
}

// checkLogged runs a failing command once more, with a log: there the error is the only line, and
// on standard error it is plain.
func checkLogged(t *testing.T, args []string, code int, msg string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	got := program(t, nil, append([]string{"-log", log, "--log-format=json"}, args...)...)
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		Level, Msg string
		Time       time.Time
	}
	if strings.Contains(msg, "invalid log-format") {
		return
	}
	if err := json.Unmarshal(data, &line); err != nil || line.Level != "error" || line.Msg != msg || time.Since(line.Time).Abs() > time.Minute {
		t.Errorf("%q: log %s, %v", args, data, err)
	}
	if got.code != code || got.stderr != msg+"\n" {
		t.Errorf("%q with a log: exit %d, stderr %q", args, got.code, got.stderr)
	}
}

// The log is there whatever goes wrong, and wherever --log stands among wrong flags.
func TestLogIsMadeFirst(t *testing.T) {
	for _, args := range []string{
		"--log LOG state none", "--log LOG --cheese state none", "--cheese --log LOG state none", "--cheese value --log LOG state none",
		"--rootless --log LOG --log", "--log LOG", "--root / --log LOG state none", "--debug=perhaps --log LOG state none", "--log=LOG cheese", "-log LOG create --cheese x", "--log LOG delete --force none", "--log LOG --version",
	} {
		log := filepath.Join(t.TempDir(), "log")
		got := program(t, nil, strings.Fields(strings.ReplaceAll(args, "LOG", log))...)
		data, err := os.ReadFile(log)
		if err != nil && args != "--rootless --log LOG --log" {
			t.Errorf("%s: %v", args, err)
		}
		if err == nil && strings.Count(string(data), "\n") != min(got.code, 1) {
			t.Errorf("%s: exit %d, log %q", args, got.code, data)
		}
	}
	if got := program(t, nil, "--log", t.TempDir(), "list"); got.code != 1 || !strings.Contains(got.stderr, "--log: open ") {
		t.Errorf("a log that can't be opened: %+v", got)
	}
}

// No command is made for the version alone, but help lists them all.
func TestHelpBesideVersion(t *testing.T) {
	want := program(t, nil, "help").stdout
	for _, args := range [][]string{{"--version", "--help"}, {"-v", "--version=false"}, {"--version=0"}} {
		if got := program(t, nil, args...); got.code != 0 || got.stdout != want {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestVersionText(t *testing.T) {
	got := program(t, nil, "--version")
	lines := strings.Split(got.stdout, "\n")
	for i, prefix := range []string{"ociruntime version " + version.Release, "commit: ", "spec: " + specs.Version, "go: go1.", ""} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], prefix) {
			t.Fatalf("version: %q", got.stdout)
		}
	}
}

// Engines take the version apart (semver.org).
func TestVersionIsAVersion(t *testing.T) {
	version := regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
	fields := strings.Fields(program(t, nil, "--version").stdout)
	if !version.MatchString(fields[2]) {
		t.Errorf("version %q", fields[2])
	}
}

func TestFeaturesAreOneJSONObject(t *testing.T) {
	got := program(t, nil, "features")
	var doc struct{ OciVersionMin, OciVersionMax string }
	if err := json.Unmarshal([]byte(got.stdout+got.stderr), &doc); err != nil || got.code != 0 || doc.OciVersionMin == "" || doc.OciVersionMax == "" {
		t.Errorf("features: %v, %+v", err, got)
	}
	if !strings.HasPrefix(got.stdout, "{\n    \"ociVersionMin\"") {
		t.Errorf("features: %.60s", got.stdout)
	}
}

func TestSpecWritesOnce(t *testing.T) {
	dir := t.TempDir()
	if got := program(t, nil, "spec", "--bundle", dir); got != (result{}) {
		t.Fatalf("spec: %+v", got)
	}
	before, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil || !json.Valid(before) || !strings.Contains(string(before), "\n\t\"process\": {\n") {
		t.Fatalf("config.json: %v, %s", err, before)
	}
	got := program(t, nil, "spec", "--rootless", "-b", dir)
	if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "File config.json exists. Remove it first") {
		t.Errorf("second spec: %+v", got)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "config.json")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("second spec changed config.json: %v", err)
	}
}

func TestListWithoutContainers(t *testing.T) {
	root := t.TempDir()
	for args, want := range map[string]string{
		"list":                "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n",
		"list --format json":  "null\n",
		"list -q":             "",
		"list -f=json --q":    "",
		"list --format table": "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n",
	} {
		if got := program(t, nil, append([]string{"--root", root}, strings.Fields(args)...)...); got != (result{stdout: want}) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if got := program(t, nil, "--root", filepath.Join(root, "none"), "list"); got.code != 1 {
		t.Errorf("list of a given directory that isn't there: %+v", got)
	}
}

func TestPreservedDescriptors(t *testing.T) {
	dir := t.TempDir()
	config := fmt.Sprintf(`{"ociVersion": "1.0.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["x"]},
		"linux": {"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": %d, "size": 1}],
		"gidMappings": [{"containerID": 0, "hostID": %d, "size": 1}]}}`, os.Geteuid(), os.Getegid())
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for files, want := range []string{"descriptor 3: bad file descriptor", "descriptor 4: bad file descriptor"} {
		args := []string{"--root", filepath.Join(dir, "root"), "create", "--bundle", dir, "--preserve-fds", "2", "x"}
		got := program(t, []*os.File{null, null, null}[:files], args...)
		if got.code != 1 || !strings.Contains(got.stderr, "create failed: --preserve-fds: "+want) {
			t.Errorf("%d descriptors of 2: %+v", files, got)
		}
	}
}

// Every command's help is in testdata/help; "go test -update" writes it.
func TestHelpTexts(t *testing.T) {
	texts := map[string]string{name: program(t, nil, "help").stdout}
	all, _ := newApp(&app{}, nil)
	for _, c := range all.VisibleCommands() {
		texts[c.Name] = program(t, nil, "help", c.Name).stdout
	}
	for name, text := range texts {
		file := filepath.Join("testdata", "help", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		if text != string(want) {
			t.Errorf("help of %s:\n%s\nwant:\n%s", name, text, want)
		}
		for line := range strings.Lines(text) {
			if len(line) > 101 {
				t.Errorf("help of %s: a line of %d characters: %s", name, len(line), line)
			}
		}
	}
	files, err := os.ReadDir(filepath.Join("testdata", "help"))
	if err != nil || len(files) != len(texts) {
		t.Errorf("%d help texts, %d files, %v", len(texts), len(files), err)
	}
}
