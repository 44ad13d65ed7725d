package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// pastReady is when nothing is prepared any more.
const pastReady = 350 * time.Millisecond

// odd is a process with which something is wrong, or nearly so.
type odd struct {
	name    string
	process string // members of the process beside those that all have
	streams func(dir string) streams
}

func (o *odd) request(id, exec, dir string) *api.ExecProcessRequest {
	var s streams
	if o.streams != nil {
		s = o.streams(dir)
	}
	spec := fmt.Sprintf(`{"cwd":"/","env":["PATH=/bin"],"args":["true"]%s}`, o.process)
	return &api.ExecProcessRequest{
		ID: id, ExecID: exec, Stdin: s.in, Stdout: s.out, Stderr: s.err,
		Spec: &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process", Value: []byte(spec)},
	}
}

func oddities() []odd {
	out := func(address string) func(string) streams {
		return func(dir string) streams { return streams{out: strings.ReplaceAll(address, "DIR", dir)} }
	}
	in := func(path string) func(string) streams {
		return func(dir string) streams { return streams{in: strings.ReplaceAll(path, "DIR", dir)} }
	}
	return []odd{
		{name: "nothing wrong"},
		{name: "status 3", process: `,"args":["sh","-c","exit 3"]`},
		{name: "killed", process: `,"args":["sh","-c","kill -9 $$"]`},
		{name: "not in PATH", process: `,"args":["missing"]`},
		{name: "missing", process: `,"args":["/missing"]`},
		{name: "directory", process: `,"args":["/bin"]`},
		{name: "not executable", process: `,"args":["/data"]`},
		{name: "below a file", process: `,"args":["/data/x"]`},
		{name: "no interpreter", process: `,"args":["/script"]`},
		{name: "no program", process: `,"args":["/garbage"]`},
		{name: "no args", process: `,"args":[]`},
		{name: "empty program", process: `,"args":[""]`},
		{name: "zero byte", process: `,"args":["true","a\u0000b"]`},
		{name: "zero byte in env", process: `,"env":["A=a\u0000b"]`},
		{name: "odd env", process: `,"env":["PATH","=x",""]`},
		{name: "long argument", process: `,"args":["true","` + strings.Repeat("x", 200000) + `"]`},
		{name: "missing cwd", process: `,"cwd":"/missing"`},
		{name: "cwd is a file", process: `,"cwd":"/data"`},
		{name: "relative cwd", process: `,"cwd":"bin"`},
		{name: "closed cwd", process: `,"cwd":"/closed","user":{"uid":1000,"gid":1000}`},
		{name: "cwd of a descriptor", process: `,"cwd":"/proc/self/fd/3"`},
		{name: "program of a descriptor", process: `,"args":["/proc/self/fd/3"]`},
		{name: "user without a name", process: `,"user":{"uid":4000000000,"gid":4000000001,"additionalGids":[1,2,3]}`},
		{name: "no user", process: `,"user":{"uid":4294967295,"gid":4294967295}`},
		{name: "negative user", process: `,"user":{"uid":-1}`},
		{name: "capability", process: `,"capabilities":{"bounding":["CAP_NONE"]}`},
		{name: "ambient", process: `,"capabilities":{"ambient":["CAP_SYS_ADMIN"]}`},
		{name: "rlimit", process: `,"rlimits":[{"type":"RLIMIT_X","soft":1,"hard":1}]`},
		{name: "rlimit twice", process: `,"rlimits":[{"type":"RLIMIT_CORE","soft":1,"hard":1},{"type":"RLIMIT_CORE","soft":1,"hard":1}]`},
		{name: "soft above hard", process: `,"rlimits":[{"type":"RLIMIT_CORE","soft":2,"hard":1}]`},
		{name: "few files", process: `,"rlimits":[{"type":"RLIMIT_NOFILE","soft":3,"hard":3}]`},
		{name: "more files than may be", process: `,"rlimits":[{"type":"RLIMIT_NOFILE","soft":99999999999,"hard":99999999999}]`},
		{name: "no address space", process: `,"rlimits":[{"type":"RLIMIT_AS","soft":4096,"hard":4096}]`},
		{name: "no processes", process: `,"user":{"uid":1000,"gid":1000},"rlimits":[{"type":"RLIMIT_NPROC","soft":0,"hard":0}]`},
		{name: "apparmor", process: `,"apparmorProfile":"missing"`},
		{name: "selinux", process: `,"selinuxLabel":"a:b:c:d"`},
		{name: "oom score", process: `,"oomScoreAdj":5000`},
		{name: "scheduler", process: `,"scheduler":{"policy":"SCHED_X"}`},
		{name: "deadline", process: `,"scheduler":{"policy":"SCHED_DEADLINE","runtime":1,"deadline":1,"period":1}`},
		{name: "io priority", process: `,"ioPriority":{"class":"IOPRIO_CLASS_X","priority":1}`},
		{name: "io priority too high", process: `,"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":9}`},
		{name: "no such cpu", process: `,"execCPUAffinity":{"initial":"900"}`},
		{name: "no cpus", process: `,"execCPUAffinity":{"initial":"x"}`},
		{name: "no such cpu in the end", process: `,"execCPUAffinity":{"final":"900"}`},
		{name: "unknown member", process: `,"xyz":1`},
		{name: "long HOME", process: `,"env":["HOME=` + strings.Repeat("x", 5000) + `"]`},
		{name: "umask", process: `,"user":{"umask":4294967295}`},
		{name: "missing stdin", streams: in("DIR/missing")},
		{name: "stdin is a file", streams: in("DIR/file")},
		{name: "stdin is a directory", streams: in("DIR")},
		{name: "stdin is a device", streams: in("/dev/zero")},
		{name: "stdin is a loop", streams: in("DIR/loop")},
		{name: "missing stdout", streams: out("DIR/missing")},
		{name: "stdout is a directory", streams: out("DIR")},
		{name: "stdout is a directory for a file", streams: out("file://DIR")},
		{name: "stdout is a new file", streams: out("file://DIR/new/file")},
		{name: "stdout is a file", streams: out("file://DIR/file")},
		{name: "stdout is below a file", streams: out("file://DIR/file/x")},
		{name: "other address", streams: out("http://DIR/file")},
		{name: "no address", streams: out("://%zz")},
		{name: "no log program", streams: out("binary:///missing?x=y")},
		{name: "zero byte in stdout", streams: out("DIR/a\x00b")},
	}
}

// What is wrong with a process is said in the same words whether its start follows at once, when it
// has been prepared, or much later.
func TestOddExecs(t *testing.T) {
	p := newPod(t)
	b := p.bundle().Args("sleep", "1000").Writable().
		File("data", "x", 0o644).File("script", "#!/bin/ruby\n", 0o755).File("garbage", "\x01\x02\x03", 0o755).File("closed/x", "", 0o600)
	if err := os.Chmod(filepath.Join(b.Rootfs, "closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	p.run(b, streams{})
	atOnce := p.outcomes(b.ID, dir, "at-once", 0)
	later := p.outcomes(b.ID, dir, "later", pastReady)
	for i, o := range oddities() {
		if atOnce[i] != later[i] {
			t.Errorf("%s: at once %s; later %s", o.name, atOnce[i], later[i])
		}
	}
	if maps := readFile(t, fmt.Sprintf("/proc/%d/maps", p.pid)); strings.Contains(maps, "progress") {
		t.Errorf("a page that was shared with a process is left: %s", maps)
	}
}

// outcomes are what comes of the odd processes, with a pause between their announcement and their
// start.
func (p *pod) outcomes(id, dir, prefix string, pause time.Duration) (list []string) {
	p.t.Helper()
	all := oddities()
	announced := make([]error, len(all))
	if pause > 0 {
		for i := range all {
			announced[i] = p.announce(&all[i], id, fmt.Sprint(prefix, i), dir)
		}
		time.Sleep(pause)
	}
	for i := range all {
		exec := fmt.Sprint(prefix, i)
		if pause == 0 {
			announced[i] = p.announce(&all[i], id, exec, dir)
		}
		err := announced[i]
		if err == nil {
			err = p.call("Start", &api.StartRequest{ID: id, ExecID: exec}, &api.StartResponse{})
		}
		switch {
		case err == nil:
			list = append(list, fmt.Sprint("exit status ", p.wait(id, exec)))
		case status.Code(err) == codes.Internal:
			p.t.Errorf("%s: %v", all[i].name, err)
			fallthrough
		default:
			list = append(list, err.Error())
		}
		if announced[i] == nil {
			p.must("Delete", &api.DeleteRequest{ID: id, ExecID: exec}, &api.DeleteResponse{})
		}
	}
	return list
}

func (p *pod) announce(o *odd, id, exec, dir string) error {
	return p.call("Exec", o.request(id, exec, dir), &emptypb.Empty{})
}
