package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ociruntime/ociruntime/tests/harness"
)

func lockThread() { goruntime.LockOSThread() }

// env is what a run of the benchmark works with.
type env struct {
	*options
	dir  string
	null *os.File
	log  *os.File // a file like those that the commands' output goes to
	stop <-chan os.Signal

	// of the programs that are no runtimes, "" where they can't be built
	floorPath, emptyPath string

	mu     sync.Mutex
	next   int
	floors []*floor // whose cgroups may be left
}

func newEnv(o *options) (*env, error) {
	dir, err := os.MkdirTemp("", "ocibench-")
	if err != nil {
		return nil, err
	}
	e := &env{options: o, dir: dir}
	if e.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return nil, errors.Join(err, e.remove())
	}
	if e.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, errors.Join(err, e.remove())
	}
	// Containers with mapped ids walk through it.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, errors.Join(err, e.remove())
	}
	for _, r := range o.runtimes {
		if r.root == "" {
			r.root = filepath.Join(dir, r.name)
		}
		if err := r.install(filepath.Join(dir, "bin")); err != nil {
			return nil, errors.Join(err, e.remove())
		}
	}
	return e, errors.Join(makeRootfs(e.rootfs()))
}

// install puts the runtime into a directory, and from there it is measured. How a program has come
// into the page cache makes a difference of a tenth and more: in large pieces when it was copied,
// page by page when a linker wrote it or when it has been read back since it was last needed. So
// all of them have just been copied.
func (r *runtime) install(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	from := r.path
	r.path = filepath.Join(dir, r.name)
	return harness.CopyFile(from, r.path, 0o755)
}

func (e *env) rootfs() string { return filepath.Join(e.dir, "rootfs") }

// remove deletes what is left: containers first.
func (e *env) remove() error {
	for _, r := range e.runtimes {
		left, _ := os.ReadDir(r.root)
		for _, d := range left {
			e.stop = nil
			_, _ = e.run(r, "delete", "--force", d.Name())
		}
	}
	for _, f := range e.floors {
		f.removeCgroups()
	}
	// Runtimes that have failed may leave theirs.
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		left, _ := filepath.Glob(pattern + filepath.Base(e.dir) + "-*")
		for _, dir := range left {
			_ = os.Remove(dir)
		}
	}
	return os.RemoveAll(e.dir)
}

func (e *env) newID(r *runtime) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++
	return fmt.Sprintf("%s-%s-%d", filepath.Base(e.dir), r.name, e.next)
}

// bundle is the directory of a configuration, made at its first use.
func (e *env) bundle(kind string, limit int64, args ...string) (string, error) {
	dir := filepath.Join(e.dir, "bundle-"+strings.Join(append([]string{kind, strconv.FormatInt(limit, 10)}, args...), "-"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	return dir, writeBundle(dir, e.rootfs(), kind, args, limit)
}

// scenario is something to be measured. once is called again and again, the runtimes taking turns;
// it gives one cost for each row.
type scenario struct {
	name string
	rows []row
	// few divides the number of rounds, for what takes long.
	few int
	// floor is the configuration whose plan floor.c carries out beside the runtimes, "" for none.
	floor string
	// bare puts an empty Go program beside them.
	bare bool
	// v2 are the controllers of cgroup v2 that the scenario needs, in a mount namespace in which
	// there is nothing else; nil for the host's own hierarchies.
	v2       []string
	setup    func(*env, *runtime) (id []string, err error)
	once     func(*env, *runtime, []string) ([]cost, error)
	teardown func(*env, *runtime, []string) error
}

// row is a line of the table.
type row struct {
	name    string
	targets targets
}

// targets are the greatest ratio of ours to another program's, 0 where there is none.
type targets struct{ runc, crun, static, floor, empty float64 }

// of is the target for a column.
func (t targets) of(name string) float64 {
	switch name {
	case runc, runcShimRunc:
		return t.runc
	case crun:
		return t.crun
	case crunStatic:
		return t.static
	case floorName:
		return t.floor
	case emptyGo:
		return t.empty
	}
	return 0
}

func scenarios() []scenario {
	return []scenario{
		{name: "version", rows: one("start of the bare program", targets{empty: 1.20}), bare: true, once: version},
		{name: "run default", rows: one("run true, default", targets{0.25, 0.75, 0.95, 1.8, 0}), floor: plain, once: runTrue(plain)},
		{name: "run docker", rows: one("run true, Docker-like", targets{0.20, 0.60, 0.95, 1.8, 0}), floor: docker, once: runTrue(docker)},
		{name: "run userns", rows: one("run true, user namespace", targets{0.30, 0.75, 0.95, 1.8, 0}), floor: userns, once: runTrue(userns)},
		{name: "run pod", rows: one("run true, pod of 30 mounts", targets{floor: 1.8}), floor: pod, once: runTrue(pod)},
		{name: "run v2 default", rows: one("run true, default, cgroup v2", targets{floor: 1.8}), v2: []string{}, floor: plain, once: runTrue(plain)},
		{name: "run v2 docker", rows: one("run true, Docker-like, cgroup v2", targets{floor: 1.8}),
			v2: []string{"cpu", "memory", "pids"}, floor: docker, once: runTrue(docker)},
		{name: "lifecycle default", rows: lifecycleRows("default"), once: lifecycle(plain)},
		{name: "lifecycle docker", rows: lifecycleRows("Docker-like"), once: lifecycle(docker)},
		{name: "exec default", rows: one("exec true, default", targets{static: 1.10}), setup: sleeping(plain), once: execTrue, teardown: deleteAll},
		{name: "exec docker", rows: one("exec true, Docker-like", targets{runc: 0.15, crun: 0.80, static: 1.10}),
			setup: sleeping(docker), once: execTrue, teardown: deleteAll},
		{name: "state", rows: one("state", targets{runc: 0.40, crun: 0.80, empty: 1.30}), bare: true, setup: created(1), once: state, teardown: deleteAll},
		{name: "list", rows: one("list of 50", targets{crun: 1.0, static: 1.5}), setup: created(50), once: list, teardown: deleteAll},
		{name: "parallel", rows: one("100 runs, 8 in parallel", targets{runc: 1.0 / 3, crun: 1 / 1.3, static: 0.90}), few: 6, once: parallel},
	}
}

func one(name string, t targets) []row { return []row{{name, t}} }

func lifecycleRows(kind string) []row {
	return []row{
		{name: "create, " + kind}, {name: "start, " + kind}, {name: "delete, " + kind},
		{"create + start + delete, " + kind, targets{runc: 0.30, crun: 0.75, static: 1.15}},
	}
}

func version(e *env, r *runtime, _ []string) ([]cost, error) {
	c, err := e.run(r, "--version")
	return []cost{c}, err
}

func state(e *env, r *runtime, id []string) ([]cost, error) {
	c, err := e.run(r, "state", id[0])
	return []cost{c}, err
}

func list(e *env, r *runtime, _ []string) ([]cost, error) {
	c, err := e.run(r, "list")
	return []cost{c}, err
}

func runTrue(kind string) func(*env, *runtime, []string) ([]cost, error) {
	return func(e *env, r *runtime, _ []string) ([]cost, error) {
		dir, err := e.bundle(kind, 0, "true")
		if err != nil {
			return nil, err
		}
		c, err := e.run(r, "run", "--bundle", dir, e.newID(r))
		return []cost{c}, err
	}
}

func lifecycle(kind string) func(*env, *runtime, []string) ([]cost, error) {
	return func(e *env, r *runtime, _ []string) ([]cost, error) {
		dir, err := e.bundle(kind, 0, "true")
		if err != nil {
			return nil, err
		}
		create, w, err := e.create(r, dir)
		if err != nil {
			return nil, err
		}
		start, err := e.run(r, "start", w.id)
		if err != nil {
			return nil, err
		}
		<-w.ended
		remove, err := e.run(r, "delete", w.id)
		return []cost{create, start, remove, create.plus(start).plus(remove)}, err
	}
}

// sleeping starts a container that does nothing.
func sleeping(kind string) func(*env, *runtime) ([]string, error) {
	return func(e *env, r *runtime) ([]string, error) {
		dir, err := e.bundle(kind, 0, "sleep", "10000")
		if err != nil {
			return nil, err
		}
		_, w, err := e.create(r, dir)
		if err != nil {
			return nil, err
		}
		_, err = e.run(r, "start", w.id)
		return []string{w.id}, err
	}
}

func created(n int) func(*env, *runtime) ([]string, error) {
	return func(e *env, r *runtime) (ids []string, err error) {
		dir, err := e.bundle(plain, 0, "true")
		for range n {
			if err != nil {
				return ids, err
			}
			var w *waiting
			if _, w, err = e.create(r, dir); err == nil {
				ids = append(ids, w.id)
			}
		}
		return ids, err
	}
}

func deleteAll(e *env, r *runtime, ids []string) error {
	var errs []error
	for _, id := range ids {
		_, err := e.run(r, "delete", "--force", id)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func execTrue(e *env, r *runtime, ids []string) ([]cost, error) {
	c, err := e.run(r, "exec", ids[0], "true")
	return []cost{c}, err
}

// parallel is a hundred runs by eight workers.
func parallel(e *env, r *runtime, _ []string) ([]cost, error) {
	dir, err := e.bundle(plain, 0, "true")
	if err != nil {
		return nil, err
	}
	const runs, workers = 100, 8
	jobs := make(chan struct{}, runs)
	for range runs {
		jobs <- struct{}{}
	}
	close(jobs)
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	total := cost{}
	began := time.Now()
	for range workers {
		all.Go(func() {
			for range jobs {
				c, err := e.run(r, "run", "--bundle", dir, e.newID(r))
				mu.Lock()
				total.cpu += c.cpu
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	total.wall = time.Since(began)
	return []cost{total}, errors.Join(errs...)
}
