// Package inspect reads what the kernel tells of a process in /proc (proc(5)): who it is, what it
// may do, which namespaces it has beside ours, and what is mounted for it. It is for showing, not
// for deciding: a process may change meanwhile.
package inspect

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// Process is what /proc tells of one.
type Process struct {
	Status
	UIDMap, GIDMap []Mapping
	Limits         []Limit
	Mounts         []*mountinfo.Info
}

// Status is the part of /proc/PID/status that says what a process may do.
type Status struct {
	Name           string
	Pids           []int // in each pid namespace, from ours inwards
	UIDs, GIDs     []uint32
	Groups         []uint32
	Capabilities   map[string]uint64 // by the name of the set, as "effective"
	NoNewPrivs     bool
	SeccompMode    int // 0 none, 1 strict, 2 filter
	SeccompFilters int
}

// Mapping is a line of uid_map or gid_map: so many ids from Inside on are those from Outside on.
type Mapping struct {
	Inside  uint32 `json:"inside"`
	Outside uint32 `json:"outside"`
	Count   uint32 `json:"count"`
}

// Limit is a resource limit, with the kernel's words; "unlimited" among them.
type Limit struct {
	Name string `json:"name"`
	Soft string `json:"soft"`
	Hard string `json:"hard"`
}

// Read looks at a process. One that has ended meanwhile is an error that is fs.ErrNotExist, or
// ESRCH.
func Read(pid int) (*Process, error) {
	p := &Process{}
	status, err := ReadStatus(pid)
	if err != nil {
		return nil, err
	}
	p.Status = *status
	for _, part := range []struct {
		file string
		read func(text string) error
	}{
		{"uid_map", func(text string) (err error) { p.UIDMap, err = parseMap(text); return err }},
		{"gid_map", func(text string) (err error) { p.GIDMap, err = parseMap(text); return err }},
		{"limits", func(text string) error { p.Limits = parseLimits(text); return nil }},
		{"mountinfo", func(text string) (err error) {
			p.Mounts, err = mountinfo.GetMountsFromReader(bytes.NewReader([]byte(text)), nil)
			return err
		}},
	} {
		if err := read(pid, part.file, part.read); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// ReadStatus is the part of Read that every user may see.
func ReadStatus(pid int) (s *Status, err error) {
	err = read(pid, "status", func(text string) (err error) { s, err = parseStatus(text); return err })
	return s, err
}

func read(pid int, name string, parse func(string) error) error {
	path := fmt.Sprintf("/proc/%d/%s", pid, name)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := parse(string(text)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func parseStatus(text string) (*Status, error) {
	s := &Status{Capabilities: map[string]uint64{}}
	var err error
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":\t")
		switch key {
		case "Name":
			s.Name = value
		case "NSpid":
			list, e := numbers[int](value)
			s.Pids = list
			keep(e)
		case "Uid", "Gid", "Groups":
			list, e := numbers[uint32](value)
			*map[string]*[]uint32{"Uid": &s.UIDs, "Gid": &s.GIDs, "Groups": &s.Groups}[key] = list
			keep(e)
		case "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
			mask, e := strconv.ParseUint(value, 16, 64)
			s.Capabilities[capabilitySets(key)] = mask
			keep(e)
		case "NoNewPrivs":
			s.NoNewPrivs = value == "1"
		case "Seccomp":
			s.SeccompMode, _ = strconv.Atoi(value)
		case "Seccomp_filters":
			s.SeccompFilters, _ = strconv.Atoi(value)
		}
	}
	return s, err
}

func capabilitySets(key string) string {
	switch key {
	case "CapInh":
		return "inheritable"
	case "CapPrm":
		return "permitted"
	case "CapEff":
		return "effective"
	case "CapBnd":
		return "bounding"
	}
	return "ambient"
}

func numbers[T int | uint32](text string) (list []T, err error) {
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, err
		}
		list = append(list, T(n))
	}
	return list, nil
}

func parseMap(text string) (list []Mapping, err error) {
	for line := range strings.Lines(text) {
		n, err := numbers[uint32](line)
		if err != nil || len(n) != 3 {
			return nil, fmt.Errorf("%q is not a mapping", line)
		}
		list = append(list, Mapping{n[0], n[1], n[2]})
	}
	return list, nil
}

// parseLimits reads a table whose columns have a fixed width, as the names have blanks in them.
func parseLimits(text string) (list []Limit) {
	heading, rows, _ := strings.Cut(text, "\n")
	soft, hard, units := strings.Index(heading, "Soft"), strings.Index(heading, "Hard"), strings.Index(heading, "Units")
	if soft < 0 || hard < soft || units < hard {
		return nil
	}
	for row := range strings.Lines(rows) {
		if len(row) < units {
			continue
		}
		list = append(list, Limit{
			Name: strings.TrimPrefix(strings.TrimSpace(row[:soft]), "Max "),
			Soft: strings.TrimSpace(row[soft:hard]), Hard: strings.TrimSpace(row[hard:units]),
		})
	}
	return list
}
