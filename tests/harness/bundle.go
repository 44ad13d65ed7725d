package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Bundle is a bundle directory, its configuration and the id under which it
// runs. Changes of Spec count until the first command; Save writes it again.
type Bundle struct {
	*Runtime
	t      T
	Dir    string
	ID     string
	Rootfs string // <Dir>/rootfs
	Spec   *specs.Spec

	saved  bool
	stdout string // where the container's own output goes
}

var ids atomic.Int64

// NewBundle makes a bundle with a runtime of its own. Without a rootfs it
// gets a busybox.
func NewBundle(t T, rootfs ...Rootfs) *Bundle {
	t.Helper()
	return NewRuntime(t).Bundle(rootfs...)
}

// Bundle makes a bundle for this runtime's --root.
func (r *Runtime) Bundle(rootfs ...Rootfs) *Bundle {
	r.t.Helper()
	b := &Bundle{
		Runtime: r, t: r.t, Dir: TempDir(r.t), Spec: BaseSpec(),
		ID: fmt.Sprintf("%s-%d", filepath.Base(Work()), ids.Add(1)),
	}
	b.Spec.Linux.CgroupsPath = "/" + filepath.Base(Work()) + "/" + b.ID
	if slices.Contains(r.Flags, systemdFlag) {
		b.Spec.Linux.CgroupsPath = "system.slice:t:" + b.ID
	}
	b.Rootfs = filepath.Join(b.Dir, "rootfs")
	fill := Busybox
	if len(rootfs) > 0 {
		fill = rootfs[0]
	}
	fill(r.t, b.Rootfs)
	r.t.Cleanup(b.cleanUp)
	return b
}

// TempDir is a directory for the test that every user may walk into, unlike
// that of t.TempDir: processes with mapped ids come from outside.
func TempDir(t T) string {
	t.Helper()
	dir, err := os.MkdirTemp(Work(), "d")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Args sets process.args.
func (b *Bundle) Args(args ...string) *Bundle {
	b.Spec.Process.Args = args
	return b
}

// Sh sets process.args to a shell script.
func (b *Bundle) Sh(script string) *Bundle { return b.Args("sh", "-c", script) }

// Edit changes the configuration.
func (b *Bundle) Edit(change func(s *specs.Spec)) *Bundle {
	change(b.Spec)
	return b
}

// Writable makes the root filesystem writable.
func (b *Bundle) Writable() *Bundle {
	b.Spec.Root.Readonly = false
	return b
}

// Mount adds an entry to mounts.
func (b *Bundle) Mount(source, destination, kind string, options ...string) *Bundle {
	b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Source: source, Destination: destination, Type: kind, Options: options})
	return b
}

// Caps gives the process exactly these capabilities, in every set but ambient.
func (b *Bundle) Caps(names ...string) *Bundle {
	if names == nil {
		names = []string{}
	}
	b.Spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: names, Effective: names, Permitted: names}
	return b
}

// Namespace replaces the entry of a type, or adds it; path may be empty.
func (b *Bundle) Namespace(kind specs.LinuxNamespaceType, path string) *Bundle {
	b.NoNamespace(kind)
	b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: path})
	return b
}

// NoNamespace removes the entry of a type: the container shares the host's.
func (b *Bundle) NoNamespace(kind specs.LinuxNamespaceType) *Bundle {
	var kept []specs.LinuxNamespace
	for _, n := range b.Spec.Linux.Namespaces {
		if n.Type != kind {
			kept = append(kept, n)
		}
	}
	b.Spec.Linux.Namespaces = kept
	return b
}

// MapIDs gives the container a user namespace in which its ids 0… are the
// host's ids from first on, and hands the root filesystem over to them.
func (b *Bundle) MapIDs(first, size uint32) *Bundle {
	b.t.Helper()
	b.Namespace(specs.UserNamespace, "")
	m := []specs.LinuxIDMapping{{ContainerID: 0, HostID: first, Size: size}}
	b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = m, m
	chown(b.t, b.Rootfs, int(first))
	return b
}

// File writes a file of the root filesystem.
func (b *Bundle) File(name, content string, mode os.FileMode) *Bundle {
	b.t.Helper()
	full := filepath.Join(b.Rootfs, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		b.t.Fatal(err)
	}
	write := func() error { return os.WriteFile(full, []byte(content), mode) }
	if err := notWhileForking(write); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Chmod(full, mode); err != nil {
		b.t.Fatal(err)
	}
	return b
}

// Probe makes the container run a probe of the test binary (see Main), which
// is put into the root filesystem as /probe.
func (b *Bundle) Probe(name string, args ...string) *Bundle {
	b.t.Helper()
	b.InstallProbe(name)
	return b.Args(append([]string{"/probe"}, args...)...)
}

// InstallProbe is Probe without a change of process.args.
func (b *Bundle) InstallProbe(name string) *Bundle {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := CopyFile(self, filepath.Join(b.Rootfs, "probe"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	b.Spec.Process.Env = append(b.Spec.Process.Env, probeEnv+"="+name)
	return b
}

// Save writes config.json.
func (b *Bundle) Save() *Bundle {
	b.t.Helper()
	data, err := json.MarshalIndent(b.Spec, "", "\t")
	if err != nil {
		b.t.Fatal(err)
	}
	return b.SaveRaw(string(data))
}

// SaveRaw writes config.json as given.
func (b *Bundle) SaveRaw(config string) *Bundle {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.Dir, "config.json"), []byte(config), 0o644); err != nil {
		b.t.Fatal(err)
	}
	b.saved = true
	return b
}

func (b *Bundle) save() {
	b.t.Helper()
	if !b.saved {
		b.Save()
	}
}

// Run runs the container in the foreground: `run FLAGS ID`.
func (b *Bundle) Run(flags ...string) Result {
	b.t.Helper()
	return b.RunCmd(b.Command("run", flags...))
}

// MustRun is Run for a container that has to exit with 0; it gives the
// output without the last newline.
func (b *Bundle) MustRun(flags ...string) string {
	b.t.Helper()
	res := b.Run(flags...)
	if res.Code != 0 {
		b.t.Fatalf("exit %d\nstdout: %s\nstderr: %s", res.Code, res.Stdout, res.Stderr)
	}
	return strings.TrimSuffix(res.Stdout, "\n")
}

// FailRun runs a container that must not come up, checks that nothing is left
// of it and that the error names each of the words, and gives the error.
func (b *Bundle) FailRun(words ...string) string {
	b.t.Helper()
	return b.failed(b.TryCreate(), words)
}

func (b *Bundle) failed(res Result, words []string) string {
	b.t.Helper()
	if res.Code == 0 {
		b.t.Fatalf("succeeded, expected an error with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(res.Message(), w) {
			b.t.Errorf("error doesn't say %q: %s", w, res.Message())
		}
	}
	if dirs := b.CgroupDirs(); dirs != nil {
		b.t.Errorf("a failed create left cgroups: %v", dirs)
	}
	if _, err := os.Stat(filepath.Join(b.Root, b.ID)); !errors.Is(err, fs.ErrNotExist) {
		b.t.Errorf("a failed create left %s in --root", b.ID)
	}
	return res.Message()
}

// Command is a command on this bundle (create, run) that is not yet started.
func (b *Bundle) Command(verb string, flags ...string) *exec.Cmd {
	b.t.Helper()
	b.save()
	args := append([]string{verb, "--bundle", b.Dir}, flags...)
	return b.Cmd(append(args, b.ID)...)
}

// TryCreate is `create FLAGS ID`, whatever comes out.
func (b *Bundle) TryCreate(flags ...string) Result {
	b.t.Helper()
	res, files := b.run(b.Command("create", flags...))
	b.stdout = files.stdout
	return res
}

// Create is `create FLAGS ID` that has to succeed.
func (b *Bundle) Create(flags ...string) *Bundle {
	b.t.Helper()
	if res := b.TryCreate(flags...); res.Code != 0 {
		b.t.Fatalf("create: exit %d: %s", res.Code, res.Stderr)
	}
	return b
}

// Start is create and start.
func (b *Bundle) Start(flags ...string) *Bundle {
	b.t.Helper()
	b.Create(flags...)
	b.Must("start", b.ID)
	return b
}

// Output is what the created container has written to its standard output.
func (b *Bundle) Output() string { return readFile(b.stdout) }

// Exec is `exec ID ARGS`.
func (b *Bundle) Exec(args ...string) Result {
	b.t.Helper()
	return b.Runtime.Run(append([]string{"exec", b.ID}, args...)...)
}

// MustExec is Exec that has to succeed; it gives the output without the last
// newline.
func (b *Bundle) MustExec(args ...string) string {
	b.t.Helper()
	return strings.TrimSuffix(b.Must(append([]string{"exec", b.ID}, args...)...), "\n")
}

// Do is a command that takes the id last: `VERB FLAGS ID`.
func (b *Bundle) Do(verb string, flags ...string) Result {
	b.t.Helper()
	return b.Runtime.Run(append(append([]string{verb}, flags...), b.ID)...)
}

// State is the answer of `state ID`.
type State struct {
	specs.State
	Rootfs  string    `json:"rootfs"`
	Created time.Time `json:"created"`
	Owner   string    `json:"owner"`
}

// State asks for the state of the container.
func (b *Bundle) State() State {
	b.t.Helper()
	var s State
	out := b.Must("state", b.ID)
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		b.t.Fatalf("state: %v in %q", err, out)
	}
	return s
}

// Pid is the container's process, in the host's numbers.
func (b *Bundle) Pid() int {
	b.t.Helper()
	pid := b.State().Pid
	if pid <= 0 {
		b.t.Fatalf("pid %d", pid)
	}
	return pid
}

// WaitStatus waits until the container has a status.
func (b *Bundle) WaitStatus(status specs.ContainerState) {
	b.t.Helper()
	Eventually(b.t, fmt.Sprintf("status %s", status), func() bool { return b.State().Status == status })
}

// Delete is `delete ID` that has to succeed.
func (b *Bundle) Delete() {
	b.t.Helper()
	b.Must("delete", b.ID)
}

// Kill ends the container's process and waits for that.
func (b *Bundle) Kill() {
	b.t.Helper()
	b.Must("kill", b.ID, "KILL")
	b.WaitStatus(specs.StateStopped)
}

func (b *Bundle) cgroupsPath() string {
	p := b.Spec.Linux.CgroupsPath
	if parts := strings.Split(p, ":"); len(parts) == 3 && slices.Contains(b.Flags, systemdFlag) {
		return "/" + parts[0] + "/" + parts[1] + "-" + parts[2] + ".scope"
	}
	if p != "" {
		return p
	}
	return "/" + b.ID
}

// cleanUp removes the container, whatever state the test left it in, and
// complains about what `delete --force` has not removed.
func (b *Bundle) cleanUp() {
	// A refused id such as ".." has nothing behind it.
	dir := filepath.Join(b.Root, b.ID)
	if _, err := os.Stat(dir); err == nil && filepath.Dir(dir) == b.Root && b.ID != "." {
		if res := b.Runtime.Run("delete", "--force", b.ID); res.Code != 0 {
			b.t.Errorf("delete --force: exit %d: %s", res.Code, res.Stderr)
		}
	}
	for _, dir := range b.CgroupDirs() {
		b.t.Errorf("left cgroup %s with processes %v", dir, CgroupPids(dir))
	}
	if err := b.RemoveCgroups(); err != nil {
		b.t.Error(err)
	}
}
