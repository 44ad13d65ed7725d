package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkBundle is a bundle with a few programs, none of which could run.
func checkBundle(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const head = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00"
	for name, content := range map[string]string{
		"rootfs/bin/ok": "#!/bin/sh\n", "rootfs/bin/sh": head + "\xff\xff" + strings.Repeat("\x00", 80), "rootfs/bin/script": "#!/bin/ruby\n",
		"rootfs/bin/data": "x", "rootfs/bin/empty": "", "bound/script": "#!/bin/ruby\n", "bound/ok": "#!/bin/sh\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "rootfs/bin/data"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCheck(t *testing.T) {
	dir := checkBundle(t)
	const mounts = `"mounts": [{"destination": "/opt", "type": "bind", "source": "bound", "options": ["bind"]}, {"destination": "/tmp", "type": "tmpfs", "source": "x"}]`
	process := func(args string) string {
		return `"process": {"cwd": "/", "args": ["` + args + `"], "env": ["PATH=/bin"]}`
	}
	for _, c := range []struct{ members, want string }{
		{process("/bin/ok"), ""},
		{process("ok"), ""},
		{process("/opt/ok") + "," + mounts, ""},
		{process("/tmp/any") + "," + mounts, ""},
		{process("nosuch"), "wrong:   process.args: there is no nosuch in the root file system"},
		{process("nosuch") + "," + mounts, "warning: process.args: there is no nosuch in the root file system, unless a mount brings it"},
		{process("/bin"), "wrong:   process.args: /bin is a directory"},
		{process("/bin/data"), "wrong:   process.args: /bin/data is not executable"},
		{process("/bin/empty"), "wrong:   process.args: /bin/empty is empty"},
		{process("/bin/sh"), "wrong:   process.args: /bin/sh is a program for ELF machine 65535, and this machine is "},
		{process("/bin/script"), "wrong:   process.args: /bin/script is a script for the interpreter /bin/ruby, which is not in the container"},
		{process("/opt/script") + "," + mounts, "wrong:   process.args: /opt/script is a script for the interpreter /bin/ruby, which is not in the container"},
		{process("/opt/nosuch") + "," + mounts, "process.args: there is no /opt/nosuch"},
		{`"hostname": ""`, "wrong:   process: must be set for a container that is to be started"},
		{process("/bin/ok") + `, "hostnam": "x"`, `warning: hostnam: unknown, and ignored: did you mean "hostname"?`},
		{process("/bin/ok") + `, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read", "opne"], "action": "SCMP_ACT_ERRNO"}]}}`,
			`warning: linux.seccomp.syscalls[0].names[1]: no system call is called "opne", and it is left out: did you mean "open"?`},
		{process("/bin/ok") + `, "mounts": [{"destination": "/a", "source": "/nosuch", "options": ["bind"]}, {"destination": "/b", "source": "nosuch", "options": ["rbind"]}]`,
			"wrong:   mounts[0].source: there is no /nosuch to bind on /a\nwrong:   mounts[1].source: there is no DIR/nosuch to bind on /b\n"},
		{process("nosuch") + `, "linux": {"namespaces": [{"type": "mount"}, {"type": "uts", "path": "/nosuch"}, {"type": "network", "path": "DIR/nosuch"}]}`,
			"wrong:   linux.namespaces[1].path: there is no /nosuch to join\nwrong:   linux.namespaces[2].path: there is no DIR/nosuch to join\n" +
				"wrong:   process.args: there is no nosuch in the root file system\n"},
		{process("/bin/ok") + `, "root": {"path": "none"}`, "wrong:   root.path: there is no root file system in DIR/none: no such file or directory\n"},
		// What is missing does not hide what the host has to say.
		{process("/bin/ok") + `, "linux": {"namespaces": [{"type": "mount"}, {"type": "uts", "path": "/nosuch"}, {"type": "ipc", "path": "/proc/self/ns/uts"}]}`,
			"wrong:   linux.namespaces[1].path: there is no /nosuch to join\nwrong:   linux.namespaces[2].path: /proc/self/ns/uts is a namespace of another type (NEWUTS)\n"},
		{process("nosuch") + `, "hostname": "h", "domainname": 5`, "wrong:   domainname: must be a string, not a number"},
		{process("nosuch") + `, "hostname": "h"`, "hostname: needs a uts namespace: without one it would change the host\nwrong:   process.args: there is no nosuch"},
	} {
		config := strings.ReplaceAll(`{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, `+c.members+`}`, "DIR", dir)
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		got := program(t, nil, "--cgroup-manager", "disabled", "check", "--bundle", dir)
		want := strings.ReplaceAll(c.want, "DIR", dir)
		code := 0
		if strings.Contains(got.stdout, "wrong:") {
			code = 1
		}
		fine := "nothing is wrong with " + dir + "/config.json\n"
		if !strings.Contains(got.stdout, want) || got.code != code || got.stderr != "" || strings.HasSuffix(got.stdout, fine) != (code == 0) ||
			strings.HasPrefix(want, "wrong") && code == 0 {
			t.Errorf("%s: %+v\nwant %s", c.members, got, want)
		}
		checkJSON(t, dir, code)
	}
	if got := program(t, nil, "check", "--bundle", dir+"/bound"); got.code != 1 || !strings.Contains(got.stderr, "there is no config.json in") {
		t.Errorf("without config.json: %+v", got)
	}
	if got := program(t, nil, "check", "--bundle", dir, "--format", "table"); got.code != 1 || !strings.Contains(got.stderr, "it is text or json") {
		t.Errorf("of another format: %+v", got)
	}
}

// checkJSON wants the same verdict for programs.
func checkJSON(t *testing.T, dir string, code int) {
	t.Helper()
	got := program(t, nil, "--cgroup-manager", "disabled", "check", "--bundle", dir, "--format", "json")
	var v struct {
		Bundle             string
		Problems, Warnings *[]struct{ Place, Message string }
	}
	err := json.Unmarshal([]byte(got.stdout), &v)
	if err != nil || got.code != code || v.Bundle != dir || v.Problems == nil || v.Warnings == nil || (len(*v.Problems) > 0) != (code == 1) {
		t.Errorf("%v: %+v", err, got)
	}
}
