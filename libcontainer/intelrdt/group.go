package intelrdt

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Group is a container's place in a tree.
type Group struct {
	tree *Tree
	Dir  string // the class of service
	Mon  string // the monitoring group, "" without one
	// Own says that the class is the container's alone, and goes with it.
	Own bool
	// MadeMon says that the monitoring group was made for the container.
	MadeMon bool

	made bool // the class was made just now
}

// Plan says where the container's group will be, and what of it is going to be made. Nothing is
// touched.
func (t *Tree) Plan(cfg *specs.LinuxIntelRdt, id string) *Group {
	g := &Group{tree: t, Dir: t.root}
	switch cfg.ClosID {
	case "/":
	case "":
		g.Dir = t.root + "/" + id
		g.Own = missing(g.Dir)
	default:
		g.Dir = t.root + "/" + cfg.ClosID
	}
	if cfg.EnableMonitoring {
		g.Mon = g.Dir + "/mon_groups/" + id
		g.MadeMon = missing(g.Mon)
	}
	return g
}

func missing(dir string) bool { return unix.Access(dir, unix.F_OK) == unix.ENOENT }

// Open takes up a group again in a later command.
func Open(dir, mon string, own, madeMon bool) *Group {
	root := path.Dir(dir)
	if !missing(dir + "/info") {
		root = dir // closID "/"
	}
	return &Group{tree: At(root), Dir: dir, Mon: mon, Own: own, MadeMon: madeMon}
}

// Make makes what is missing of the group and sets its limits, before any process is in it. When
// that fails, nothing is left.
func (g *Group) Make(cfg *specs.LinuxIntelRdt) error {
	g.MadeMon = false // so far
	err := g.makeClass(cfg)
	if err == nil && g.Mon != "" {
		err = g.makeMon()
	}
	if err != nil {
		return errors.Join(err, g.Unmake())
	}
	return nil
}

func (g *Group) makeClass(cfg *specs.LinuxIntelRdt) error {
	classic, schemata := lines(cfg)
	shared := cfg.ClosID != ""
	if shared && len(classic)+len(schemata) == 0 {
		if _, err := os.Stat(g.Dir + "/tasks"); err != nil {
			return fmt.Errorf("linux.intelRdt.closID: clos dir not accessible (must be pre-created when neither l3CacheSchema, memBwSchema "+
				"nor schemata is set): %s: %w", g.Dir, errno(err))
		}
		return nil
	}
	if err := g.mkdirClass(); err != nil {
		return err
	}
	if shared && !g.made {
		if err := g.compare(classic); err != nil {
			return err
		}
		classic = nil
	}
	return g.set(append(classic, schemata...))
}

func (g *Group) mkdirClass() error {
	if g.Dir == g.tree.root {
		return nil
	}
	err := g.tree.mkdir(g.Dir)
	switch {
	case err == nil:
		g.made = true
	case errors.Is(err, unix.EEXIST):
		g.Own = false
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("linux.intelRdt: make %s: every class of service of this processor is in use: %w", g.Dir, err)
	default:
		return fmt.Errorf("linux.intelRdt: make %s: %w", g.Dir, err)
	}
	return nil
}

// compare refuses a class that others may be in and that has other limits: changing those would
// change theirs.
func (g *Group) compare(want []line) error {
	data, err := os.ReadFile(g.Dir + "/schemata")
	if err != nil {
		return fmt.Errorf("linux.intelRdt.closID: %w", err)
	}
	have := parseSchema(string(data))
	gran, _ := strconv.ParseUint(read(g.tree.root+"/info/MB/bandwidth_gran"), 10, 32)
	for _, l := range want {
		if what := have.conflict(l.text, gran); what != "" {
			return fmt.Errorf("%s: %q does not match the class of service %s, which exists: %s", l.from, l.text, g.Dir, what)
		}
	}
	return nil
}

// set writes lines to the schemata file, each by itself, so that a later one may override an
// earlier one and an error is about one. After an error the class has its old limits.
func (g *Group) set(list []line) error {
	if len(list) == 0 {
		return nil
	}
	file := g.Dir + "/schemata"
	old, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s: %w", list[0].from, err)
	}
	for i, l := range list {
		err := g.tree.write(file, l.text)
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: %w", l.from, err)
		if i > 0 {
			err = errors.Join(err, g.restore(string(old)))
		}
		return err
	}
	return nil
}

func (g *Group) restore(old string) error {
	for l := range strings.SplitSeq(strings.TrimSpace(old), "\n") {
		if err := g.tree.write(g.Dir+"/schemata", strings.TrimSpace(l)); err != nil {
			return fmt.Errorf("set the class of service back: %w", err)
		}
	}
	return nil
}

func (g *Group) makeMon() error {
	err := g.tree.mkdir(g.Mon)
	g.MadeMon = err == nil
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("linux.intelRdt.enableMonitoring: make %s: %w", g.Mon, err)
	}
	return nil
}

// Join puts a process with a single thread into the group. The kernel takes it into a monitoring
// group of a class that it is in already.
func (g *Group) Join(pid int) error {
	if g == nil {
		return nil // another runtime's record does not name it
	}
	for _, dir := range []string{g.Dir, g.Mon} {
		if dir == "" {
			continue
		}
		if err := g.tree.write(dir+"/tasks", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("linux.intelRdt: %w", err)
		}
	}
	return nil
}

// Update changes the limits of the class; an empty schema leaves its own as it is. The returned
// function undoes it.
func (g *Group) Update(l3CacheSchema, memBwSchema string) (undo func() error, err error) {
	old, err := os.ReadFile(g.Dir + "/schemata")
	if err != nil {
		return nil, fmt.Errorf("linux.intelRdt: %w", err)
	}
	classic, _ := lines(&specs.LinuxIntelRdt{L3CacheSchema: l3CacheSchema, MemBwSchema: memBwSchema})
	if err := g.set(classic); err != nil {
		return nil, err
	}
	return func() error { return g.restore(string(old)) }, nil
}

// Remove removes what was made for the container alone. What is gone already is fine.
func (g *Group) Remove() error {
	var errs []error
	remove := func(dir string) {
		// Processes in it, which can only be zombies, fall back to the group above.
		if err := g.tree.rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("remove the resctrl group %s: %w", dir, err))
		}
	}
	if g.MadeMon {
		remove(g.Mon)
	}
	if g.Own {
		remove(g.Dir)
	}
	return errors.Join(errs...)
}

// Unmake removes what Make has made, for a container that does not come to be. A shared class that
// somebody has entered meanwhile stays.
func (g *Group) Unmake() error {
	g.Own = g.made && (g.Own || read(g.Dir+"/tasks") == "")
	return g.Remove()
}
