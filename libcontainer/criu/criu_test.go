package criu

import (
	"strings"
	"testing"
)

func TestReason(t *testing.T) {
	const before = `(00.000001) Version: 4.2 (gitid 0)
(00.061104) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
`
	for text, want := range map[string]string{
		"": "",
		"(00.2) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.\n" +
			"(00.3) Error (criu/cr-dump.c:1545): Dump files (pid: 7) failed with -1\n": "inet: Connected TCP socket, consider using --tcp-established option",
		"(00.1)      1: Error (criu/files-reg.c:2): Can't open file data/x on restore: No such file or directory\n": "Can't open file data/x on restore: not found",
		"(00.1) Error (criu/files-reg.c:1): Can't create link remap for /x. Use link-remap option.\n":               "Can't create link remap for /x. Use link-remap option (--link-remap)",
		"(00.1) Warn  (criu/x.c:1): nothing\n(00.2) Error (criu/cr-dump.c:1975): Dumping FAILED.\n":                 "",
		"(00.1) Error (criu/cr-dump.c:389): Can't get rlimit 0: Operation not permitted\n" +
			"(00.2) Error (criu/cr-dump.c:1584): Dump core (pid: 142) failed with -1\n": "Can't get rlimit 0: refused (EPERM) (criu lacks CAP_SYS_RESOURCE)",
		"Error (criu/util.c:642): execvp(\"iptables-restore\", ...) failed: No such file or directory\n": "execvp(\"iptables-restore\", ...) failed: not found " +
			"(install iptables, or checkpoint with --network-lock nftables or skip)",
		"(00.1) Error without a place\n": "",
	} {
		if got := reason(strings.NewReader(before + text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Engines make exit codes of some words of the kernel's.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"open x: Permission denied":                       "open x: refused (EACCES)",
		"PERMISSION DENIED, permission denied":            "refused (EACCES), refused (EACCES)",
		"a\n b\tno such file or directory.":               "a b not found",
		"mkdir: operation not permitted; is a directory.": "mkdir: refused (EPERM); a directory (EISDIR)",
		"ünïcode stays":                                   "ünïcode stays",
		"container does not exist":                        "container does not exist",
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLabels(t *testing.T) {
	const front = "\x16\x31\x31\x58\x4e\x00\x00\x00"
	for image, want := range map[string]LSM{
		// img_version, fdinfo_per_id, root_ids, ns_per_id, root_cg_set, lsmtype, dump_criu_run_id
		front + "\x08\x02\x10\x01\x1a\x03\x30\x01\x01\x20\x01\x28\x81\x01\x30\x02\x6a\x01x": AppArmor,
		front + "\x08\x02\x30\x01":             SELinux,
		front + "\x08\x02\x30\x00":             NoLSM,
		front + "\x08\x02":                     NoLSM,
		front + "\x0d\x01\x01\x01\x01\x30\x02": AppArmor, // behind a number of a fixed size
		front:                                  NoLSM,
	} {
		if got, err := labels([]byte(image)); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", image, got, err, want)
		}
	}
	for _, image := range []string{"", "\x16\x31", front + "\x08", front + "\x1a\x7fx", front + "\x08\xff", front + "\x0d\x01\x01\x01", front + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if got, err := labels([]byte(image)); err == nil {
			t.Errorf("%q: %d", image, got)
		}
	}
}

func FuzzLabels(f *testing.F) {
	f.Add([]byte("\x16\x31\x31\x58\x4e\x00\x00\x00\x08\x02\x1a\x03\x30\x01\x01\x30\x02"))
	f.Fuzz(func(_ *testing.T, image []byte) { _, _ = labels(image) })
}

func TestVersion(t *testing.T) {
	for v, want := range map[Version]string{31600: "3.16", 40201: "4.2.1", 40100: "4.1"} {
		if got := v.String(); got != want {
			t.Errorf("%d: %s", int(v), got)
		}
	}
	if Oldest.String() != "3.16" {
		t.Error("the oldest version is said elsewhere, too: in help and README")
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if path, err := Find(); err == nil && !strings.HasPrefix(path, "/usr/") && !strings.HasPrefix(path, "/sbin/") {
		t.Errorf("found %s", path)
	} else if err != nil && (!strings.Contains(err.Error(), "criu is not installed") || strings.Contains(err.Error(), "executable file")) {
		t.Error(err)
	}
}
