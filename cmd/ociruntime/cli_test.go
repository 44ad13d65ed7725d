package main

import (
	"slices"
	"strings"
	"testing"
)

// sample is a command's flags of every kind.
type sample struct {
	bundle string
	detach bool
	fds    int
	env    []string
}

func (s *sample) define(f *flags) {
	f.text(&s.bundle, "bundle,b", "DIR", "the bundle")
	f.bool(&s.detach, "detach,d", "leave")
	f.int(&s.fds, "preserve-fds", "N", "descriptors")
	f.each(func(v string) error { s.env = append(s.env, v); return nil }, "env,e", "NAME=VALUE", "environment")
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args string
		want sample
		rest string
		help bool
	}{
		{args: ""},
		{args: "id", rest: "id"},
		{args: "--bundle /b --detach id", want: sample{bundle: "/b", detach: true}, rest: "id"},
		{args: "-bundle=/b -detach id", want: sample{bundle: "/b", detach: true}, rest: "id"},
		{args: "-b /b -d id", want: sample{bundle: "/b", detach: true}, rest: "id"},
		{args: "--b=/b --d id", want: sample{bundle: "/b", detach: true}, rest: "id"},
		{args: "id --bundle /b -d", want: sample{bundle: "/b", detach: true}, rest: "id"},
		{args: "one --detach two -b /b three", want: sample{bundle: "/b", detach: true}, rest: "one two three"},
		{args: "--detach=false id", rest: "id"},
		{args: "-d -d=false id", rest: "id"},
		{args: "--detach id", want: sample{detach: true}, rest: "id"},
		{args: "--preserve-fds 3 id", want: sample{fds: 3}, rest: "id"},
		{args: "--preserve-fds=3 id", want: sample{fds: 3}, rest: "id"},
		{args: "-e A=1 --env B=a=b -env=C= id", want: sample{env: []string{"A=1", "B=a=b", "C="}}, rest: "id"},
		{args: "--bundle a --bundle b", want: sample{bundle: "b"}},
		{args: "--bundle= id", rest: "id"},
		{args: "-- --bundle id", rest: "--bundle id"},
		{args: "id -- -d", rest: "id -d"},
		{args: "--bundle -- id", want: sample{bundle: "--"}, rest: "id"},
		{args: "--bundle -d id", want: sample{bundle: "-d"}, rest: "id"},
		{args: "- id", rest: "- id"},
		{args: "id --help", rest: "id", help: true},
		{args: "-h", help: true},
	} {
		var got sample
		f := newFlags(got.define)
		rest, err := f.parse(strings.Fields(c.args), false)
		if err != nil || strings.Join(rest, " ") != c.rest || f.help != c.help || !same(got, c.want) {
			t.Errorf("%q: %+v, rest %q, help %v, error %v", c.args, got, rest, f.help, err)
		}
	}
}

func same(a, b sample) bool {
	return a.bundle == b.bundle && a.detach == b.detach && a.fds == b.fds && slices.Equal(a.env, b.env)
}

func TestParseVerbatim(t *testing.T) {
	for _, c := range []struct{ args, rest string }{
		{"-d id ls -d --bundle x", "id ls -d --bundle x"},
		{"-d -- id ls", "id ls"},
		{"-d id -- ls", "id -- ls"},
		{"-d id --nosuch", "id --nosuch"},
	} {
		var got sample
		rest, err := newFlags(got.define).parse(strings.Fields(c.args), true)
		if err != nil || !got.detach || got.bundle != "" || strings.Join(rest, " ") != c.rest {
			t.Errorf("%q: %+v, rest %q, error %v", c.args, got, rest, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ args, err string }{
		{"--nosuch id", "flag provided but not defined: --nosuch"},
		{"-nosuch=secret id", "flag provided but not defined: -nosuch"},
		{"--nosuch --bundle", "flag provided but not defined: --nosuch"},
		{"id --bundle", "flag needs an argument: --bundle"},
		{"-b", "flag needs an argument: -b"},
		{"--preserve-fds x id", `invalid value "x" for flag --preserve-fds: not a valid value`},
		{"--preserve-fds 99999999999999999999 id", `invalid value "99999999999999999999" for flag --preserve-fds: value out of range`},
		{"--detach=maybe id", `invalid value "maybe" for flag --detach: not a valid value`},
		{"--= id", "flag provided but not defined: --"},
	} {
		var got sample
		_, err := newFlags(got.define).parse(strings.Fields(c.args), false)
		if err == nil || err.Error() != c.err {
			t.Errorf("%q: %v, want %s", c.args, err, c.err)
		}
	}
}

// What follows a wrong flag is still read: --log has to get the error.
func TestParseGoesOnAfterAnError(t *testing.T) {
	var got sample
	rest, err := newFlags(got.define).parse([]string{"--nosuch", "--bundle", "/b", "id"}, true)
	if err == nil || got.bundle != "/b" || !slices.Equal(rest, []string{"id"}) {
		t.Errorf("%+v, rest %q, error %v", got, rest, err)
	}
}

func TestCheckCount(t *testing.T) {
	for _, c := range []struct {
		min, max, n int
		err         string
	}{
		{1, 1, 1, ""},
		{1, 1, 0, `ociruntime: "x" requires exactly 1 argument(s)`},
		{1, 1, 2, `ociruntime: "x" requires exactly 1 argument(s)`},
		{1, 2, 0, `ociruntime: "x" requires a minimum of 1 argument(s)`},
		{1, 2, 3, `ociruntime: "x" requires a maximum of 2 argument(s)`},
		{1, -1, 9, ""},
		{0, 0, 1, `ociruntime: "x" requires exactly 0 argument(s)`},
	} {
		err := (&command{name: "x", min: c.min, max: c.max}).checkCount(c.n)
		if got := text(err); got != c.err {
			t.Errorf("%d to %d, got %d: %q, want %q", c.min, c.max, c.n, got, c.err)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
