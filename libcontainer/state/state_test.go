package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The test program plays other commands of the runtime: it does what its arguments say in place of
// running tests.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 {
		if child, ok := children[os.Args[1]]; ok {
			child(&Dir{root: os.Args[2], id: os.Args[3]})
			return
		}
	}
	os.Exit(m.Run())
}

var children = map[string]func(*Dir){
	"hold": func(d *Dir) {
		if _, err := d.Lock(context.Background(), true); err != nil {
			panic(err)
		}
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin)
	},
	"count": func(d *Dir) {
		for range 50 {
			unlock, err := d.Lock(context.Background(), true)
			if err != nil {
				panic(err)
			}
			data, err := d.ReadFile("count")
			if err != nil {
				panic(err)
			}
			n, _ := strconv.Atoi(string(data))
			if err := d.WriteFile("count", []byte(strconv.Itoa(n+1))); err != nil {
				panic(err)
			}
			unlock()
		}
	},
	"save": func(d *Dir) {
		r := &Record{Version: version, Annotations: map[string]string{"k": strings.Repeat("x", 300_000)}}
		fmt.Println("saving")
		for r.WaitOp = 0; ; r.WaitOp++ {
			if err := d.Save(r); err != nil {
				panic(err)
			}
		}
	},
}

// child starts the test program in a role of the above and waits for its first line.
func child(t *testing.T, role string, d *Dir) (*exec.Cmd, io.WriteCloser) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", role, d.root, d.id)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := stdout.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	return cmd, stdin
}

func create(t *testing.T) *Dir {
	t.Helper()
	d, err := Create(filepath.Join(t.TempDir(), "root"), "c")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mode(t *testing.T, name string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestIDs(t *testing.T) {
	for _, id := range []string{"a", "A-b_c+d.e", "...", ".hidden", "-x", strings.Repeat("l", 255)} {
		if err := CheckID(id); err != nil {
			t.Error(err)
		}
	}
	for _, id := range []string{"", ".", "..", "a/b", "../x", "a b", "a\n", "ä", "a\x00", "a:b", strings.Repeat("l", 256)} {
		if err := CheckID(id); !errors.Is(err, ErrInvalidID) || !strings.HasPrefix(err.Error(), "invalid container ID format") {
			t.Errorf("%q: %v", id, err)
		}
		if _, err := Create(t.TempDir(), id); !errors.Is(err, ErrInvalidID) {
			t.Errorf("create %q: %v", id, err)
		}
		if _, err := Open(t.TempDir(), id); !errors.Is(err, ErrInvalidID) {
			t.Errorf("open %q: %v", id, err)
		}
	}
}

func TestCreateIsTheLockOnTheID(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a", "b")
	if _, err := Open(root, "c"); !errors.Is(err, ErrNotExist) {
		t.Errorf("open before: %v", err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { _, errs[i] = Create(root, "c") })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrExist) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d succeeded", won, len(errs))
	}
	if _, err := Open(root, "c"); err != nil {
		t.Error(err)
	}
}

func TestModes(t *testing.T) {
	xdg := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", xdg)
	umask := os.FileMode(0o277)
	if os.Geteuid() != 0 {
		umask = 0o077 // nobody else makes a directory in what is not to be written to
	}
	if err := os.Mkdir(xdg+"2", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(xdg + "2") })
	defer unix.Umask(unix.Umask(int(umask)))
	for root, want := range map[string]os.FileMode{
		filepath.Join(xdg, "ociruntime"): 0o700 | os.ModeSticky,
		// Beside it, with a common beginning.
		filepath.Join(xdg+"2", "r"): 0o700 &^ umask,
	} {
		d, err := Create(root, "c")
		if err != nil {
			t.Fatal(err)
		}
		if got := mode(t, root); got != want|os.ModeDir {
			t.Errorf("%s: %v, want %v", root, got, want)
		}
		if got := mode(t, d.Path()); got != 0o711|os.ModeDir {
			t.Errorf("%s: %v", d.Path(), got)
		}
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	defer unix.Umask(unix.Umask(0))
	d := create(t)
	listener, err := d.ListenStart()
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	page, err := d.NewProgressFile()
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	if err := errors.Join(d.Save(&Record{}), d.SaveConfig([]byte("{}"))); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(d.Path())
	if err != nil || len(entries) != 4 {
		t.Errorf("%v %v", entries, err)
	}
	for _, e := range entries {
		if m := mode(t, d.file(e.Name())); m.Perm() != 0o600 {
			t.Errorf("%s: %v", e.Name(), m)
		}
	}
}

func TestRecordComesBack(t *testing.T) {
	d := create(t)
	if _, err := d.Load(); !errors.Is(err, ErrNotExist) {
		t.Errorf("load before save: %v", err)
	}
	r, err := NewRecord("c")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetInit(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	r.Bundle = "/b"
	r.Annotations = map[string]string{"bundle": "not the bundle", "a=b": "c"}
	r.SetNamespaces([]specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace, Path: "/run/netns/x"}, {Type: specs.MountNamespace}})
	if err := d.Save(r); err != nil {
		t.Fatal(err)
	}
	got, err := d.Load()
	if err != nil {
		t.Fatal(err)
	}
	got.boot = nil // functions can't be compared
	if !reflect.DeepEqual(got, r) {
		t.Errorf("loaded %+v\nsaved  %+v", got, r)
	}
	// What cAdvisor and others look for.
	text, err := os.ReadFile(d.file("state.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"id":"c"`, fmt.Sprintf(`"init_process_pid":%d`, os.Getpid()), `"init_process_start":`, `"cgroup_paths":`, `"created":"20`, `Z",`,
		fmt.Sprintf(`"NEWNET":"/proc/%d/ns/net"`, os.Getpid()), `{"type":"NEWNS","path":""}`, `{"type":"NEWNET","path":"/run/netns/x"}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
	if !got.PrivatePid() {
		t.Error("the pid namespace is not private")
	}
	got.Config.Namespaces[0].Path = "/proc/1/ns/pid"
	if got.PrivatePid() {
		t.Error("a joined pid namespace is private")
	}
}

// Other programs find the namespaces in a record that was read and written again, too.
func TestNamespacePaths(t *testing.T) {
	d := create(t)
	r := &Record{Version: version}
	if err := r.SetInit(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Save(r); err != nil {
			t.Fatal(err)
		}
		text, err := d.ReadFile("state.json")
		want := fmt.Sprintf(`"NEWNS":"/proc/%d/ns/mnt"`, os.Getpid())
		if err != nil || !strings.Contains(string(text), want) {
			t.Fatalf("no %s in %s %v", want, text, err)
		}
		if r, err = d.Load(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordsOfOthers(t *testing.T) {
	d := create(t)
	for name, c := range map[string]struct {
		text  string
		check func(*Record) bool
	}{
		"newer": {
			`{"version":9,"id":"c","phase":"created","init_process_pid":7,"new":{"x":[1]},"config":{"rootfs":"/r","more":1}}`,
			func(r *Record) bool { return r.InitPid == 7 && r.Phase == Created && r.Config.Rootfs == "/r" },
		},
		"runc": {
			`{"id":"c","init_process_pid":8,"init_process_start":99,"created":"2026-01-02T03:04:05.6Z","config":{"no_pivot_root":false,
			"rootfs":"/r","labels":["k=v=w","bundle=/b"],"namespaces":[{"type":"NEWPID","path":""}],"cgroups":{"path":"/x","systemd":false}},
			"rootless":false,"cgroup_paths":{"memory":"/sys/fs/cgroup/memory/x"},"namespace_paths":{},"external_descriptors":["/dev/null"]}`,
			func(r *Record) bool {
				return r.Phase == Created && r.CgroupMade && r.Bundle == "/b" && r.Annotations["k"] == "v=w" && r.PrivatePid()
			},
		},
		"old":   {`{"version":1}`, func(r *Record) bool { return r.ID == "c" && r.InitPid == 0 && !r.CgroupMade }},
		"empty": {``, nil}, "cut": {`{"version":1,"id":"c`, nil}, "list": {`[]`, nil},
	} {
		if err := d.WriteFile("state.json", []byte(c.text)); err != nil {
			t.Fatal(err)
		}
		r, err := d.Load()
		switch {
		case c.check == nil:
			if err == nil || errors.Is(err, ErrNotExist) || !strings.Contains(err.Error(), "state.json") {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || !c.check(r):
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
}

// A writer that is killed at any moment leaves the old record or the new one, and does not disturb
// the next.
func TestSaveKilledInTheMiddle(t *testing.T) {
	d := create(t)
	if err := d.Save(&Record{Version: version}); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		cmd, _ := child(t, "save", d)
		time.Sleep(time.Duration(i) * 700 * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if _, err := d.Load(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Save(&Record{Version: version, WaitOp: -1}); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Load(); err != nil || r.WaitOp != -1 || len(r.Annotations) > 0 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestLockKeepsCommandsApart(t *testing.T) {
	d := create(t)
	if err := d.WriteFile("count", []byte("0")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if out, err := exec.Command("/proc/self/exe", "count", d.root, d.id).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	if data, err := d.ReadFile("count"); err != nil || string(data) != "200" {
		t.Errorf("%s %v", data, err)
	}
}

func TestLockOfAnotherCommand(t *testing.T) {
	d := create(t)
	if d.Held() {
		t.Error("held by nobody")
	}
	cmd, stdin := child(t, "hold", d)
	if !d.Held() {
		t.Error("not held")
	}
	_, err := d.LockWithin(t.Context(), 20*time.Millisecond)
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), fmt.Sprintf("process %d (/proc/self/exe hold ", cmd.Process.Pid)) {
		t.Errorf("error: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { stdin.Close() })
	unlock, err := d.LockWithin(t.Context(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	// Our own lock counts, and asking about it does not lose it.
	for range 2 {
		if !d.Held() {
			t.Error("our own lock is not held")
		}
	}
	unlock()
	if d.Held() {
		t.Error("still held")
	}
}

func TestLockDiesWithItsHolder(t *testing.T) {
	d := create(t)
	cmd, _ := child(t, "hold", d)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	unlock, err := d.LockWithin(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestReadersShare(t *testing.T) {
	d := create(t)
	for range 2 {
		unlock, err := d.Lock(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
	}
	if _, err := d.LockWithin(t.Context(), 0); !errors.Is(err, ErrBusy) {
		t.Errorf("a writer among readers: %v", err)
	}
}

func TestLockWaitsForADeletion(t *testing.T) {
	for _, again := range []bool{false, true} {
		d := create(t)
		unlock, err := d.Lock(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error)
		go func() {
			unlock, err := d.Lock(t.Context(), true)
			if err == nil {
				// The lock must be on the new directory, not on the one that has lost its name.
				if !d.Held() {
					err = errors.New("locked, but not what has the name")
				}
				unlock()
			}
			got <- err
		}()
		time.Sleep(20 * time.Millisecond)
		if err := d.Remove(); err != nil {
			t.Fatal(err)
		}
		if again {
			if _, err := Create(d.root, d.id); err != nil {
				t.Fatal(err)
			}
		}
		unlock()
		if err := <-got; again && err != nil || !again && !errors.Is(err, ErrNotExist) {
			t.Errorf("created again %v: %v", again, err)
		}
	}
}

func TestLockHolder(t *testing.T) {
	locks := "1: POSIX  ADVISORY  WRITE 3 00:1a:13 0 EOF\n2: FLOCK  ADVISORY  WRITE 708 00:1a:13 0 EOF\n" +
		"2: -> FLOCK  ADVISORY  WRITE 5 00:1a:13 0 EOF\n3: FLOCK  ADVISORY  WRITE 9 00:1a:14 0 EOF\n"
	if pid := lockHolder(locks, "00:1a:13"); pid != 708 {
		t.Errorf("holder %d", pid)
	}
	if pid := lockHolder(locks, "00:1a:15"); pid != 0 {
		t.Errorf("holder %d", pid)
	}
}

func TestRemoveTakesEverythingButLinkTargets(t *testing.T) {
	d := create(t)
	outside := filepath.Join(t.TempDir(), "keep")
	err := errors.Join(
		os.MkdirAll(d.file("notify/deep"), 0o700), os.WriteFile(d.file("notify/deep/file"), nil, 0),
		os.Mkdir(outside, 0o700), os.WriteFile(outside+"/file", nil, 0o600),
		os.Symlink(outside, d.file("dir")), os.Symlink(outside+"/file", d.file("notify/link")), d.Save(&Record{}),
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(outside + "/file"); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(d.root); err != nil || len(entries) > 0 {
		t.Errorf("left %v %v", entries, err)
	}
	if err := d.Remove(); err != nil {
		t.Errorf("remove again: %v", err)
	}
}

func TestList(t *testing.T) {
	d := create(t)
	err := errors.Join(os.Mkdir(filepath.Join(d.root, "b"), 0o700), os.WriteFile(filepath.Join(d.root, "file"), nil, 0o600), os.Mkdir(filepath.Join(d.root, "not an id"), 0o700))
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := List(d.root)
	if err != nil || len(dirs) != 2 || dirs[0].ID() != "b" || dirs[1].ID() != "c" {
		t.Errorf("%v %v", dirs, err)
	}
	if _, err := List(filepath.Join(d.root, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing root: %v", err)
	}
	file := filepath.Join(d.root, "file")
	_, listed := List(file)
	_, created := Create(file, "id")
	for _, err := range []error{listed, created} {
		if err == nil || !strings.Contains(err.Error(), "--root: "+file+" has to be a directory") {
			t.Errorf("a file as the root: %v", err)
		}
	}
	if _, err := Open(d.root, "file"); !errors.Is(err, ErrNotExist) {
		t.Errorf("open of a file: %v", err)
	}
}

// The path of the directory is far longer than a socket's address may be.
func TestStartSocket(t *testing.T) {
	d, err := Create(filepath.Join(t.TempDir(), strings.Repeat("r", 200)), strings.Repeat("i", 200))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ConnectStart(false); err == nil {
		t.Fatal("connected to nothing")
	}
	listener, err := d.ListenStart()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.ConnectStart(false)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fd, _, err := unix.Accept4(int(listener.Fd()), unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("go")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, err := unix.Read(fd, b); err != nil || string(b[:n]) != "go" {
		t.Errorf("read %q %v", b[:n], err)
	}
	// execve closes the init's end.
	unix.Close(fd)
	if n, err := conn.Read(b); n != 0 || err != io.EOF {
		t.Errorf("read %d %v", n, err)
	}
	listener.Close()
	if _, err := d.ConnectStart(false); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connect to a dead init: %v", err)
	}
	for _, f := range []*os.File{conn} {
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s is not close-on-exec", f.Name())
		}
	}
}

// What the init stores in its mapping is what a later command reads from the file.
func TestProgress(t *testing.T) {
	d := create(t)
	if _, _, err := d.Progress(); err == nil {
		t.Error("progress without a page")
	}
	f, err := d.NewProgressFile()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	page[0], page[4] = 42, 2
	if op, errno, err := d.Progress(); err != nil || op != 42 && op != 42<<24 || errno != unix.ENOENT && errno != unix.ENOENT<<24 {
		t.Errorf("%d %v %v", op, errno, err)
	}
	again, err := d.ProgressFile()
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if info, err := again.Stat(); err != nil || info.Size() != 4096 {
		t.Errorf("%v %v", info, err)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 5 0 123456 1 2"
	for _, name := range []string{"sh", "a b", "x) R 1 (y", "(", ")"} {
		p, ok := parseStat("42 (" + name + ")" + rest)
		if !ok || p.Pid != 42 || p.Command != name || p.State != 'S' || p.Threads != 5 || p.Start != 123456 {
			t.Errorf("%q: %+v %v", name, p, ok)
		}
	}
	for _, bad := range []string{"", "42", "42 (x) S 1", ")(", "x (y)" + rest} {
		if p, ok := parseStat(bad); ok {
			t.Errorf("%q: %+v", bad, p)
		}
	}
}

func TestInitLives(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	defer kill()
	r, err := NewRecord("c")
	if err != nil {
		t.Fatal(err)
	}
	alive := func(want bool) {
		t.Helper()
		p, err := r.Init()
		if err != nil || (p != nil) != want {
			t.Errorf("init %+v, %v; want one: %v", p, err, want)
		}
		f, err := r.OpenInit()
		if want && err != nil || !want && !errors.Is(err, unix.ESRCH) {
			t.Errorf("open: %v", err)
		}
		f.Close()
	}
	alive(false)
	if err := r.SetInit(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	alive(true)
	// Another process that got the pid.
	r.InitStart++
	alive(false)
	r.InitStart--
	// A record that outlived a reboot, and a process that started as long after it.
	boot := r.BootID
	r.BootID = "another"
	alive(false)
	r.BootID = boot
	alive(true)
	// A zombie is over.
	_ = cmd.Process.Signal(unix.SIGKILL)
	for p, err := ReadProcess(cmd.Process.Pid); p != nil && p.State != 'Z'; p, err = ReadProcess(cmd.Process.Pid) {
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	alive(false)
	kill()
	alive(false)
	if _, err := ReadProcess(cmd.Process.Pid); !errors.Is(err, unix.ESRCH) {
		t.Errorf("a process that is gone: %v", err)
	}
}

// The number of an init that has ended names the process group of those that outlive it.
func TestInitLeavesItsGroup(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 1000 & read line")
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }()
	r, err := NewRecord("c")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetInit(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	_ = cmd.Wait()
	if f, err := r.OpenInit(); !errors.Is(err, unix.ESRCH) {
		t.Errorf("%v, %v", f, err)
	}
}

func TestFirstThreadMayEndFirst(t *testing.T) {
	for _, c := range []struct {
		p    Process
		dead bool
	}{
		{Process{State: 'Z', Threads: 1}, true}, {Process{State: 'Z', Threads: 3}, false}, {Process{State: 'X', Threads: 0}, true},
		{Process{State: 'S', Threads: 1}, false}, {Process{State: 'D', Threads: 1}, false}, {Process{State: 'T', Threads: 1}, false},
	} {
		if got := c.p.Dead(); got != c.dead {
			t.Errorf("%c with %d threads: dead %v", c.p.State, c.p.Threads, got)
		}
	}
}

// Who reads a record again gets the same one until somebody has written another.
func TestReload(t *testing.T) {
	root := t.TempDir()
	d, err := Create(root, "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Save(&Record{ID: "c", Bundle: "/one"}); err != nil {
		t.Fatal(err)
	}
	first, err := d.Load()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.Reload(); err != nil || again != first {
		t.Errorf("%v, %v; not the one that was loaded", again, err)
	}
	other, err := Open(root, "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Save(&Record{ID: "c", Bundle: "/two"}); err != nil {
		t.Fatal(err)
	}
	if again, err := d.Reload(); err != nil || again.Bundle != "/two" || first.Bundle != "/one" {
		t.Errorf("%v, %v; not the one that was written", again, err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Reload(); !errors.Is(err, ErrNotExist) {
		t.Errorf("a container that is deleted: %v", err)
	}
}

// TestRecordMembers fills every field of a record and wants it back from the disk: one that is
// missing in the table would be lost.
func TestRecordMembers(t *testing.T) {
	var want, got Record
	fill(reflect.ValueOf(&want).Elem())
	text, err := want.members().Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.members().Read(text); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %+v\nwant %+v", text, got, want)
	}
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(8)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a": "b"}))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1, 2).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}
