package main

import (
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
