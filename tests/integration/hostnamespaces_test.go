package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// hostValue notes a file below /proc/sys, and puts its value back should a test have changed it.
func hostValue(t *testing.T, key string) (value string) {
	t.Helper()
	file := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
	value = strings.TrimSpace(readFile(t, file))
	t.Cleanup(func() {
		if now, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(now)) != value {
			t.Errorf("the host's %s was %q and has become %q", key, value, now)
			if err := os.WriteFile(file, []byte(value), 0); err != nil {
				t.Error(err)
			}
		}
	})
	return value
}

// setsOnHost are configurations that set something in a namespace, with another value than the host
// has.
func setsOnHost(t *testing.T) map[string]struct {
	kind  specs.LinuxNamespaceType
	place string
	set   func(s *specs.Spec)
} {
	t.Helper()
	type attack = struct {
		kind  specs.LinuxNamespaceType
		place string
		set   func(s *specs.Spec)
	}
	all := map[string]attack{
		"hostname": {specs.UTSNamespace, "hostname", func(s *specs.Spec) { s.Hostname = "taken" }},
		"domainname": {specs.UTSNamespace, "domainname", func(s *specs.Spec) {
			s.Hostname, s.Domainname = "", "taken"
		}},
	}
	hostValue(t, "kernel.hostname")
	for key, kind := range map[string]specs.LinuxNamespaceType{
		"net.ipv4.ip_forward": specs.NetworkNamespace, "kernel.shmmni": specs.IPCNamespace, "fs.mqueue.queues_max": specs.IPCNamespace,
		"kernel.domainname": specs.UTSNamespace, "user.max_net_namespaces": specs.UserNamespace,
	} {
		value := "1234"
		if key == "net.ipv4.ip_forward" {
			value = "1"
		}
		if hostValue(t, key) == value {
			value = "0"
		}
		all[key] = attack{kind, fmt.Sprintf("linux.sysctl[%q]", key), func(s *specs.Spec) {
			s.Hostname = ""
			s.Linux.Sysctl = map[string]string{key: value}
		}}
	}
	return all
}

// An entry of linux.namespaces whose path leads to a namespace of the host is not a namespace of
// the container's own: what belongs to a namespace must not be set in it, whatever the path looks
// like.
func TestNothingIsSetInTheHostsNamespaces(t *testing.T) {
	ours(t, "what it asserts is the wording")
	for name, a := range setsOnHost(t) {
		link := kinds[a.kind]
		own := nsPath(os.Getpid(), link)
		bound := filepath.Join(harness.TempDir(t), "bound")
		if err := os.WriteFile(bound, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(own, bound, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(bound, unix.MNT_DETACH) })
		linked := filepath.Join(harness.TempDir(t), "link")
		if err := os.Symlink(own, linked); err != nil {
			t.Fatal(err)
		}
		for way, path := range map[string]string{
			"path": own, "the runtime's own": "/proc/self/ns/" + link, "bind mount": bound, "symbolic link": linked,
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				b := sleeper(t).Namespace(a.kind, path).Edit(a.set)
				place := a.place
				if a.kind == specs.UserNamespace {
					place = fmt.Sprintf("linux.namespaces[%d].path", len(b.Spec.Linux.Namespaces)-1)
				}
				b.FailRun(place)
			})
		}
	}
}

// Where the runtime has been started in other namespaces than the host's, these are those of
// process 1, which here is a shell in a pid namespace.
func TestNothingIsSetInTheNamespacesOfProcess1(t *testing.T) {
	ours(t, "others compare with their own namespaces alone")
	path, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("no unshare on this host")
	}
	for name, a := range setsOnHost(t) {
		if a.kind == specs.UserNamespace {
			continue // a process in another may not join it
		}
		t.Run(name, func(t *testing.T) {
			link := kinds[a.kind]
			b := harness.NewBundle(t).Args("true").Namespace(a.kind, nsPath(1, link)).Edit(a.set).Save()
			cmd := b.Command("run")
			script := fmt.Sprintf(`unshare --%s -- "$@"; exit $?`, link)
			cmd.Path, cmd.Args = path, append([]string{path, "--fork", "--pid", "--mount-proc", "sh", "-c", script, "sh"}, cmd.Args...)
			res := b.RunCmd(cmd)
			if res.Code == 0 {
				t.Fatal("the container was made")
			}
			contains(t, res.Message(), a.place)
		})
	}
}

// A path that leads now to one namespace and now to the host's is looked at once: what was looked
// at is what is joined.
func TestNamespacePathThatChanges(t *testing.T) {
	ours(t, "what it asserts is the wording")
	value := "1"
	if hostValue(t, "net.ipv4.ip_forward") == "1" {
		value = "0"
	}
	other := newNetns(t)
	link := filepath.Join(harness.TempDir(t), "net")
	if err := os.Symlink(other.path(), link); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			path := other.path()
			if i%2 == 0 {
				path = nsPath(os.Getpid(), "net")
			}
			_ = os.Symlink(path, link+".new")
			_ = os.Rename(link+".new", link)
		}
	}()
	for range 20 {
		b := harness.NewBundle(t).Args("true").Namespace(specs.NetworkNamespace, link)
		b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": value}
		if res := b.Run(); res.Code != 0 {
			contains(t, res.Stderr, "net.ipv4.ip_forward")
		}
	}
	close(stop)
	<-stopped
}

// Without something to set, a path to the runtime's own namespace is the same as no entry.
func TestJoinTheRuntimesOwnNamespaces(t *testing.T) {
	t.Parallel()
	for _, kind := range []specs.LinuxNamespaceType{
		specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.PIDNamespace, specs.CgroupNamespace,
	} {
		link := kinds[kind]
		t.Run(link, func(t *testing.T) {
			b := sleeper(t).Namespace(kind, nsPath(os.Getpid(), link))
			b.Spec.Hostname = ""
			b.Start()
			if namespace(t, b.Pid(), link) != namespace(t, os.Getpid(), link) {
				t.Error("the container is not in the namespace of its path")
			}
			if got := b.MustExec("cat", "/proc/self/comm"); got != "cat" {
				t.Errorf("exec: %q", got)
			}
		})
	}
}
