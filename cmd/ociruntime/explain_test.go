package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const filteredConfig = `{
	"ociVersion": "1.3.0",
	"process": {"user": {"uid": 0, "gid": 0}, "args": ["sh"], "cwd": "/"},
	"root": {"path": "rootfs"},
	"linux": {
		"namespaces": [{"type": "mount"}],
		"seccomp": {
			"defaultAction": "SCMP_ACT_ALLOW",
			"syscalls": [
				{"names": ["mount", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
				{"names": ["socket"], "action": "SCMP_ACT_KILL_PROCESS", "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}]}
			]
		}
	}
}`

func TestExplainSeccomp(t *testing.T) {
	bundle := t.TempDir()
	if err := os.Mkdir(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(config string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(bundle, "config.json"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filteredConfig)
	want := func(res result, words ...string) {
		t.Helper()
		for _, w := range words {
			if res.code != 0 || !strings.Contains(res.stdout, w) {
				t.Errorf("exit %d, %q is missing in:\n%s%s", res.code, w, res.stdout, res.stderr)
			}
		}
	}
	want(program(t, nil, "explain", "--bundle", bundle),
		"load the seccomp filter", "\nseccomp filter\n", "default: allow\n", "errno EPERM:\n  mount\n",
		"socket:\n    kill process if arg0 == 16\n", "unknown, skipped:\n  no_such_call\n")
	want(program(t, nil, "explain", "--seccomp", "--bundle", bundle), "ld arch\n", "\nsocket:\n", "ld arg0.low\n", "ret errno EPERM\n")
	if res := program(t, nil, "explain", "--brief", "--bundle", bundle); strings.Contains(res.stdout, "seccomp filter\n") {
		t.Errorf("--brief prints the filter:\n%s", res.stdout)
	}
	write(strings.Replace(filteredConfig, `"seccomp"`, `"x-seccomp"`, 1))
	if res := program(t, nil, "explain", "--seccomp", "--bundle", bundle); res.code == 0 || !strings.Contains(res.stderr, "linux.seccomp is not set") {
		t.Errorf("without a filter: exit %d, %s", res.code, res.stderr)
	}
}

// bundleDir makes a bundle with a configuration, with texts replaced.
func bundleDir(t *testing.T, dir string, replace ...string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer(replace...).Replace(filteredConfig)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestExplainDiff(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	bundleDir(t, "one")
	const namespaces = `"namespaces": [{"type": "mount"}`
	for _, tt := range []struct {
		name    string
		replace []string
		want    []string
	}{
		{"same", nil, []string{"\nthe same "}},
		{"namespace", []string{namespaces, namespaces + `, {"type": "uts"}`}, []string{"\n+       a new one: uts  ", "\nthe same "}},
		{"mount", []string{`"root"`, `"mounts": [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}], "root"`},
			[]string{"  mount tmpfs on /tmp  ", "+ fsopen(\"tmpfs\"", " mounts[0]\n"}},
		{"limit", []string{namespaces, `"resources": {"pids": {"limit": 77}}, ` + namespaces},
			[]string{"\n+ ", "host: write pids.max = 77  ", "linux.resources.pids.limit\n"}},
		{"seccomp", []string{`"mount", `, ``}, []string{"\n-       mount: errno EPERM\n", "\n+       mount: allow  "}},
	} {
		bundleDir(t, tt.name, tt.replace...)
		res := program(t, nil, "--root", filepath.Join(dir, "root"), "explain", "--diff", "one", "./"+tt.name)
		for _, w := range tt.want {
			if res.code != 0 || !strings.Contains(res.stdout, w) {
				t.Errorf("%s: exit %d, %q is missing in:\n%s%s", tt.name, res.code, w, res.stdout, res.stderr)
			}
		}
	}
	var d struct {
		A, B  string
		Parts []struct{ Changes []map[string]any }
		Steps map[string]int
	}
	res := program(t, nil, "explain", "--json", "--diff", "one", "mount")
	if err := json.Unmarshal([]byte(res.stdout), &d); err != nil || d.A != "one" || d.B != "mount" || d.Steps["added"] != 1 || len(d.Parts) != 1 {
		t.Errorf("%v, exit %d, %s%s", err, res.code, res.stdout, res.stderr)
	}
	for args, want := range map[string]string{
		"one":               "--diff: needs two bundles or containers to compare",
		"one mount seccomp": "--diff: needs two bundles or containers to compare",
		"one none":          "--diff: none: container does not exist: there is no none in " + dir + "/root, and there is no bundle of that name either",
		"one root/none":     "--diff: root/none: --bundle: there is no config.json in " + dir + `/root/none ("ociruntime spec" writes one)`,
		"one rootfs -b one": "--diff: compares whole plans, and names its bundles as arguments: it goes with neither --bundle nor --seccomp",
		"one one --user 5":  "--diff: compares bundles and containers, not processes of exec",
		"one one --trace x": "--trace: prints the times that are in its file alone (--html shows them with the plan)",
	} {
		res := program(t, nil, append([]string{"--root", filepath.Join(dir, "root"), "explain", "--diff"}, strings.Fields(args)...)...)
		if got := message(t, res.stderr); res.code != 1 || got != want {
			t.Errorf("--diff %s: exit %d, %q", args, res.code, got)
		}
	}
}

// The page is one file, with the plan, the configuration and the times of a trace in it.
func TestExplainHTML(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	bundleDir(t, "one", `"args": ["sh"]`, `"args": ["sh", "</script><script>alert(1)"]`)
	run := func(want string, args ...string) {
		t.Helper()
		res := program(t, nil, append([]string{"explain"}, args...)...)
		if got := message(t, res.stderr); got != want || (res.code != 0) != (want != "") {
			t.Errorf("%q: exit %d, %q, want %q", args, res.code, got, want)
		}
	}
	const traced = `{"traceEvents": [{"name": "execute sh", "cat": "init,process", "ph": "X", "ts": 1, "dur": 12.5, "pid": 1, "tid": 1, "args": {"from": "process.args"}}]}`
	if err := os.WriteFile("trace.json", []byte(traced), 0o644); err != nil {
		t.Fatal(err)
	}
	run("", "--bundle", "one", "--html", "page.html", "--trace", "trace.json")
	text, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"title":"one"`, `"took":12.5`, `"what":"load the seccomp filter`, `default: allow`, `\u003c/script\u003e`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in the page", want)
		}
	}
	if strings.Contains(string(text), "<script>alert") {
		t.Error("the configuration's text is markup")
	}
	if res := program(t, nil, "explain", "--bundle", "one", "--html", "-"); res.code != 0 || !strings.HasPrefix(res.stdout, "<!doctype html>") || !strings.HasSuffix(res.stdout, "</html>\n") {
		t.Errorf("on standard output: exit %d, %.40q", res.code, res.stdout)
	}
	run("--html: open missing/page.html: no such file or directory", "--bundle", "one", "--html", "missing/page.html")
	run("--html: the page has everything, and goes with none of --json, --brief, --seccomp", "--bundle", "one", "--html", "x", "--json")
	run("--html: a page shows one plan, and --diff compares two", "--html", "x", "--diff", "one", "one")
	run("--trace: open none: no such file or directory", "--bundle", "one", "--html", "x", "--trace", "none")
	if _, err := os.Stat("x"); err == nil {
		t.Error("what failed has made a file")
	}
}

// A plan is shown although files of the host are missing, which are noted in front of it.
func TestExplainWithWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	bundleDir(t, dir, `"namespaces": [{"type": "mount"}`, `"namespaces": [{"type": "mount"}, {"type": "network", "path": "/nosuch/net"}, {"type": "pid", "path": "/nosuch/pid"}`,
		`"root"`, `"mounts": [{"destination": "/srv", "source": "/nosuch/srv", "options": ["rbind"]}, {"destination": "/hosts", "source": "hosts", "options": ["bind"]}], "root"`)
	if err := os.WriteFile(filepath.Join(dir, "rootfs/hosts"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	res := program(t, nil, "explain", "--bundle", dir)
	for _, want := range []string{
		"note: mounts[0].source: there is no /nosuch/srv to bind on /srv\nnote: mounts[1].source: there is no " + dir + "/hosts to bind on /hosts\n" +
			"note: linux.namespaces[1].path: there is no /nosuch/net to join\nnote: linux.namespaces[2].path: there is no /nosuch/pid to join\n",
		"  join the net namespace /nosuch/net", "  bind /nosuch/srv on /srv (rbind)  ", "  execute sh  ",
		// A source is taken to be what it will be mounted on: a directory, or here a file.
		`openat2(fd2, "srv", {O_PATH|O_DIRECTORY|O_CLOEXEC,`, `openat2(fd2, "hosts", {O_PATH|O_CLOEXEC,`,
	} {
		if res.code != 0 || !strings.Contains(res.stdout, want) {
			t.Errorf("exit %d, %q is missing in:\n%s%s", res.code, want, res.stdout, res.stderr)
		}
	}
	// What is there and can't be right is still an error.
	bundleDir(t, dir, `"namespaces": [{"type": "mount"}`, `"namespaces": [{"type": "mount"}, {"type": "uts", "path": "/proc/self/ns/net"}`)
	if res := program(t, nil, "explain", "--bundle", dir); res.code != 1 || !strings.Contains(res.stderr, "/proc/self/ns/net is a namespace of another type (NEWNET)") {
		t.Errorf("of another type: exit %d, %s%s", res.code, res.stdout, res.stderr)
	}
}
