package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/containerd/api/types"
	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/ociruntime/ociruntime/tests/bench/ctd"
	"github.com/ociruntime/ociruntime/tests/harness"
)

// The columns of the table of shims.
const (
	ourShim      = "our shim"
	runcShimOurs = "runc's shim, ociruntime"
	runcShimRunc = "runc's shim, runc"
)

const shimProgram = "containerd-shim-ociruntime-v1"

// through is what containerd calls, and what of it is measured.
type through struct {
	*env
	daemon *ctd.Daemon
	spec   *specs.Spec
	shims  []shim
}

type shim struct {
	name string
	ctd.Runtime
	pod string // the id of a container that is there for execs
}

// shimTable measures containers that containerd makes, through each shim. It is nil where there is
// no containerd, and notes say why.
func (e *env) shimTable() (t *table, err error) {
	th, why, err := e.newThrough()
	if why != "" {
		fmt.Fprintln(os.Stderr, "bench: without containerd:", why)
	}
	if th == nil || err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, th.end()) }()
	t = &table{}
	for _, s := range th.shims {
		t.names = append(t.names, s.name)
	}
	for _, s := range []struct {
		name string
		rows []row
		once func(*shim) ([]cost, error)
	}{
		{"containerd task", []row{
			{"life of a task", targets{runc: 0.20}}, {name: "– create"}, {name: "– start, to the exit"}, {name: "– delete"},
		}, th.life},
		{"containerd exec", one("exec, added to deleted", targets{runc: 0.10}), th.exec},
	} {
		if !strings.Contains(s.name, e.only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", s.name)
		var turns []turn
		for i := range th.shims {
			turns = append(turns, turn{th.shims[i].name, func() ([]cost, error) { return s.once(&th.shims[i]) }})
		}
		samples, notes, err := e.interleave(&scenario{name: s.name}, turns)
		t.notes = append(t.notes, notes...)
		if err != nil {
			return nil, err
		}
		for i := range s.rows {
			t.addTimes(&s.rows[i], samples, i)
		}
	}
	if strings.Contains("containerd memory", e.only) {
		return t, th.memory(t)
	}
	return t, nil
}

// newThrough starts a containerd with a container for each shim.
func (e *env) newThrough() (t *through, why string, err error) {
	runcPath, err := exec.LookPath(runc)
	for _, program := range []string{"containerd", "containerd-shim-runc-v2"} {
		if err == nil {
			_, err = exec.LookPath(program)
		}
	}
	if err != nil {
		return nil, err.Error(), nil
	}
	bin := filepath.Join(e.dir, "bin")
	ours := filepath.Join(bin, "ociruntime-below-shim")
	top, err := sourceTop()
	if err == nil {
		err = errors.Join(
			harness.CopyFile(filepath.Join(top, "bin", shimProgram), filepath.Join(bin, shimProgram), 0o755),
			harness.CopyFile(filepath.Join(top, "bin/ociruntime"), ours, 0o755))
	}
	if err != nil {
		return nil, "", err
	}
	t = &through{env: e, shims: []shim{{name: ourShim, Runtime: ctd.Runtime{Name: "io.containerd.ociruntime.v1"}}}}
	for name, program := range map[string]string{runcShimOurs: ours, runcShimRunc: runcPath} {
		options, err := anypb.New(&runcoptions.Options{BinaryName: program})
		if err != nil {
			return nil, "", err
		}
		// Without the host's name, which containerd 1.6 does not know.
		options.TypeUrl = "containerd.runc.v1.Options"
		t.shims = append(t.shims, shim{name: name, Runtime: ctd.Runtime{Name: "io.containerd.runc.v2", Options: options}})
	}
	if t.shims[1].name != runcShimOurs {
		t.shims[1], t.shims[2] = t.shims[2], t.shims[1]
	}
	if t.spec, err = config(docker, e.rootfs()); err != nil {
		return nil, "", err
	}
	t.daemon, err = ctd.Start(filepath.Join(e.dir, filepath.Base(e.dir)+"-ctd"), bin+":"+os.Getenv("PATH"))
	if err != nil {
		return nil, "", err
	}
	for i := range t.shims {
		s := &t.shims[i]
		if s.pod, err = t.running(s, s.name); err != nil {
			return nil, "", errors.Join(fmt.Errorf("%s: %w", s.name, err), t.end())
		}
	}
	return t, "", nil
}

// end removes the containers of the shims, and containerd.
func (t *through) end() (err error) {
	for i := range t.shims {
		err = errors.Join(err, t.removePod(&t.shims[i]))
	}
	return errors.Join(err, t.daemon.Stop())
}

// add makes a container known: Docker-like, on an overlay of its own. A pod has one shim.
func (t *through) add(s *shim, pod string, args ...string) (id string, rootfs *types.Mount, err error) {
	id = t.newID(&runtime{name: "ctd"})
	spec := *t.spec
	process, linux := *spec.Process, *spec.Linux
	process.Args = args
	linux.CgroupsPath = "/" + id
	spec.Process, spec.Linux, spec.Root = &process, &linux, &specs.Root{Path: "rootfs"}
	spec.Annotations = map[string]string{"io.kubernetes.cri.sandbox-id": pod}
	upper, work := filepath.Join(t.dir, id, "upper"), filepath.Join(t.dir, id, "work")
	err = errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755), t.daemon.Add(id, &s.Runtime, &spec))
	options := []string{"lowerdir=" + t.rootfs(), "upperdir=" + upper, "workdir=" + work}
	return id, &types.Mount{Type: "overlay", Source: "overlay", Options: options}, err
}

// running makes a container that stays.
func (t *through) running(s *shim, pod string) (id string, err error) {
	id, rootfs, err := t.add(s, pod, "sleep", "100000")
	if err == nil {
		_, err = t.daemon.Create(id, rootfs)
	}
	if err == nil {
		err = t.daemon.Start(id, "")
	}
	return id, err
}

func (t *through) remove(id string) error {
	return errors.Join(t.daemon.Kill(id), t.daemon.Delete(id), t.forget(id))
}

func (t *through) removePod(s *shim) error {
	if s.pod == "" {
		return nil
	}
	id := s.pod
	s.pod = ""
	return t.remove(id)
}

func (t *through) forget(id string) error {
	return errors.Join(t.daemon.Remove(id), os.RemoveAll(filepath.Join(t.dir, id)))
}

// life is that of a container with a program that ends at once.
func (t *through) life(s *shim) ([]cost, error) {
	id, rootfs, err := t.add(s, "", "true")
	if err != nil {
		return nil, err
	}
	costs, err := t.measured(
		func() error { _, err := t.daemon.Create(id, rootfs); return err },
		func() error { return errors.Join(t.daemon.Start(id, ""), t.daemon.Wait(id, "")) },
		func() error { return t.daemon.Delete(id) },
	)
	return costs, errors.Join(err, t.forget(id))
}

// exec is a further process of a running container.
func (t *through) exec(s *shim) ([]cost, error) {
	process := *t.spec.Process
	process.Args = []string{"true"}
	return t.measured(func() error {
		const x = "x"
		return errors.Join(t.daemon.Exec(s.pod, x, &process), t.daemon.Start(s.pod, x), t.daemon.Wait(s.pod, x), t.daemon.DeleteExec(s.pod, x))
	})
}

// measured gives what steps cost together, and then each of them, if there are several. The CPU
// time is that of containerd, the shims and the runtimes.
func (t *through) measured(steps ...func() error) ([]cost, error) {
	var costs []cost
	var all cost
	for _, step := range steps {
		before, err := t.daemon.Group.CPU()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := step(); err != nil {
			return nil, err
		}
		c := cost{wall: time.Since(began)}
		after, err := t.daemon.Group.CPU()
		if err != nil {
			return nil, err
		}
		c.cpu = after - before
		costs, all = append(costs, c), all.plus(c)
	}
	if len(steps) == 1 {
		return costs, nil
	}
	return append([]cost{all}, costs...), nil
}

// memory measures the shims at rest, with one container and with more in the pod.
func (t *through) memory(out *table) error {
	const more, rest = 10, 3 * time.Second
	var anonymous, pss, threads, each []float64
	for i := range t.shims {
		// Shims of one program share its pages.
		if err := t.removePod(&t.shims[i]); err != nil {
			return err
		}
	}
	for i := range t.shims {
		s := &t.shims[i]
		first, err := t.running(s, s.name)
		if err != nil {
			return err
		}
		pods := []string{first}
		time.Sleep(rest)
		before, err := atRest(first, t)
		if err != nil {
			return err
		}
		for range more {
			id, err := t.running(s, s.name)
			if err != nil {
				return err
			}
			pods = append(pods, id)
		}
		time.Sleep(rest)
		after, err := atRest(first, t)
		if err != nil {
			return err
		}
		anonymous, pss, threads = append(anonymous, before.anonymous), append(pss, before.pss), append(threads, after.threads)
		each = append(each, (after.anonymous-before.anonymous)/more)
		for _, id := range pods {
			if err := t.remove(id); err != nil {
				return err
			}
		}
	}
	out.addSizes(&row{name: "anonymous memory of the idle shim, one container"}, anonymous)
	out.addSizes(&row{name: "proportional memory of the idle shim, one container"}, pss)
	out.addSizes(&row{name: "anonymous memory of each further container of a pod"}, each)
	out.addCounts(&row{name: "threads of the idle shim, 11 containers"}, threads)
	return nil
}

type resting struct{ anonymous, pss, threads float64 }

// atRest looks at the shim of a container.
func atRest(id string, t *through) (r resting, err error) {
	pid, err := t.daemon.Shim(id)
	if err != nil {
		return r, err
	}
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return r, err
	}
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	for line := range strings.Lines(string(text) + string(status)) {
		words := strings.Fields(line)
		const least = 2
		if len(words) < least {
			continue
		}
		n, _ := strconv.ParseFloat(words[1], 64) // of what is a number
		switch words[0] {
		case "Anonymous:":
			r.anonymous = n
		case "Pss:":
			r.pss = n
		case "Threads:":
			r.threads = n
		}
	}
	return r, err
}
