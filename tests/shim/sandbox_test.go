package shim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	sandbox "github.com/containerd/containerd/api/runtime/sandbox/v1"
	api "github.com/containerd/containerd/api/runtime/task/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// kept is a pod that the shim itself keeps, with containerd's own client for that.
type kept struct {
	*pod
	sandbox.TTRPCSandboxService
	ctx    context.Context
	bundle string
	pause  int
}

// field is a field of a message that holds a text or a message.
func field(number protowire.Number, parts ...string) string {
	b := protowire.AppendTag(nil, number, protowire.BytesType)
	return string(protowire.AppendString(b, strings.Join(parts, "")))
}

// flag is a field that holds a number.
func flag(number protowire.Number, n uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), n))
}

// config is a pod's as CRI sends it, PodSandboxConfig, with its name, log directory and labels.
func (k *kept) config(linux ...string) *anypb.Any {
	text := field(1, field(1, "name"), field(2, "uid")) + field(2, "the-pod") + field(3, "/log") +
		field(4, field(1, "192.0.2.1"), field(2, "a.example"), field(2, "b.example"), field(3, "ndots:5")) +
		field(6, field(1, "label"), field(2, "x")) +
		field(8, append(linux, field(1, "/"+k.name))...)
	return &anypb.Any{TypeUrl: "runtime.v1.PodSandboxConfig", Value: []byte(text)}
}

// newKept has a daemon for a pod, and no pod yet.
func newKept(t *testing.T) *kept {
	t.Helper()
	p := newPod(t)
	k := &kept{pod: p, ctx: t.Context(), bundle: filepath.Join(p.dir, "pod")}
	if err := os.MkdirAll(filepath.Join(k.bundle, "rootfs"), 0o711); err != nil {
		t.Fatal(err)
	}
	p.logOf(k.bundle)
	address, err := p.start(k.bundle, p.name)
	if err != nil {
		t.Fatal(err)
	}
	p.address, p.client = address, dial(t, address)
	k.TTRPCSandboxService = sandbox.NewTTRPCSandboxClient(p.client)
	var a api.ConnectResponse
	p.must("Connect", &api.ConnectRequest{ID: p.name}, &a)
	p.pid = int(a.ShimPid)
	t.Cleanup(func() {
		if harness.Alive(p.pid) && p.client != nil {
			_, _ = k.ShutdownSandbox(context.Background(), &sandbox.ShutdownSandboxRequest{SandboxID: p.name})
		}
		for _, dir := range harness.CgroupsNamed(p.name) {
			_ = os.Remove(dir)
		}
	})
	return k
}

// keep makes and starts the pod.
func keep(t *testing.T, linux ...string) *kept {
	t.Helper()
	k := newKept(t)
	if _, err := k.CreateSandbox(k.ctx, &sandbox.CreateSandboxRequest{SandboxID: k.name, BundlePath: k.bundle, Options: k.config(linux...)}); err != nil {
		t.Fatal(err)
	}
	a, err := k.StartSandbox(k.ctx, &sandbox.StartSandboxRequest{SandboxID: k.name})
	if err != nil {
		t.Fatal(err)
	}
	k.pause = int(a.Pid)
	return k
}

// state is the pod's.
func (k *kept) state() string {
	k.t.Helper()
	a, err := k.SandboxStatus(k.ctx, &sandbox.SandboxStatusRequest{SandboxID: k.name, Verbose: true})
	if err != nil {
		k.t.Fatal(err)
	}
	if want := fmt.Sprintf(`"pid":%d`, k.pause); int(a.Pid) != k.pause || !strings.Contains(a.Info["info"], want) {
		k.t.Errorf("status %v, without %s", a, want)
	}
	return a.State
}

// gone sees that there is nothing of the pod.
func (k *kept) gone() {
	t := k.t
	t.Helper()
	if harness.Alive(k.pause) {
		t.Error("the pod's process is left")
	}
	if _, err := os.Stat(filepath.Join(k.options.Root, namespace, k.name)); err == nil {
		t.Error("its record is left")
	}
	if mounts := readFile(t, "/proc/self/mounts"); strings.Contains(mounts, k.bundle) {
		t.Errorf("a mount is left: %s", mounts)
	}
	if list, err := os.ReadDir(filepath.Join(k.bundle, "rootfs")); err != nil || len(list) > 0 {
		t.Errorf("containerd can't remove %s/rootfs: %v, %v", k.bundle, list, err)
	}
	for _, dir := range harness.CgroupsNamed(k.name) {
		if filepath.Base(filepath.Dir(dir)) == k.name {
			t.Errorf("a cgroup is left: %s", dir)
		}
	}
}

// member is a container of the pod, made as CRI does.
func (k *kept) member(script string, kinds ...specs.LinuxNamespaceType) *harness.Bundle {
	b := k.pod.bundle().Sh(script)
	for kind, name := range map[specs.LinuxNamespaceType]string{
		specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts", specs.PIDNamespace: "pid",
	} {
		if kind == specs.PIDNamespace && len(kinds) == 0 {
			continue
		}
		b.NoNamespace(kind).Namespace(kind, fmt.Sprintf("/proc/%d/ns/%s", k.pause, name))
	}
	return b.Edit(func(s *specs.Spec) {
		s.Hostname = ""
		s.Annotations["io.kubernetes.cri.sandbox-id"] = k.name
	})
}

// output is what a container of the pod prints.
func (k *kept) output(script string) string {
	k.t.Helper()
	b := k.member(script)
	out := filepath.Join(k.dir, b.ID)
	k.run(b, streams{out: "file://" + out, err: "file://" + out})
	k.wait(b.ID, "")
	k.must("Delete", &api.DeleteRequest{ID: b.ID}, &api.DeleteResponse{})
	return readFile(k.t, out)
}

// The life of a pod with containers, as CRI has it with `sandboxer = "shim"`.
func TestSandbox(t *testing.T) {
	k := keep(t)
	if s := k.state(); s != "SANDBOX_READY" {
		t.Errorf("the pod is %s", s)
	}
	memory, _ := strconv.Atoi(strings.TrimSuffix(harness.StatusField(k.pause, "VmRSS"), " kB"))
	threads := harness.StatusField(k.pause, "Threads")
	t.Logf("the pod's process: %d KB resident, %s threads", memory, threads)
	if memory > 100 || threads != "1" {
		t.Errorf("the pod's process has %d KB and %s threads", memory, threads)
	}
	for name, want := range map[string]string{"CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"} {
		if got := harness.StatusField(k.pause, name); got != want {
			t.Errorf("the pod's process has %s %s", name, got)
		}
	}
	if p, err := k.Platform(k.ctx, &sandbox.PlatformRequest{SandboxID: k.name}); err != nil || p.Platform.OS != "linux" {
		t.Errorf("platform: %v, %v", p, err)
	}
	if _, err := k.PingSandbox(k.ctx, &sandbox.PingRequest{SandboxID: k.name}); err != nil {
		t.Errorf("ping: %v", err)
	}
	want := "the-pod\nthe-pod\nsearch a.example b.example\nnameserver 192.0.2.1\noptions ndots:5\n0\n0\t2147483647\n"
	if got := k.output("hostname; cat /etc/hostname /etc/resolv.conf; cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range"); got != want {
		t.Errorf("a container prints %q, not %q", got, want)
	}
	k.output("echo shared >/dev/shm/file")
	if got := k.output("cat /dev/shm/file; ls /dev/shm; ip link show lo 2>/dev/null | grep -c UP"); got != "shared\nfile\n1\n" {
		t.Errorf("another container prints %q", got)
	}
	k.stopAndRemove(137)
}

// stopAndRemove ends the pod, and with it the daemon.
func (k *kept) stopAndRemove(wanted uint32) {
	t := k.t
	t.Helper()
	for range 2 {
		if _, err := k.StopSandbox(k.ctx, &sandbox.StopSandboxRequest{SandboxID: k.name, TimeoutSecs: 10}); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	a, err := k.WaitSandbox(k.ctx, &sandbox.WaitSandboxRequest{SandboxID: k.name})
	if err != nil || a.ExitStatus != wanted || a.ExitedAt.AsTime().Year() < 2000 {
		t.Errorf("wait: %v, %v", a, err)
	}
	if s := k.state(); s != "SANDBOX_NOTREADY" {
		t.Errorf("the stopped pod is %s", s)
	}
	if _, err := k.ShutdownSandbox(k.ctx, &sandbox.ShutdownSandboxRequest{SandboxID: k.name}); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	harness.Eventually(t, "the daemon's end", func() bool { return !harness.Alive(k.pid) })
	var deleted api.DeleteResponse
	out, err := k.command(k.bundle, k.name, "-bundle", k.bundle, "delete").Output()
	if err == nil {
		err = proto.Unmarshal(out, &deleted)
	}
	if err != nil || int(deleted.Pid) != k.pause || deleted.ExitStatus != wanted {
		t.Errorf("delete: %v, %v", &deleted, err)
	}
	k.gone()
}

// The pod's process is the first one of its pid namespace, and reaps what the containers leave to
// it.
func TestSandboxReapsOrphans(t *testing.T) {
	k := keep(t)
	// The second one leaves a zombie when it ends.
	b := k.member("(sleep 0.4 & sh -c 'sleep 0.1 & exec sleep 0.5' &); sleep 1000", specs.PIDNamespace)
	init := k.run(b, streams{})
	if a, c := namespaceOf(t, k.pause, "pid"), namespaceOf(t, init, "pid"); a != c {
		t.Errorf("pid namespaces %s and %s", a, c)
	}
	harness.Eventually(t, "two orphans", func() bool { return len(harness.Children(k.pause)) == 2 })
	harness.Eventually(t, "the orphans' end", func() bool { return len(harness.Children(k.pause)) == 0 })
	k.remove(b.ID)
}

func namespaceOf(t *testing.T, pid int, kind string) string {
	t.Helper()
	target, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// With the host's namespaces the pod has none of its own.
func TestSandboxOfHostNamespaces(t *testing.T) {
	const node = 2
	k := keep(t, field(2, field(1, flag(1, node), flag(2, node), flag(3, node))))
	for _, kind := range []string{"net", "uts", "ipc", "pid"} {
		if a, b := namespaceOf(t, k.pause, kind), namespaceOf(t, os.Getpid(), kind); a != b {
			t.Errorf("the pod has %s, not the host's %s", a, b)
		}
	}
	k.stopAndRemove(137)
}

// The pod's cgroup counts what its containers use.
func TestSandboxMetrics(t *testing.T) {
	k := keep(t)
	b := k.member("sleep 1000").Edit(func(s *specs.Spec) { s.Linux.CgroupsPath = "/" + k.name + "/c" })
	k.run(b, streams{})
	a, err := k.SandboxMetrics(k.ctx, &sandbox.SandboxMetricsRequest{SandboxID: k.name})
	if err != nil || len(a.GetMetrics().GetData().GetValue()) == 0 || !strings.HasSuffix(a.Metrics.Data.TypeUrl, ".Metrics") {
		t.Errorf("%v, %v", a, err)
	}
	k.remove(b.ID)
}

// When the pod's process is killed, who waits is told.
func TestSandboxKilled(t *testing.T) {
	k := keep(t)
	waited := make(chan *sandbox.WaitSandboxResponse)
	go func() {
		a, _ := k.WaitSandbox(k.ctx, &sandbox.WaitSandboxRequest{SandboxID: k.name})
		waited <- a
	}()
	if err := unix.Kill(k.pause, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if a := <-waited; a.GetExitStatus() != 128+uint32(unix.SIGTERM) {
		t.Errorf("wait: %v", a)
	}
	if _, err := k.StartSandbox(k.ctx, &sandbox.StartSandboxRequest{SandboxID: k.name}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("start: %v", err)
	}
	b := k.pod.bundle().Edit(func(s *specs.Spec) { s.Annotations["io.kubernetes.cri.sandbox-id"] = k.name }).Save()
	err := k.call("Create", &api.CreateTaskRequest{ID: b.ID, Bundle: b.Dir, Options: k.packed()}, &api.CreateTaskResponse{})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a container after the end: %v", err)
	}
	k.stopAndRemove(128 + uint32(unix.SIGTERM))
}

// What a dead daemon leaves of a pod the shim's delete removes.
func TestSandboxOfKilledDaemon(t *testing.T) {
	k := keep(t)
	b := k.member("sleep 1000")
	k.run(b, streams{})
	k.killedDuring(0, func(context.Context) {})
	k.pod.clean(b)
	k.clean()
}

// clean is the shim's delete, after which there is nothing of the pod.
func (k *kept) clean() {
	k.t.Helper()
	if out, err := k.command(k.bundle, k.name, "-bundle", k.bundle, "delete").CombinedOutput(); err != nil {
		k.t.Errorf("delete: %v: %s", err, out)
	}
	k.gone()
	k.noSocket()
}

// So it is whatever the daemon is doing when it is killed.
func TestSandboxOfDaemonKilledAtAnyTime(t *testing.T) {
	for i := range 15 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			k := newKept(t)
			k.killedDuring(time.Duration(rand.IntN(25))*time.Millisecond, func(ctx context.Context) {
				_, err := k.CreateSandbox(ctx, &sandbox.CreateSandboxRequest{SandboxID: k.name, BundlePath: k.bundle, Options: k.config()})
				if err == nil {
					_, err = k.StopSandbox(ctx, &sandbox.StopSandboxRequest{SandboxID: k.name})
				}
				if err == nil {
					_, _ = k.ShutdownSandbox(ctx, &sandbox.ShutdownSandboxRequest{SandboxID: k.name})
				}
			})
			k.clean()
		})
	}
}

// What can't be done is said by the codes that containerd knows.
func TestSandboxRefusals(t *testing.T) {
	k := newKept(t)
	create := func(id string, options *anypb.Any) error {
		_, err := k.CreateSandbox(k.ctx, &sandbox.CreateSandboxRequest{SandboxID: id, BundlePath: k.bundle, Options: options})
		return err
	}
	refused := func(what string, err error, wanted codes.Code) {
		t.Helper()
		if status.Code(err) != wanted {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := k.StartSandbox(k.ctx, &sandbox.StartSandboxRequest{SandboxID: k.name})
	refused("start of nothing", err, codes.NotFound)
	refused("another configuration", create(k.name, &anypb.Any{TypeUrl: "x.Y"}), codes.InvalidArgument)
	refused("garbage", create(k.name, &anypb.Any{TypeUrl: "runtime.v1.PodSandboxConfig", Value: []byte("\xff\xff")}), codes.InvalidArgument)
	// A sysctl of the host's: nothing is left of the pod that it was for.
	err = create(k.name, k.config(field(3, field(1, "vm.swappiness"), field(2, "1"))))
	if err == nil || !strings.Contains(err.Error(), "vm.swappiness") {
		t.Errorf("a sysctl of the host's: %v", err)
	}
	k.gone()
	// One that is for systemd, of whose cgroups the next one has none.
	slice := &anypb.Any{TypeUrl: "runtime.v1.PodSandboxConfig", Value: []byte(field(8, field(1, "/a/b:c.slice")))}
	refused("a slice that can't be", create(k.name, slice), codes.Unknown)
	k.gone()
	if err := create(k.name, k.config()); err != nil {
		t.Fatal(err)
	}
	refused("a second one", create("other", k.config()), codes.AlreadyExists)
	_, err = k.SandboxStatus(k.ctx, &sandbox.SandboxStatusRequest{SandboxID: "other"})
	refused("status of another one", err, codes.NotFound)
	_, err = k.UpdateSandbox(k.ctx, &sandbox.UpdateSandboxRequest{SandboxID: k.name})
	refused("update", err, codes.Unimplemented)
}
