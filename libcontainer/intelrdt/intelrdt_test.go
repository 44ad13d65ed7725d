package intelrdt

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const full = "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n"

// fakeTree is a tree of plain files that new groups are filled with as the kernel would. What is
// written to a file is added at its end.
func fakeTree(t *testing.T) *Tree {
	t.Helper()
	tree := At(t.TempDir())
	fill := func(dir string, files map[string]string) {
		for name, text := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	monitored := map[string]string{
		"tasks": "", "mon_data/mon_L3_00/llc_occupancy": "1000\n", "mon_data/mon_L3_00/mbm_total_bytes": "20\n",
		"mon_data/mon_L3_00/mbm_local_bytes": "10\n", "mon_data/mon_L3_01/llc_occupancy": "Unavailable\n",
	}
	class := map[string]string{"schemata": full, "mon_groups/.keep": ""}
	fill(tree.root, monitored)
	fill(tree.root, class)
	fill(tree.root, map[string]string{
		"info/L3/cbm_mask": "7ff\n", "info/L3/min_cbm_bits": "1\n", "info/L3/num_closids": "16\n", "info/L3_MON/mon_features": "llc_occupancy\nmbm_total_bytes\n",
		"info/MB/bandwidth_gran": "10\n", "info/MB/min_bandwidth": "10\n", "info/MB/delay_linear": "1\n", "info/MB/num_closids": "8\n",
		"info/last_cmd_status": "bad schema\n",
	})
	tree.mkdir = func(dir string) error {
		if err := unix.Mkdir(dir, 0o755); err != nil {
			return err
		}
		fill(dir, monitored)
		if filepath.Base(filepath.Dir(dir)) != "mon_groups" {
			fill(dir, class)
		}
		return nil
	}
	tree.rmdir = func(dir string) error {
		if missing(dir) {
			return unix.ENOENT
		}
		return os.RemoveAll(dir)
	}
	return tree
}

func text(t *testing.T, tree *Tree, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tree.root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func groups(t *testing.T, tree *Tree) string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*", "mon_groups/*", "*/mon_groups/*"} {
		found, err := filepath.Glob(filepath.Join(tree.root, pattern, "tasks"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			names = append(names, strings.TrimPrefix(filepath.Dir(f), tree.root+"/"))
		}
	}
	return strings.Join(names, " ")
}

// What the specification asks for: which group, what is written to it in which order, and what is
// left after the container.
func TestGroup(t *testing.T) {
	for _, c := range []struct {
		name     string
		cfg      specs.LinuxIntelRdt
		existing string // made before, with limits of its own
		group    string
		written  string // to schemata
		while    string // groups while the container is there
		after    string
	}{
		{"own class", specs.LinuxIntelRdt{}, "", "c1", "", "c1", ""},
		{"own class with all schemas", specs.LinuxIntelRdt{
			Schemata: []string{"L3:1=f", "L2:0=3"}, MemBwSchema: "MB:0=50", L3CacheSchema: "L3:0=f0;1=f0",
		}, "", "c1", "L3:0=f0;1=f0\nMB:0=50\nL3:1=f\nL2:0=3\n", "c1", ""},
		{"MB in l3CacheSchema gives way", specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f0\nMB:0=20", MemBwSchema: "MB:0=50"}, "", "c1", "L3:0=f0\nMB:0=50\n", "c1", ""},
		{"MB in l3CacheSchema alone", specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f0\nMB:0=20"}, "", "c1", "L3:0=f0\nMB:0=20\n", "c1", ""},
		{"new shared class", specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=f"}, "", "gold", "L3:0=f\n", "gold", "gold"},
		{"existing class", specs.LinuxIntelRdt{ClosID: "gold"}, "gold", "gold", "", "gold", "gold"},
		{"existing class, the same limits", specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=0F0", MemBwSchema: "MB:1=45"}, "gold", "gold", "", "gold", "gold"},
		{"existing class, schemata", specs.LinuxIntelRdt{ClosID: "gold", Schemata: []string{"L3:0=1"}}, "gold", "gold", "L3:0=1\n", "gold", "gold"},
		{"root class", specs.LinuxIntelRdt{ClosID: "/", L3CacheSchema: "L3:0=7ff"}, "", ".", "", "", ""},
		{"own class left behind", specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f"}, "c1", "c1", "L3:0=f\n", "c1", "c1"},
		{"monitoring", specs.LinuxIntelRdt{EnableMonitoring: true}, "", "c1", "", "c1 c1/mon_groups/c1", ""},
		{"monitoring in a shared class", specs.LinuxIntelRdt{ClosID: "gold", EnableMonitoring: true}, "gold", "gold", "", "gold gold/mon_groups/c1", "gold"},
		{"monitoring in the root class", specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true}, "", ".", "", "mon_groups/c1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := fakeTree(t)
			before := full
			if c.existing != "" {
				before = "MB:0=100;1=50\nL3:0=f0;1=ff\n"
				if err := errors.Join(tree.mkdir(tree.root+"/"+c.existing), os.WriteFile(tree.root+"/"+c.existing+"/schemata", []byte(before), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			g := tree.Plan(&c.cfg, "c1")
			intent := *g
			if err := g.Make(&c.cfg); err != nil {
				t.Fatal(err)
			}
			if g.Own != intent.Own || g.MadeMon != intent.MadeMon {
				t.Errorf("planned %+v, made %+v", intent, g)
			}
			if err := g.Join(123); err != nil {
				t.Fatal(err)
			}
			if got := text(t, tree, c.group+"/schemata"); got != before+c.written {
				t.Errorf("schemata:\n%swant:\n%s%s", got, before, c.written)
			}
			if got := text(t, tree, c.group+"/tasks"); got != "123\n" {
				t.Errorf("tasks: %q", got)
			}
			if g.Mon != "" && text(t, tree, strings.TrimPrefix(g.Mon, tree.root)+"/tasks") != "123\n" {
				t.Error("the monitoring group doesn't have the process")
			}
			if got := groups(t, tree); got != c.while {
				t.Errorf("groups %q, want %q", got, c.while)
			}
			// Another command, with what it finds in the record.
			later := Open(g.Dir, g.Mon, g.Own, g.MadeMon)
			if later.tree.root != tree.root {
				t.Errorf("root %s, want %s", later.tree.root, tree.root)
			}
			later.tree.rmdir = tree.rmdir
			for range 2 {
				if err := later.Remove(); err != nil {
					t.Error(err)
				}
			}
			if got := groups(t, tree); got != c.after {
				t.Errorf("afterwards %q, want %q", got, c.after)
			}
		})
	}
}

// What fails leaves nothing behind, and says which setting it was.
func TestGroupErrors(t *testing.T) {
	noSpace := func(tree *Tree) { tree.mkdir = func(string) error { return unix.ENOSPC } }
	existing := func(tree *Tree) {
		_ = tree.mkdir(tree.root + "/gold")
	}
	refuses := func(tree *Tree) {
		fill := tree.mkdir
		tree.mkdir = func(dir string) error {
			return errors.Join(fill(dir), os.Remove(dir+"/schemata"), os.Symlink("/proc/self/oom_score_adj", dir+"/schemata"))
		}
	}
	for _, c := range []struct {
		name  string
		cfg   specs.LinuxIntelRdt
		setup func(*Tree)
		want  []string
		errno unix.Errno
		left  string
	}{
		{"no such class", specs.LinuxIntelRdt{ClosID: "gold"}, nil, []string{"linux.intelRdt.closID", "clos dir not accessible", "gold"}, unix.ENOENT, ""},
		{"no classes left", specs.LinuxIntelRdt{}, noSpace, []string{"linux.intelRdt", "in use"}, unix.ENOSPC, ""},
		{"other cache", specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=7ff;1=3"}, existing, []string{`linux.intelRdt.l3CacheSchema: "L3:0=7ff;1=3" does not match`, "it has L3:1=7ff"}, 0, "gold"},
		{"other bandwidth", specs.LinuxIntelRdt{ClosID: "gold", MemBwSchema: "MB:0=55"}, existing, []string{"linux.intelRdt.memBwSchema", "it has MB:0=100"}, 0, "gold"},
		{"other resource", specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3CODE:0=1"}, existing, []string{"linux.intelRdt.l3CacheSchema", "it has no L3CODE"}, 0, "gold"},
		{"refused by the kernel", specs.LinuxIntelRdt{Schemata: []string{"L3:0=0"}, EnableMonitoring: true}, refuses, []string{"linux.intelRdt.schemata[0]", `write "L3:0=0" to`, "bad schema"}, unix.EINVAL, ""},
		{"refused in a new shared class", specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=0"}, refuses, []string{"linux.intelRdt.l3CacheSchema"}, unix.EINVAL, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := fakeTree(t)
			if c.setup != nil {
				c.setup(tree)
			}
			err := tree.Plan(&c.cfg, "c1").Make(&c.cfg)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is missing in: %v", w, err)
				}
			}
			if c.errno != 0 && !errors.Is(err, c.errno) {
				t.Errorf("not %v: %v", c.errno, err)
			}
			if got := groups(t, tree); got != c.left {
				t.Errorf("left %q, want %q", got, c.left)
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	tree := fakeTree(t)
	cfg := &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f"}
	g := tree.Plan(cfg, "c1")
	if err := g.Make(cfg); err != nil {
		t.Fatal(err)
	}
	undo, err := g.Update("", "MB:0=30")
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, tree, "c1/schemata"); got != full+"L3:0=f\nMB:0=30\n" {
		t.Errorf("schemata:\n%s", got)
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if have := parseSchema(text(t, tree, "c1/schemata")); have["MB"]["0"] != "100" || have["L3"]["0"] != "f" {
		t.Errorf("undone: %v", have)
	}
}

func TestStats(t *testing.T) {
	tree := fakeTree(t)
	cfg := &specs.LinuxIntelRdt{EnableMonitoring: true}
	g := tree.Plan(cfg, "c1")
	if err := g.Make(cfg); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(g.Stats())
	want := `{"l3_cache_info":{"cbm_mask":"7ff","min_cbm_bits":1,"num_closids":16},"l3_cache_schema_root":"L3:0=7ff;1=7ff",` +
		`"l3_cache_schema":"L3:0=7ff;1=7ff","mem_bw_info":{"bandwidth_gran":10,"delay_linear":1,"min_bandwidth":10,"num_closids":8},` +
		`"mem_bw_schema_root":"MB:0=100;1=100","mem_bw_schema":"MB:0=100;1=100","schemata":["MB:0=100;1=100","L3:0=7ff;1=7ff"],` +
		`"mbm_stats":[{"mbm_total_bytes":20,"mbm_local_bytes":10},{}],"cmt_stats":[{"llc_occupancy":1000},{}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestFind(t *testing.T) {
	tree, err := Find()
	if (err == nil) == (tree == nil) || err != nil && !errors.Is(err, ErrDisabled) {
		t.Errorf("%v, %v", tree, err)
	}
}
