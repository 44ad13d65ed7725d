package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completionTests are command lines, the last word of which is to be
// completed, and what must and must not be offered.
var completionTests = []struct {
	line        []string
	want, never []string
}{
	{[]string{""}, []string{"create", "run", "explain", "help"}, []string{"--root", "one"}},
	{[]string{"ex"}, []string{"exec", "explain"}, []string{"run"}},
	{[]string{"--r"}, []string{"--root", "--rootless"}, []string{"--bundle"}},
	{[]string{"--rootless", ""}, []string{"true", "false", "auto"}, []string{"run"}},
	{[]string{"--cgroup-manager", ""}, []string{"cgroupfs", "systemd", "disabled"}, nil},
	{[]string{"--log-format", ""}, []string{"text", "json"}, []string{"table"}},
	{[]string{"list", "--format", ""}, []string{"table", "json"}, []string{"text"}},
	{[]string{"ps", "--format", ""}, []string{"table", "json"}, []string{"text"}},
	{[]string{"checkpoint", "--manage-cgroups-mode", ""}, []string{"soft", "full", "strict", "ignore"}, []string{"one"}},
	{[]string{"restore", "--network-lock", ""}, []string{"iptables", "nftables", "skip"}, nil},
	{[]string{"checkpoint", ""}, []string{"one", "two"}, nil},
	{[]string{"run", "--no-"}, []string{"--no-pivot", "--no-new-keyring"}, []string{"--root"}},
	{[]string{"explain", ""}, []string{"one", "two"}, []string{"bundle"}},
	{[]string{"explain", "--diff", ""}, []string{"one", "two", "bundle"}, nil},
	{[]string{"explain", "--diff", "one", "bu"}, []string{"bundle"}, []string{"two"}},
	{[]string{"explain", "--html", "bund"}, []string{"bundle"}, []string{"one"}},
	{[]string{"exec", "--pid"}, []string{"--pid-file", "--pidfd-socket"}, nil},
	{[]string{"delete", ""}, []string{"one", "two"}, []string{"delete"}},
	{[]string{"delete", "--force", "t"}, []string{"two"}, []string{"one"}},
	{[]string{"help", "pa"}, []string{"pause"}, []string{"one"}},
	{[]string{"create", "--bundle", "bund"}, []string{"bundle"}, []string{"one"}},
	{[]string{"create", "-b", "bund"}, []string{"bundle"}, []string{"one"}},
	{[]string{"list", "-f", ""}, []string{"table", "json"}, []string{"text", "one"}},
	{[]string{"delete", "-f", ""}, []string{"one", "two"}, []string{"table", "json"}},
	{[]string{"kill", "one", "SIGT"}, []string{"SIGTERM"}, []string{"one", "TERM"}},
	{[]string{"kill", "one", "TE"}, []string{"TERM"}, []string{"one"}},
	{[]string{"kill", "one", ""}, []string{"SIGKILL", "KILL"}, []string{"one", "EXIT", "DEBUG"}},
}

// bashWords are lines as bash breaks them: "=" is a word of its own, unless somebody has taken it
// out of $COMP_WORDBREAKS.
var bashWords = []struct {
	line        []string
	want, never []string
}{
	{[]string{"--root", "=", "bund"}, []string{"bundle"}, []string{"one"}},
	{[]string{"--root", "="}, []string{"bundle"}, []string{"one"}},
	{[]string{"--root=bund"}, []string{"--root=bundle"}, []string{"bundle"}},
	{[]string{"--root=/x", "list", "--format", "=", "j"}, []string{"json"}, []string{"table"}},
	{[]string{"--log-format", "=", ""}, []string{"text", "json"}, []string{"table"}},
	{[]string{"--root", "=", "/x", "del"}, []string{"delete"}, nil},
}

// shellCommand is a shell in a directory with a program that has two containers.
func shellCommand(t *testing.T, shell string, ask func(scripts, dir string) *exec.Cmd) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("no %s here", shell)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	wrapper := "#!/bin/sh\nif [ \"$1 $2\" = 'list -q' ]; then echo one; echo two; exit; fi\n" + asProgram + "=1 exec '" + self + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bundle"), 0o755); err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Abs("../../contrib/completions")
	if err != nil {
		t.Fatal(err)
	}
	cmd := ask(scripts, dir)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "TERM=dumb", "LANG=C.UTF-8"}
	return cmd
}

// testShell looks at what such a shell prints.
func testShell(t *testing.T, shell string, ask func(scripts string) *exec.Cmd, check func(out string)) {
	t.Helper()
	cmd := shellCommand(t, shell, func(scripts, _ string) *exec.Cmd { return ask(scripts) })
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, out)
	}
	check(string(out))
}

func testCompletion(t *testing.T, shell string, ask func(scripts string, line []string) *exec.Cmd) {
	tests := completionTests
	if shell == "bash" {
		tests = append(slices.Clip(tests), bashWords...)
	}
	for _, tt := range tests {
		testShell(t, shell, func(scripts string) *exec.Cmd { return ask(scripts, tt.line) }, func(out string) {
			var offered []string
			for line := range strings.Lines(out) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				offered = append(offered, strings.TrimRight(word, "/"))
			}
			for _, w := range tt.want {
				if !slices.Contains(offered, w) {
					t.Errorf("%q: %s is not offered: %q", tt.line, w, offered)
				}
			}
			for _, n := range tt.never {
				if slices.Contains(offered, n) {
					t.Errorf("%q: %s is offered", tt.line, n)
				}
			}
		})
	}
}

func TestBashCompletion(t *testing.T) {
	testCompletion(t, "bash", func(dir string, line []string) *exec.Cmd {
		script := `source "$0/ociruntime.bash"; compopt() { :; }
			COMP_WORDS=(ociruntime "$@"); COMP_CWORD=$#; _ociruntime ociruntime; printf '%s\n' "${COMPREPLY[@]}"`
		return exec.Command("bash", append([]string{"-c", script, dir}, line...)...)
	})
}

func TestFishCompletion(t *testing.T) {
	testCompletion(t, "fish", func(dir string, line []string) *exec.Cmd {
		script := `source $argv[1]/ociruntime.fish; complete -C "ociruntime $argv[2]"`
		return exec.Command("fish", "--no-config", "-c", script, dir, strings.Join(line, " "))
	})
}

// zsh's own machinery needs a terminal: the test looks at what it would get.
func TestZshCompletion(t *testing.T) {
	for _, tt := range [][]string{
		{"", "*--root[keep containers in DIR (default\\: ", "]:manager:(cgroupfs systemd disabled)\n", "]:format:(text json)\n"},
		{"run", "*--bundle[DIR with config.json (default\\: the current directory)]:directory:_files -/"},
		{"exec", "*-u[be the user (and group) UID\\[\\:GID\\]]: :"},
		{"list", "]:format:(table json)\n"},
		{"ps", "]:format:(table json)\n"},
	} {
		command, wants := tt[0], tt[1:]
		script := `words=(ociruntime); _arguments() { :; }; source $1/_ociruntime
			program=ociruntime; _ociruntime_specs $2; print -rl -- $specs`
		testShell(t, "zsh", func(dir string) *exec.Cmd { return exec.Command("zsh", "-f", "-c", script, "zsh", dir, command) }, func(offered string) {
			for _, want := range wants {
				if !strings.Contains(offered, want) {
					t.Errorf("%q: no %q in\n%s", command, want, offered)
				}
			}
		})
	}
}
