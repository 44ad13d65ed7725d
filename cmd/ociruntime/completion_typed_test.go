package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"
)

const (
	tab  = "\t"
	back = "\x02" // ^B, a character to the left
)

// typedLines are keys that somebody types, and what then stands in the line: in front of the
// cursor, and behind it.
var typedLines = []struct{ keys, before, after string }{
	{"ociruntime del" + tab, "ociruntime delete ", ""},
	{"ociruntime chec" + tab, "ociruntime check", ""}, // or checkpoint
	{"ociruntime exp" + tab + "--htm" + tab + "bun" + tab, "ociruntime explain --html bundle/", ""},
	{"ociruntime --log-f" + tab + "js" + tab + "lis" + tab + "--for" + tab + "ta" + tab, "ociruntime --log-format json list --format table ", ""},
	{"ociruntime delete --fo" + tab + "t" + tab, "ociruntime delete --force two ", ""},
	{"ociruntime create --bundle bu" + tab, "ociruntime create --bundle bundle/", ""},
	{"ociruntime kill on" + tab + "WIN" + tab, "ociruntime kill one WINCH ", ""},
	{"ociruntime state nosuch" + tab, "ociruntime state nosuch", ""},
	// With more of the line behind the cursor.
	{"ociruntime del one" + strings.Repeat(back, 4) + tab, "ociruntime delete", " one"},
	{"ociruntime delete o --force" + strings.Repeat(back, 8) + tab, "ociruntime delete one", " --force"},
	{"ociruntime list --form json" + strings.Repeat(back, 5) + tab, "ociruntime list --format", " json"},
}

// typist types into a shell with a terminal.
type typist struct {
	t    *testing.T
	tty  console.Console
	said chan string
	text string // not looked at yet
}

func newTypist(t *testing.T, cmd *exec.Cmd) *typist {
	t.Helper()
	master, path, err := console.NewPty()
	if err != nil {
		t.Skipf("make a terminal: %v", err)
	}
	slave, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	y := &typist{t: t, tty: master, said: make(chan string, 1000)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = master.Close()
	})
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if err != nil {
				close(y.said)
				return
			}
			y.said <- string(buf[:n])
		}
	}()
	return y
}

// until gives what the shell has said up to a mark.
func (y *typist) until(mark string) string {
	y.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		if before, after, found := strings.Cut(y.text, mark); found {
			y.text = after
			return before
		}
		select {
		case more, open := <-y.said:
			if y.text += more; !open {
				y.t.Fatalf("the shell has ended: %q", y.text)
			}
		case <-limit:
			y.t.Fatalf("no %q: %q", mark, y.text)
		}
	}
}

func (y *typist) keys(keys string) {
	y.t.Helper()
	if _, err := y.tty.Write([]byte(keys)); err != nil {
		y.t.Fatal(err)
	}
}

// typed types lines into a shell whose startup file prints "READY" for a prompt, and has ^G print
// the line: "<BEFORE|AFTER>".
func typed(t *testing.T, shell string, lines []struct{ keys, before, after string }, ask func(scripts, dir string) *exec.Cmd) {
	t.Helper()
	cmd := shellCommand(t, shell, ask)
	y := newTypist(t, cmd)
	y.until("READY")
	for _, line := range lines {
		// ^G shows it, ^E and ^U take it away.
		y.keys(line.keys + "\x07")
		y.until("<")
		// zsh puts a space behind a word, and bash takes the one that is there.
		got := strings.Replace(y.until(">"), " | ", "| ", 1)
		if want := line.before + "|" + line.after; got != want {
			t.Errorf("%q: %q, want %q", line.keys, got, want)
		}
		y.keys("\x05\x15")
	}
}

func TestBashCompletionTyped(t *testing.T) {
	inWord := []struct{ keys, before, after string }{
		{"ociruntime delze" + back + back + tab, "ociruntime delete", "ze"},
		{"ociruntime delete --foz=x" + strings.Repeat(back, 3) + tab, "ociruntime delete --force", "z=x"},
		{"ociruntime --root=bunx list" + strings.Repeat(back, 6) + tab, "ociruntime --root=bundle/", "x list"},
	}
	typed(t, "bash", append(inWord, typedLines...), func(scripts, dir string) *exec.Cmd {
		rc := `PS1=READY; source '` + scripts + `/ociruntime.bash'; bind 'set enable-bracketed-paste off'
			bind -x '"\C-g": printf "<%s|%s>" "${READLINE_LINE:0:READLINE_POINT}" "${READLINE_LINE:READLINE_POINT}"'`
		if err := os.WriteFile(filepath.Join(dir, "rc"), []byte(rc), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command("bash", "--noprofile", "--rcfile", filepath.Join(dir, "rc"), "-i")
	})
}

func TestZshCompletionTyped(t *testing.T) {
	typed(t, "zsh", typedLines, func(scripts, dir string) *exec.Cmd {
		rc := `PS1=READY; unsetopt prompt_sp; bindkey -e; fpath=('` + scripts + `' $fpath); autoload -Uz compinit; compinit -u -D
			show() { print -rn -- "<$LBUFFER|$RBUFFER>" }; zle -N show; bindkey '^G' show`
		if err := os.WriteFile(filepath.Join(dir, ".zshrc"), []byte(rc), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command("zsh", "-d", "-i") // it reads $HOME/.zshrc
	})
}
