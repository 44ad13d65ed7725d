package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testLogger(t *testing.T, format string) (*logger, func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	zone := time.FixedZone("elsewhere", 3600)
	l := &logger{path: path, format: format, now: func() time.Time { return time.Date(2026, 11, 22, 3, 4, 5, 6, zone) }}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.file.Close() })
	return l, func() string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func TestLogText(t *testing.T) {
	l, content := testLogger(t, "text")
	l.warn("the cgroup\nis odd")
	l.debugf("not shown")
	l.fail(errors.New(`exec: "x": not there`))
	want := `time="2026-11-22T02:04:05Z" level=warning msg="the cgroup\nis odd"` + "\n" +
		`time="2026-11-22T02:04:05Z" level=error msg="exec: \"x\": not there"` + "\n"
	if got := content(); got != want {
		t.Errorf("log:\n%s\nwant:\n%s", got, want)
	}
}

func TestLogJSON(t *testing.T) {
	l, content := testLogger(t, "json")
	l.fail(errors.New("open <a> & \"b\"\n\x01\xff\u2028"))
	got := content()
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, `<a> & \"b\"`) {
		t.Errorf("log: %s", got)
	}
	var line struct {
		Level, Msg string
		Time       time.Time
	}
	if err := json.Unmarshal([]byte(got), &line); err != nil {
		t.Fatal(err)
	}
	if line.Level != "error" || line.Msg != "open <a> & \"b\"\n\x01\ufffd\u2028" || !line.Time.Equal(l.now().Truncate(time.Second)) {
		t.Errorf("log: %+v", line)
	}
}

// An image may have put anything into a name.
func TestOneLine(t *testing.T) {
	for given, want := range map[string]string{
		`exec: "größe": not there`:            `exec: "größe": not there`,
		"one\ntwo":                            "one; two",
		"a\r\x1b[31m\x7f\u009b2J\tb\xffc\x00": `a\r\x1b[31m\x7f\u009b2J\tb?c\x00`,
	} {
		if got := oneLine(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

// One engine takes the whole log for a single JSON object when a command fails.
func TestLogJSONHoldsTheErrorAlone(t *testing.T) {
	l, content := testLogger(t, "json")
	l.warn("odd")
	l.fail(errors.New("wrong"))
	if got := content(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "wrong") {
		t.Errorf("log: %s", got)
	}
}

func TestLogWarningsOfASuccess(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		l, content := testLogger(t, format)
		l.warn("odd")
		if got := content(); got != "" {
			t.Errorf("%s: written before the end: %s", format, got)
		}
		l.flush()
		l.flush()
		if got := content(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "odd") || !strings.Contains(got, "warning") {
			t.Errorf("%s: log: %s", format, got)
		}
	}
}

func TestLogAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for range 2 {
		l := &logger{path: path, now: time.Now}
		if err := l.open(); err != nil {
			t.Fatal(err)
		}
		l.line("error", "again")
		_ = l.file.Close()
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Count(string(data), "again") != 2 {
		t.Errorf("log: %s %v", data, err)
	}
}
