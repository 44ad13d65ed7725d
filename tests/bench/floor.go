package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/devices"
	"github.com/ociruntime/ociruntime/libcontainer/initimage"
	"github.com/ociruntime/ociruntime/libcontainer/kernel"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/probe"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/compile"
	"github.com/ociruntime/ociruntime/specconv/idmap"
	"github.com/ociruntime/ociruntime/specconv/names"
	"github.com/ociruntime/ociruntime/tests/harness"
)

// Descriptors of floor.c.
const (
	floorInitsEnd  = 4
	floorProgress  = 6
	floorFirstFile = 7
)

// floorTable is where a table lies in the file, and how many ops it has.
type floorTable struct{ At, Size, Ops uint64 }

// What the host does at a rendezvous.
const (
	floorMaps = 1 << iota
	floorHome
	floorLimits
)

// floorHead is floor.c's struct head.
type floorHead struct {
	CloneFlags           uint64
	Cgroup               int64
	Before, Init, After  floorTable
	Meetings             uint64
	Does                 [32]uint8
	Limits               uint64
	Limit                [16][3]uint64
	UIDMap, GIDMap, Home [128]byte
	OwnersUID, OwnersGID [128]byte
	Filtered             int64
	Instructions         uint64
	Program              [2048]byte
}

// buildFloor compiles floor.c for the layout of the images that the linker makes. Its own text lies
// behind all that the images use.
func (e *env) buildFloor() (string, error) {
	top, err := sourceTop()
	if err != nil {
		return "", err
	}
	built, out := filepath.Join(e.dir, "floor-built"), filepath.Join(e.dir, "bin", "floor")
	args := []string{"-O2", "-Wall", "-static", "-Wl,-Ttext-segment=0x40000000", "-o", built}
	for name, value := range map[string]int64{
		"REGS_ADDR": kernel.RegsAddr, "OPS_OFFSET": kernel.OpsAddr - kernel.RegsAddr, "OP_SIZE": kernel.OpSize,
		"PAGE_SIZE": plan.PageSize, "PAGE_PID": plan.PagePid, "PAGE_HOME": plan.PageHome,
	} {
		args = append(args, fmt.Sprintf("-D%s=%d", name, value))
	}
	text, err := exec.Command("gcc", append(args, filepath.Join(top, "tests/bench/floor/floor.c"))...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build it: %w: %s", err, text)
	}
	return out, harness.CopyFile(built, out, 0o755) // see install
}

// floor writes down what floor.c is to do for the container of a bundle.
type floor struct {
	id     string
	spec   *specs.Spec
	places []cgroups.Place
	set    *cgroups.Settings
	plan   *plan.Plan

	head   floorHead
	before *plan.Builder
	next   int         // the first descriptor that the host's part has not used
	free   []int       // below that
	owners *plan.IDMap // of the mounts that have one
}

// newFloor makes the plan by which `run` would make the container id with this standard input and
// so on: the plan depends on what they are.
func newFloor(bundle, id string, stdio [3]*os.File) (*floor, error) {
	spec, _, _, err := specconv.LoadBundle(bundle, func(*specs.Spec) check.Options { return check.Options{} })
	if err != nil {
		return nil, err
	}
	f := &floor{id: id, spec: spec, before: plan.NewBuilder(), next: floorFirstFile}
	host, err := cgroups.Probe()
	if err != nil {
		return nil, err
	}
	if f.places, err = host.Locate(spec.Linux.CgroupsPath, id); err != nil {
		return nil, err
	}
	if f.set, err = cgroups.Compile(spec.Linux.Resources, host); err != nil {
		return nil, err
	}
	facts, err := probe.Container(spec, bundle, host, f.places, stdio)
	if err != nil {
		return nil, err
	}
	f.plan, err = compile.Create(&compile.Input{ID: id, Bundle: bundle, Spec: spec, Facts: facts, Run: true})
	return f, err
}

// write makes the file of tables.
func (f *floor) write(name string) error {
	f.head.CloneFlags, f.head.Cgroup = f.plan.Clone, -1
	f.before.Step("linux.resources", "make the cgroups")
	if err := errors.Join(f.takeOwners(), f.makeCgroups()); err != nil {
		return err
	}
	fds, err := f.openFiles()
	if err != nil {
		return err
	}
	if err := errors.Join(f.meetings(), f.filterDevices()); err != nil {
		return err
	}
	after := plan.NewBuilder()
	after.Step("linux.resources", "remove the cgroups")
	for _, p := range f.places {
		after.Do(plan.Sys(plan.SysUnlinkat, plan.CWD(), plan.Str(p.Path()), plan.Num(unix.AT_REMOVEDIR)))
	}
	var tables []byte
	for _, t := range []struct {
		p    *plan.Plan
		fds  []int
		into *floorTable
	}{{&f.before.Plan, []int{floorInitsEnd}, &f.head.Before}, {f.plan, fds, &f.head.Init}, {&after.Plan, []int{floorInitsEnd}, &f.head.After}} {
		image, err := initimage.Link(t.p, t.fds)
		if err != nil {
			return err
		}
		data := image[kernel.DataOffset:]
		// The head is shorter than a page, and each table begins with one.
		*t.into = floorTable{At: uint64(os.Getpagesize() + len(tables)), Size: uint64(len(data)), Ops: uint64(t.p.OpCount())}
		tables = append(tables, data...)
		tables = append(tables, make([]byte, -len(tables)&(os.Getpagesize()-1))...)
	}
	var file bytes.Buffer
	if err := binary.Write(&file, binary.NativeEndian, &f.head); err != nil {
		return err
	}
	file.Write(make([]byte, os.Getpagesize()-file.Len()))
	file.Write(tables)
	return os.WriteFile(name, file.Bytes(), 0o644)
}

// makeCgroups are the directories, and what is written to their files.
func (f *floor) makeCgroups() error {
	for _, p := range f.places {
		f.before.Do(plan.Mkdir(plan.CWD(), p.Path(), 0o755))
		if slices.Contains(p.Tree.Controllers, "cpuset") && !p.V2 {
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				parents, err := os.ReadFile(path.Join(path.Dir(p.Path()), file))
				if err != nil {
					return err
				}
				f.writeFile(path.Join(p.Path(), file), strings.TrimSpace(string(parents)))
			}
		}
	}
	for len(f.set.Writes) > 0 {
		w := f.set.Writes[0]
		i := slices.IndexFunc(f.places, func(p cgroups.Place) bool {
			return p.V2 == w.V2 && (w.V2 || slices.Contains(p.Tree.Controllers, w.Controller))
		})
		if i < 0 || w.Optional || w.Late || w.Else != nil {
			return fmt.Errorf("a write that the floor does not know: %s", w)
		}
		// One opening of the file serves all that is written to it in a row.
		var values []string
		for len(f.set.Writes) > 0 && f.set.Writes[0].File == w.File {
			values = append(values, f.set.Writes[0].Value)
			f.set.Writes = f.set.Writes[1:]
		}
		f.writeFile(path.Join(f.places[i].Path(), w.File), values...)
	}
	return nil
}

// filterDevices is what cgroup v2 has in place of a controller for devices.
func (f *floor) filterDevices() error {
	if len(f.set.Devices) == 0 {
		return nil
	}
	program := devices.Encode(devices.Program(f.set.Devices))
	f.head.Instructions = uint64(len(program) / 8)
	if copy(f.head.Program[:], program) < len(program) {
		return fmt.Errorf("linux.resources.devices: a program of %d bytes is too long for the floor", len(program))
	}
	return nil
}

func (f *floor) writeFile(name string, values ...string) {
	fd := f.before.Reg()
	f.before.Do(plan.OpenFile(plan.CWD(), name, unix.O_WRONLY, 0, 0).Into(fd))
	for _, v := range values {
		f.before.Do(plan.Write(plan.Val(fd), v))
	}
	f.before.Do(plan.Close(plan.Val(fd)))
}

// openFiles opens what the init inherits, at the numbers that it returns.
func (f *floor) openFiles() (fds []int, err error) {
	born := slices.IndexFunc(f.places, func(p cgroups.Place) bool { return p.V2 })
	into := func() plan.Op {
		return plan.OpenFile(plan.CWD(), f.places[born].Path(), unix.O_DIRECTORY, 0, 0)
	}
	for i := range f.plan.Files {
		file := &f.plan.Files[i]
		switch {
		case file.Name == "sync":
			fds = append(fds, floorInitsEnd)
		case file.Name == "progress":
			fds = append(fds, floorProgress)
		case file.Open == plan.OpenTree:
			op := plan.OpenTreeClone(plan.CWD(), file.Path, file.Recursive)
			if file.NoFollow {
				op = plan.OpenTreeNoFollow(plan.CWD(), file.Path, file.Recursive)
			}
			fd := f.open(op)
			fds = append(fds, fd)
			f.mapOwners(fd, file.IDMap)
		case file.Name == compile.FileProc:
			fds = append(fds, f.openProc())
		case file.Open == plan.OpenPath:
			fds = append(fds, f.open(plan.OpenFile(plan.CWD(), file.Path, unix.O_PATH, 0, 0)))
		case file.Name == compile.FileCgroup && born >= 0:
			fd := f.open(into())
			fds, f.head.Filtered = append(fds, fd), int64(fd)
			born = -1 // the init spawns the process that is born there
		default:
			i := slices.IndexFunc(f.places, func(p cgroups.Place) bool {
				return !p.V2 && compile.TasksFile(strings.Join(p.Tree.Controllers, ",")) == file.Name
			})
			if i < 0 {
				return nil, fmt.Errorf("%s: a file that the floor does not know: %s", file.From, file.Name)
			}
			fds = append(fds, f.open(plan.OpenFile(plan.CWD(), f.places[i].Path()+"/tasks", unix.O_WRONLY, 0, 0)))
		}
	}
	if born >= 0 {
		f.head.Cgroup = int64(f.open(into()))
		f.head.Filtered = f.head.Cgroup
	}
	return fds, nil
}

// open adds an op that opens the next file, and holds the kernel to the lowest number that is free.
func (f *floor) open(op plan.Op) int {
	fd := f.next
	if len(f.free) > 0 {
		fd = slices.Min(f.free)
		f.free = slices.DeleteFunc(f.free, func(n int) bool { return n == fd })
	} else {
		f.next++
	}
	f.before.Do(op.Exactly(fd))
	return fd
}

// takeOwners notes the maps of idmapped mounts: floor.c makes the one user namespace that has them.
func (f *floor) takeOwners() error {
	for i := range f.plan.Files {
		file := &f.plan.Files[i]
		switch m := file.IDMap; {
		case m == nil:
		case m.File != "":
			return fmt.Errorf("%s: the floor takes the maps of no other namespace", file.From)
		case f.owners == nil:
			f.owners = m
			copy(f.head.OwnersUID[:127], m.UIDs)
			copy(f.head.OwnersGID[:127], m.GIDs)
			f.next++
		case m.UIDs != f.owners.UIDs || m.GIDs != f.owners.GIDs:
			return fmt.Errorf("%s: the floor knows mounts with the same maps alone", file.From)
		}
	}
	return nil
}

// mapOwners adds an op that gives a tree its idmap.
func (f *floor) mapOwners(tree int, m *plan.IDMap) {
	if m == nil {
		return
	}
	flags := int64(unix.AT_EMPTY_PATH)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	attr := plan.MountAttr(unix.MOUNT_ATTR_IDMAP, 0, 0, floorFirstFile)
	f.before.Do(plan.Sys(plan.SysMountSetattr, plan.Num(int64(tree)), plan.Str(""), plan.Num(flags), plan.Bytes(attr, ""), plan.Num(int64(len(attr)))))
}

// openProc makes a procfs of its own.
func (f *floor) openProc() int {
	fs := f.open(plan.Fsopen("proc"))
	at := plan.Num(int64(fs))
	f.before.Do(plan.FsCreate(at))
	fd := f.open(plan.Fsmount(at, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC))
	f.before.Do(plan.Close(at))
	f.free = append(f.free, fs)
	return fd
}

// meetings are what the host does at each rendezvous.
func (f *floor) meetings() error {
	behindHost := false
	for i := range f.plan.Steps {
		s := &f.plan.Steps[i]
		if s.Site == plan.Host {
			if !behindHost || s.Begins {
				f.head.Meetings++
			}
			if f.head.Meetings > uint64(len(f.head.Does)) {
				return errors.New("the plan has more rendezvous than the floor has room for")
			}
			if err := f.host(s, &f.head.Does[f.head.Meetings-1]); err != nil {
				return err
			}
		}
		behindHost = s.Site == plan.Host
	}
	return nil
}

func (f *floor) host(s *plan.Step, does *uint8) error {
	switch s.Do {
	case compile.DoCreated: // a runtime records its state
	case compile.DoIDMaps:
		*does |= floorMaps
		copy(f.head.UIDMap[:127], idmap.Text(f.spec.Linux.UIDMappings))
		copy(f.head.GIDMap[:127], idmap.Text(f.spec.Linux.GIDMappings))
	case compile.DoHome:
		*does |= floorHome
		copy(f.head.Home[:127], "HOME=/root") // of the rootfs that makeRootfs makes
	case compile.DoRlimits:
		*does |= floorLimits
		for _, l := range f.spec.Process.Rlimits {
			number, ok := names.RlimitNumber(l.Type)
			l, first := compile.FirstRlimit(l)
			if !ok || !first || f.head.Limits == uint64(len(f.head.Limit)) {
				return fmt.Errorf("%s: a limit that the floor does not know: %s", s.From, l.Type)
			}
			f.head.Limit[f.head.Limits] = [3]uint64{uint64(number), l.Soft, l.Hard}
			f.head.Limits++
		}
	default:
		return fmt.Errorf("%s: the floor does not do %q", s.From, s.Do)
	}
	return nil
}

// removeCgroups removes what a floor that has failed left behind.
func (f *floor) removeCgroups() {
	for _, p := range f.places {
		_ = os.Remove(p.Path())
	}
}
