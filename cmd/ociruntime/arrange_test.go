package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// sample is a command's flags of every kind.
type sample struct {
	bundle string
	detach bool
	fds    streams
	env    []string
}

func (s *sample) flags() []cli.Flag {
	return []cli.Flag{
		text(&s.bundle, "bundle,b", "the bundle in `DIR`"),
		boolean(&s.detach, "detach,d", "leave"),
		each(s.fds.setPreserveFDs, "preserve-fds", "`N` descriptors"),
		each(appendTo(&s.env), "env,e", "`NAME=VALUE` of the environment"),
	}
}

// parse reads a command line with the library, as the one of a command with these flags, and gives
// do the positional arguments.
func parse(args []string, flags []cli.Flag, usage string, do func(args []string) error) error {
	app := &cli.App{
		Name: name, Writer: io.Discard, ExitErrHandler: func(*cli.Context, error) {},
		Commands: []*cli.Command{{
			Name: "x", ArgsUsage: usage, Flags: flags, HideHelpCommand: true,
			Action: func(c *cli.Context) error { return do(c.Args().Slice()) },
		}},
	}
	return app.Run(append([]string{name}, readLine(nil, append([]string{"x"}, args...)).arrange(app)...))
}

func TestArrange(t *testing.T) {
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
		{args: "--preserve-fds 3 id", want: sample{fds: streams{preserveFDs: 3}}, rest: "id"},
		{args: "--preserve-fds=3 id", want: sample{fds: streams{preserveFDs: 3}}, rest: "id"},
		{args: "-e A=1 --env B=a=b -env=C= id", want: sample{env: []string{"A=1", "B=a=b", "C="}}, rest: "id"},
		{args: "--bundle a --bundle b", want: sample{bundle: "b"}},
		{args: "--bundle= id", rest: "id"},
		{args: "-- --bundle id", rest: "--bundle id"},
		{args: "id -- -d", rest: "id -d"},
		{args: "--bundle -- id", want: sample{bundle: "--"}, rest: "id"},
		{args: "--bundle -d id", want: sample{bundle: "-d"}, rest: "id"},
		{args: "- id", rest: "- id"},
		{args: "id --help", help: true},
		{args: "-h", help: true},
	} {
		var got sample
		rest, ran := "", false
		err := parse(strings.Fields(c.args), got.flags(), "", func(args []string) error {
			rest, ran = strings.Join(args, " "), true
			return nil
		})
		if err != nil || rest != c.rest || ran == c.help || !same(got, c.want) {
			t.Errorf("%q: %+v, rest %q, error %v", c.args, got, rest, err)
		}
	}
}

func same(a, b sample) bool {
	return a.bundle == b.bundle && a.detach == b.detach && a.fds.preserveFDs == b.fds.preserveFDs && slices.Equal(a.env, b.env)
}

func TestArrangeVerbatim(t *testing.T) {
	for _, c := range []struct{ args, rest string }{
		{"-d id ls -d --bundle x", "id ls -d --bundle x"},
		{"-d -- id ls", "id ls"},
		{"-d id -- ls", "id -- ls"},
		{"-d id --nosuch", "id --nosuch"},
		{"-d id ls --help", "id ls --help"},
	} {
		var got sample
		err := parse(strings.Fields(c.args), got.flags(), "ID COMMAND [ARGUMENT...]", func(args []string) error {
			if rest := strings.Join(args, " "); rest != c.rest {
				return errors.New("rest: " + rest)
			}
			return nil
		})
		if err != nil || !got.detach || got.bundle != "" {
			t.Errorf("%q: %+v, error %v", c.args, got, err)
		}
	}
}

func TestWrongFlags(t *testing.T) {
	for _, c := range []struct{ args, err string }{
		{"--nosuch id", "flag provided but not defined: -nosuch"},
		{"-nosuch=secret id", "flag provided but not defined: -nosuch"},
		{"--nosuch --bundle", "flag provided but not defined: -nosuch"},
		{"id --bundle", "flag needs an argument: -bundle"},
		{"-b", "flag needs an argument: -b"},
		{"--preserve-fds x id", `--preserve-fds "x": not a number of descriptors`},
		{"--preserve-fds -1 id", `--preserve-fds "-1": not a number of descriptors`},
		{"--preserve-fds 99999999999999999999 id", `--preserve-fds "99999999999999999999": not a number of descriptors`},
		{"--detach=maybe id", `invalid boolean value "maybe" for -detach: neither true nor false`},
		{"--= id", "bad flag syntax: --="},
	} {
		var got sample
		err := parse(strings.Fields(c.args), got.flags(), "", func([]string) error { return nil })
		if err == nil || err.Error() != c.err {
			t.Errorf("%q: %v, want %s", c.args, err, c.err)
		}
	}
}

// What follows a wrong flag is still read: --log has to get the error.
func TestWrongFlagsAreReadLast(t *testing.T) {
	var got sample
	err := parse([]string{"--nosuch", "--detach=maybe", "--bundle", "/b", "id"}, got.flags(), "", func([]string) error { return nil })
	if err == nil || got.bundle != "/b" {
		t.Errorf("%+v, error %v", got, err)
	}
}

// A container may be called as a command, or as a flag that is given.
func TestArgumentsAreNoCommands(t *testing.T) {
	for _, id := range []string{"help", "h", "x", "detach", "d", "env"} {
		var got sample
		err := parse([]string{id, "-d", "-e", "A=1"}, got.flags(), "", func(args []string) error {
			if !slices.Equal(args, []string{id}) {
				return errors.New(strings.Join(args, " "))
			}
			return nil
		})
		if err != nil || !got.detach {
			t.Errorf("%s: %+v, error %v", id, got, err)
		}
	}
}

func TestCheckCount(t *testing.T) {
	for _, c := range []struct {
		min, max, n int
		err         string
	}{
		{1, 1, 1, ""},
		{1, 1, 0, `ociruntime: "x" requires exactly 1 argument(s): ID, and there is none`},
		{1, 1, 2, `ociruntime: "x" requires exactly 1 argument(s): ID, not "a" "b"`},
		{1, 2, 0, `ociruntime: "x" requires a minimum of 1 argument(s): ID, and there is none`},
		{1, 2, 3, `ociruntime: "x" requires a maximum of 2 argument(s): ID, not "a" "b" "c"`},
		{1, -1, 3, ""},
		{0, 0, 1, `ociruntime: "x" requires exactly 0 argument(s), not "a"`},
	} {
		x := &cli.Command{Name: "x"}
		if c.max != 0 {
			x.ArgsUsage = "ID"
		}
		err := checkCount(x, c.min, c.max, []string{"a", "b", "c"}[:c.n])
		if got := errorText(err); got != c.err {
			t.Errorf("%d to %d, got %d: %q, want %q", c.min, c.max, c.n, got, c.err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
