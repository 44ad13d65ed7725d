package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// What the runtime does to itself for a fast start, containers and hooks must not notice: the limit
// of open files, the timer slack and the environment are the caller's.
func TestFastStartLeavesNoTrace(t *testing.T) {
	t.Parallel()
	const look = "cat /proc/self/timerslack_ns; ulimit -S -n; "
	b := harness.NewBundle(t).Sh(look)
	b.Spec.Process.Rlimits = nil
	outside, inside := hookLog(t, b)
	for _, kind := range hookKinds {
		// Without an environment of its own a hook gets the runtime's.
		addHook(b.Spec, kind, specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "{ " + look + "env; } >" + logOf(kind, outside, inside) + "." + kind}})
	}
	for _, environment := range [][]string{{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "MINE=1"}, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "GOMAXPROCS=7", "GOGC=50", "MINE=1"}} {
		runtime := b.Command("run")
		cmd := exec.Command("/bin/sh", append([]string{"-c", `echo 70000 >/proc/$$/timerslack_ns; ulimit -S -n 345; exec "$@"`, "sh"}, runtime.Args...)...)
		cmd.Env = environment
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil || string(out) != "70000\n345\n" {
			t.Errorf("timer slack and limit of open files in the container: %q %v", out, err)
		}
		for _, kind := range hookKinds {
			lines := strings.Split(strings.TrimSpace(readFile(t, outside+"."+kind)), "\n")
			if len(lines) < 2 || lines[0] != "70000" || lines[1] != "345" {
				t.Fatalf("timer slack and limit of open files of a %s hook: %q", kind, lines)
			}
			variables := slices.DeleteFunc(lines[2:], func(v string) bool {
				return strings.HasPrefix(v, "PWD=") || strings.HasPrefix(v, "SHLVL=") || strings.HasPrefix(v, "_=")
			})
			slices.Sort(variables)
			want := slices.Sorted(slices.Values(environment))
			if kind == "startContainer" {
				// as its program, for that is where it runs
				want = slices.Sorted(slices.Values(append(b.Spec.Process.Env, "HOME=/root")))
			}
			if !slices.Equal(variables, want) {
				t.Errorf("environment of a %s hook: %q, want %q", kind, variables, want)
			}
		}
	}
}

// The programs that the runtime starts for itself get its caller's environment and limit, too.
func TestHelpersGetTheCallersEnvironment(t *testing.T) {
	t.Parallel()
	dir := harness.TempDir(t)
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // for the unprivileged user
		t.Fatal(err)
	}
	helpers := []string{"ps", "newuidmap", "newgidmap"}
	for _, name := range helpers {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("no %s on this host (tests/install-deps)", name)
		}
		script := "#!/bin/sh\n{ echo limit $(ulimit -S -n); env; } >" + filepath.Join(dir, name+".log") + "\nexec " + real + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	run := func(cmd *exec.Cmd) {
		t.Helper()
		cmd.Args = append([]string{"/bin/sh", "-c", `ulimit -S -n 345; exec "$@"`, "sh"}, cmd.Args...)
		cmd.Path, cmd.Env = "/bin/sh", env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	run(harness.NewUser(t).Rootless(t, true).Args("true").Command("run"))
	b := harness.NewBundle(t).Args("sleep", "1000").Start()
	run(b.Cmd("ps", b.ID))
	for _, name := range helpers {
		log := readFile(t, filepath.Join(dir, name+".log"))
		contains(t, log, "limit 345\n")
		if strings.Contains(log, "GOMAXPROCS") {
			t.Errorf("environment of %s:\n%s", name, log)
		}
	}
}

// With a standard stream closed, Go's runtime opens another in its place, while nothing else can be
// opened.
func TestStartWithClosedStreams(t *testing.T) {
	t.Parallel()
	for _, script := range []string{`"$0" --version <&-`, `"$0" --version <&- 2>&-`, `ulimit -S -n 2; "$0" --version`} {
		out, err := exec.Command("/bin/sh", "-c", script, harness.Path()).Output()
		if err != nil || !strings.Contains(string(out), "spec: ") {
			t.Errorf("%s: %q %v", script, out, err)
		}
	}
}
