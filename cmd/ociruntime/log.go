package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ociruntime/ociruntime/libcontainer/console"
)

// logger writes to --log, or to standard error.
//
// Engines read what it writes, and each in its own way: one decodes the last line of level "error",
// another takes the whole file for a single JSON object, a third reads standard error. So an error
// is exactly one line; warnings wait until it is certain that there will be none, and are left out
// of a JSON log where there is one. Without --log they are shown to people only (on a terminal, or
// by run): the streams of other commands may be an engine's, or the container's own.
type logger struct {
	path, format string // --log, --log-format
	debug        bool
	opened       bool
	file         *os.File // nil without --log
	json         bool
	people       bool // warnings go to standard error even if it is no terminal
	now          func() time.Time
	warnings     []string
}

// open creates the log file and opens it for appending, once. The file is made even if the command
// is going to fail at once: engines open it to learn why. It is not opened O_SYNC, since no reader
// outlives a crash of the machine.
func (l *logger) open() error {
	if l.opened {
		return nil
	}
	l.opened = true
	if kind, _, other := strings.Cut(l.path, ":"); other && (kind == "journald" || kind == "syslog") {
		// crun's ways to the system's log. As a name of a file they would be silence.
		return fmt.Errorf("--log: %s is not supported: give a FILE, or ./%s for one of that name", l.path, l.path)
	}
	if l.path != "" {
		f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return fmt.Errorf("--log: %w", err)
		}
		l.file = f
	}
	switch l.format {
	case "", "text":
	case "json":
		l.json = true
	default:
		return fmt.Errorf("invalid log-format: %s (it is text or json)", l.format)
	}
	return nil
}

// warn keeps a warning for flush.
func (l *logger) warn(msg string) {
	if l.debug {
		l.line("warning", msg)
		return
	}
	l.warnings = append(l.warnings, msg)
}

// debugf writes at once, with --debug alone.
func (l *logger) debugf(format string, args ...any) {
	if l.debug {
		l.line("debug", fmt.Sprintf(format, args...))
	}
}

// flush writes the warnings of a command that has succeeded.
func (l *logger) flush() {
	if len(l.warnings) > 0 && (l.file != nil || l.people || console.IsTerminal(int(os.Stderr.Fd()))) {
		for _, w := range l.warnings {
			l.line("warning", w)
		}
	}
	l.warnings = nil
}

// fail reports the error that ends the command: a line in the log and, where that is a file, the
// plain text on standard error.
func (l *logger) fail(err error) {
	if l.people = false; !l.json {
		l.flush()
	}
	l.line("error", err.Error())
	if l.file != nil {
		fmt.Fprintln(os.Stderr, oneLine(err.Error()))
	}
}

// oneLine is for where a message is written as it is. Names in it come from images: a line end
// could pass for a message of ours, an escape sequence talks to the terminal. Joined errors hold
// line ends, too.
func oneLine(msg string) string {
	if !strings.ContainsFunc(msg, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }) {
		return msg
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(msg, "?") {
		switch {
		case r == '\n':
			b.WriteString("; ")
		case unicode.IsControl(r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// line writes a line. There is nobody to tell when that fails.
func (l *logger) line(level, msg string) {
	out := l.file
	if out == nil {
		out = os.Stderr
	}
	_, _ = out.Write(l.entry(level, msg, out))
}

func (l *logger) entry(level, msg string, out *os.File) []byte {
	// In UTC, so that no zone file has to be read.
	at := l.now().UTC().Format(time.RFC3339)
	switch {
	case l.json:
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		// Strings can't fail to encode.
		_ = enc.Encode(struct {
			Level string `json:"level"`
			Msg   string `json:"msg"`
			Time  string `json:"time"`
		}{level, msg, at})
		return b.Bytes()
	case l.file == nil && console.IsTerminal(int(out.Fd())):
		// It may be in raw mode, hence the return.
		return []byte(name + ": " + level + ": " + oneLine(msg) + "\r\n")
	default:
		return []byte("time=" + strconv.Quote(at) + " level=" + level + " msg=" + strconv.Quote(msg) + "\n")
	}
}
