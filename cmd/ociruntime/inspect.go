package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/inspect"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// inspectCommand shows what a container is, to people.
func inspectCommand(a *app) *cli.Command {
	var format string
	return &cli.Command{
		Name: "inspect", ArgsUsage: "ID",
		Usage: "show what a container is, seen from the host",
		Description: `Shows what the kernel says of a container: its namespaces beside the caller's, its
processes with their pids on the host and inside, its cgroup with limits and use, and
what its first process may do: ids and their mappings, capabilities, seccomp,
no_new_privs, resource limits. Then what is mounted for it.

A namespace is the container's own, joined (config.json names its path) or shared with
the caller. JSON has the same, for programs.`,
		Flags: []cli.Flag{text(&format, "format,f", "`FORMAT` is text or json (default: text)")},
		Action: a.action(1, 1, func(c *cli.Context) error {
			if err := oneFormat(format, "text", "json"); err != nil {
				return err
			}
			container, err := a.runtime().Load(c.Args().First())
			if err != nil {
				return err
			}
			seen, err := container.Inspect()
			if err != nil {
				return err
			}
			v := newView(seen)
			if e, err := container.Stats(); err == nil {
				u := usedBy(e)
				v.Use = &u
			}
			if format != "json" {
				return a.print(v.text(time.Now()))
			}
			data, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				return err
			}
			return a.print(string(data) + "\n")
		}),
	}
}

// view is a container as inspect shows it.
type view struct {
	State      *libcontainer.State          `json:"state"`
	Namespaces []libcontainer.NamespaceView `json:"namespaces,omitempty"`
	Processes  []processView                `json:"processes,omitempty"`
	Cgroup     map[string]string            `json:"cgroup_paths"`
	Unit       string                       `json:"systemd_unit,omitempty"`
	Use        *use                         `json:"use,omitempty"`
	Init       *initView                    `json:"process,omitempty"`
}

type processView struct {
	Host    int    `json:"host_pid"`
	Inside  int    `json:"pid"`
	Command string `json:"command"`
	UID     uint32 `json:"host_uid"`
}

// initView is the container's first process.
type initView struct {
	UID          uint32              `json:"host_uid"` // as the host counts
	GID          uint32              `json:"host_gid"`
	Groups       []uint32            `json:"host_groups"`
	UIDMap       []inspect.Mapping   `json:"uid_map"`
	GIDMap       []inspect.Mapping   `json:"gid_map"`
	Capabilities map[string][]string `json:"capabilities"`
	Seccomp      string              `json:"seccomp"`
	Filters      int                 `json:"seccomp_filters"`
	NoNewPrivs   bool                `json:"no_new_privs"`
	Limits       []inspect.Limit     `json:"rlimits"`
	Mounts       []mountView         `json:"mounts"`
}

type mountView struct {
	At      string `json:"destination"`
	Type    string `json:"type"`
	Source  string `json:"source"`
	Root    string `json:"root"` // which part of the file system
	Options string `json:"options"`
	Super   string `json:"filesystem_options"`
}

func newView(seen *libcontainer.Inspection) *view {
	v := &view{State: seen.State, Namespaces: seen.Namespaces, Cgroup: seen.CgroupPaths, Unit: seen.Systemd}
	for _, p := range seen.Processes {
		if len(p.Pids) > 0 && len(p.UIDs) > 1 {
			v.Processes = append(v.Processes, processView{p.Pids[0], p.Pids[len(p.Pids)-1], p.Name, p.UIDs[1]})
		}
	}
	if p := seen.Init; p != nil {
		v.Init = newInitView(p)
	}
	return v
}

func newInitView(p *inspect.Process) *initView {
	i := &initView{
		Groups: p.Groups, UIDMap: p.UIDMap, GIDMap: p.GIDMap, Capabilities: map[string][]string{}, NoNewPrivs: p.NoNewPrivs,
		Seccomp: [...]string{"none", "strict", "filter"}[max(0, min(p.SeccompMode, 2))], Filters: p.SeccompFilters, Limits: p.Limits,
	}
	if len(p.UIDs) > 1 && len(p.GIDs) > 1 {
		i.UID, i.GID = p.UIDs[1], p.GIDs[1]
	}
	for set, mask := range p.Capabilities {
		i.Capabilities[set] = capabilityNames(mask)
	}
	for _, m := range p.Mounts {
		i.Mounts = append(i.Mounts, mountView{m.Mountpoint, m.FSType, m.Source, m.Root, m.Options, m.VFSOptions})
	}
	return i
}

func capabilityNames(mask uint64) []string {
	list := []string{}
	for n := range bits.Len64(mask) {
		switch name := names.CapabilityName(n); {
		case mask>>n&1 == 0:
		case name == "":
			list = append(list, fmt.Sprint(n))
		default:
			list = append(list, name)
		}
	}
	return list
}

// text is the view for people, in sections.
func (v *view) text(now time.Time) string {
	var b strings.Builder
	s := v.State
	section(&b, "container", [][]string{
		{"id", s.ID}, {"status", string(s.Status)}, {"created", ago(now.Sub(s.Created)) + ", by " + s.Owner}, {"bundle", s.Bundle}, {"root", s.Rootfs},
	})
	rows := [][]string{}
	for _, ns := range v.Namespaces {
		rows = append(rows, []string{ns.Type, fmt.Sprint(ns.Inode), strings.TrimSpace(ns.Relation + " " + ns.Path)})
	}
	section(&b, "namespaces", rows)
	rows = nil
	for _, p := range v.Processes {
		rows = append(rows, []string{fmt.Sprint(p.Host), fmt.Sprintf("is %d inside", p.Inside), fmt.Sprintf("uid %d", p.UID), p.Command})
	}
	section(&b, "processes, by the host's pids", rows)
	section(&b, "cgroup", v.cgroupRows())
	if v.Init != nil {
		v.Init.text(&b)
	}
	return strings.TrimPrefix(b.String(), "\n")
}

func (v *view) cgroupRows() (rows [][]string) {
	if v.Unit != "" {
		rows = append(rows, []string{"systemd's unit", v.Unit})
	}
	// v1 has one path for each controller, most of them alike.
	at := map[string][]string{}
	for controller, path := range v.Cgroup {
		at[path] = append(at[path], controller)
	}
	for _, path := range slices.Sorted(maps.Keys(at)) {
		slices.Sort(at[path])
		label := strings.Join(at[path], ",")
		if label == "" {
			label = "v2"
		}
		rows = append(rows, []string{label, path})
	}
	if u := v.Use; u != nil {
		pids := "none"
		if u.Pids.Limit > 0 {
			pids = fmt.Sprint(u.Pids.Limit)
		}
		rows = append(rows, []string{"memory", size(u.Memory.Used) + ", limit " + sizeLimit(u.Memory.Limit)},
			[]string{"processes", fmt.Sprintf("%d, limit %s", u.Pids.Used, pids)},
			[]string{"read, written", size(u.IO.Read) + ", " + size(u.IO.Written)})
	}
	return rows
}

func (i *initView) text(b *strings.Builder) {
	rows := [][]string{{"user, group", fmt.Sprintf("%d, %d of the host", i.UID, i.GID)}, {"further groups", orNone(strings.Trim(fmt.Sprint(i.Groups), "[]"))}}
	for _, m := range []struct {
		kind string
		of   []inspect.Mapping
	}{{"users", i.UIDMap}, {"groups", i.GIDMap}} {
		for _, e := range m.of {
			if e.Inside == 0 && e.Outside == 0 && e.Count == 1<<32-1 {
				rows = append(rows, []string{m.kind, "the host's"})
				continue
			}
			rows = append(rows, []string{m.kind, fmt.Sprintf("%d from %d on are the host's from %d on", e.Count, e.Inside, e.Outside)})
		}
	}
	filters := ""
	if i.Filters > 0 {
		filters = fmt.Sprintf(", %d of them", i.Filters)
	}
	rows = append(rows, []string{"seccomp", i.Seccomp + filters}, []string{"no_new_privs", fmt.Sprint(i.NoNewPrivs)})
	section(b, "first process", rows)
	rows = nil
	for _, set := range []string{"bounding", "permitted", "effective", "inheritable", "ambient"} {
		list := i.Capabilities[set]
		text := orNone(strings.ReplaceAll(strings.Join(list, " "), "CAP_", ""))
		if len(list) == len(names.CapabilityTable) {
			text = "all"
		}
		rows = append(rows, []string{set, text})
	}
	section(b, "capabilities", rows)
	rows = nil
	for _, l := range i.Limits {
		rows = append(rows, []string{l.Name, l.Soft, l.Hard})
	}
	section(b, "resource limits, soft and hard", rows)
	rows = nil
	for _, m := range i.Mounts {
		rows = append(rows, []string{m.At, m.Type, m.Source, m.Options})
	}
	section(b, "mounts", rows)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// section writes rows of columns below a title. Names come from images, too.
func section(b *strings.Builder, title string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	b.WriteString("\n" + title + "\n")
	w := tabwriter.NewWriter(b, 0, 1, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = oneLine(cell)
		}
		fmt.Fprintln(w, "    "+strings.Join(cells, "\t"))
	}
	_ = w.Flush() // to memory
}
