package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// What engines send: containerd's shim (also Docker's and CRI's), dockerd, Podman with conmon,
// CRI-O, nerdctl. A line that is no longer understood breaks their users. DIR is a directory;
// behind the arrow are the command, its flags and its arguments.
const engineLines = `
--root DIR/moby --log DIR/log.json --log-format json create --bundle DIR/b --pid-file DIR/b/init.pid ID -> create bundle=DIR/b pid-file=DIR/b/init.pid : ID
--root DIR/k8s.io --log DIR/log.json --log-format json --systemd-cgroup create --bundle DIR/b --pid-file DIR/p --console-socket DIR/s --no-pivot --no-new-keyring --preserve-fds 2 ID -> create bundle=DIR/b console-socket=DIR/s no-new-keyring=true no-pivot=true pid-file=DIR/p preserve-fds= : ID
--root DIR/moby --log DIR/log.json --log-format json start ID -> start : ID
--root DIR/moby --log DIR/log.json --log-format json exec --process DIR/process --console-socket DIR/s --detach --pid-file DIR/e.pid ID -> exec console-socket=DIR/s detach=true pid-file=DIR/e.pid process=DIR/process : ID
--root DIR/moby --log DIR/log.json --log-format json kill --all ID 9 -> kill all=true : ID 9
--root DIR/moby --log DIR/log.json --log-format json kill ID 15 -> kill : ID 15
--root DIR/moby --log DIR/log.json --log-format json delete ID -> delete : ID
--root DIR/moby --log DIR/log.json --log-format json delete --force ID -> delete force=true : ID
--root DIR/moby --log DIR/log.json --log-format json pause ID -> pause : ID
--root DIR/moby --log DIR/log.json --log-format json resume ID -> resume : ID
--root DIR/moby --log DIR/log.json --log-format json ps --format json ID -> ps format=json : ID
--root DIR/moby --log DIR/log.json --log-format json update --resources=- ID -> update resources=- : ID
--root DIR/moby --log DIR/log.json --log-format json update --resources - ID -> update resources=- : ID
features -> features :
events --stats ID -> events stats=true : ID
events --interval=5s ID -> events interval= : ID
list --format=json -> list format=json :
state ID -> state : ID
--systemd-cgroup --log-format=json --log DIR/oci-log create --bundle DIR/b --pid-file DIR/p --no-pivot --preserve-fds 1 --console-socket DIR/s ID -> create bundle=DIR/b console-socket=DIR/s no-pivot=true pid-file=DIR/p preserve-fds= : ID
--log-format=json --log DIR/oci-log exec --pid-file DIR/p --process DIR/f --detach --tty --preserve-fds 3 --console-socket DIR/s ID -> exec console-socket=DIR/s detach=true pid-file=DIR/p preserve-fds= process=DIR/f tty=true : ID
update --resources=DIR/f ID -> update resources=DIR/f : ID
--cgroup-manager disabled create --bundle DIR/b ID -> create bundle=DIR/b : ID
--root=DIR/r exec --process DIR/f ID -> exec process=DIR/f : ID
--root DIR/r kill ID KILL -> kill : ID KILL
--root DIR/r kill ID SIGTERM -> kill : ID SIGTERM
-root DIR/r run -no-subreaper -bundle DIR/b -d ID -> run bundle=DIR/b detach=true no-subreaper=true : ID
run ID --bundle DIR/b --detach -> run bundle=DIR/b detach=true : ID
exec -t -e A=1 --env B=2 ID ls -l --help -> exec env= tty=true : ID ls -l --help
ps ID -o pid,comm -> ps : ID -o pid,comm
`

func TestEngineLines(t *testing.T) {
	for line := range strings.Lines(strings.ReplaceAll(strings.TrimSpace(engineLines), "DIR", t.TempDir())) {
		given, want, _ := strings.Cut(line, "->")
		a := &app{}
		commandLine, args := newApp(a, strings.Fields(given))
		commandLine.Writer = io.Discard
		var got string
		for _, c := range commandLine.Commands {
			c.Action = func(c *cli.Context) error {
				got = understood(c)
				return nil
			}
		}
		err := commandLine.Run(append([]string{name}, args...))
		if err != nil || got != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: %v\n got %s\nwant %s", given, err, got, want)
		}
		for _, g := range []struct{ flag, value string }{
			{"root", a.globals.root}, {"log", a.log.path}, {"log-format", a.log.format},
		} {
			_, value, ok := strings.Cut(strings.ReplaceAll(given, "=", " "), "-"+g.flag+" ")
			if value, _, _ = strings.Cut(value, " "); ok && value != g.value {
				t.Errorf("%s: --%s is %q", given, g.flag, g.value)
			}
		}
		if strings.Contains(given, "--systemd-cgroup") != a.globals.systemdCgroup {
			t.Errorf("%s: systemd: %v", given, a.globals.systemdCgroup)
		}
	}
}

// understood is a command line as it has been read.
func understood(c *cli.Context) string {
	words := []string{c.Command.Name}
	var flags []string
	for _, f := range c.Command.Flags {
		long := f.Names()[0]
		if !c.IsSet(long) {
			continue
		}
		value := ""
		if o, ok := f.(*option); ok {
			value = o.value.String()
		}
		flags = append(flags, long+"="+value)
	}
	slices.Sort(flags)
	return strings.Join(slices.Concat(words, flags, []string{":"}, c.Args().Slice()), " ")
}
