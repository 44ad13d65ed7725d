package criu

import (
	"bufio"
	"io"
	"os"
	"strings"
)

// Reason finds in a log of criu's why it has failed: the first error, less those that always stand
// there. "" means that there is none.
func Reason(log string) string {
	f, err := os.Open(log)
	if err != nil {
		return ""
	}
	defer f.Close()
	return reason(f)
}

func reason(log io.Reader) string {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, text, found := strings.Cut(lines.Text(), "Error (")
		if !found {
			continue
		}
		_, text, found = strings.Cut(text, "): ")
		if !found || harmless(text) {
			continue
		}
		return Plain(text) + hint(text)
	}
	return ""
}

// hint names the way out where criu's words do not.
func hint(text string) string {
	for _, h := range [...][2]string{
		{"link-remap option", "--link-remap"}, {"without peer", "--ext-unix-sk, for a socket with a name"},
		{"External socket is used", "--ext-unix-sk"}, {"Can't get rlimit", "criu lacks CAP_SYS_RESOURCE"},
		{"Can't lookup mount", "a file of the host that the container has open"},
		{"Found dead pts", "--shell-job"}, {"a non-shell job", "--shell-job"}, {"shell-job", "--shell-job"},
		{"iptables-restore", "install iptables, or checkpoint with --network-lock nftables or skip"},
		{"without libnftables", "install iptables, or --network-lock skip"},
		{"lazy-pages.socket", "\"criu lazy-pages\" has to run, with the same --work-path"},
		{"doesn't have a proper root mount", "it is not among the mounts of config.json, as one that a hook has made"},
		{"No space left", "the disk is full"}, {"ENOSPC", "the disk is full"},
	} {
		if strings.Contains(text, h[0]) && !strings.Contains(text, h[1]) {
			return " (" + h[1] + ")"
		}
	}
	return ""
}

// harmless are errors that criu logs and goes on: about its own limit of open files without
// CAP_SYS_RESOURCE, and the last line of all that fail.
func harmless(text string) bool {
	return strings.HasPrefix(text, "rlimit: ") || strings.HasSuffix(strings.TrimSpace(text), "FAILED.")
}

// Plain puts a message of criu's on one line, and takes words out of it that engines would
// misunderstand: they read them as the kernel's, about the container's program, and give the exit
// codes 126 and 127.
func Plain(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, w := range [...][2]string{
		{"no such file or directory", "not found"}, {"permission denied", "refused (EACCES)"},
		{"operation not permitted", "refused (EPERM)"}, {"no such process", "the process is gone"},
		{"is a directory", "a directory (EISDIR)"}, {"not a directory", "no directory (ENOTDIR)"},
		{"executable file", "executable"},
	} {
		text = replaceFold(text, w[0], w[1])
	}
	return strings.TrimSuffix(text, ".")
}

func replaceFold(text, old, with string) string {
	for i := 0; i+len(old) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(old)], old) {
			text = text[:i] + with + text[i+len(old):]
			i += len(with) - 1
		}
	}
	return text
}
