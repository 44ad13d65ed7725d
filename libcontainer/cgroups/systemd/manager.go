package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
)

// ErrNotRunning is the error where there is no systemd to talk to.
var ErrNotRunning = errors.New("systemd not running on this host, cannot use systemd cgroups manager")

// Manager speaks to systemd, the system's or the user's own. It is for one goroutine.
type Manager struct {
	user bool
	conn *dbus.Conn
	gone <-chan struct{} // closed when the connection is
}

// User says whether a user's own systemd is to be asked, not the system's: for everybody but root,
// and for the root of a user namespace to which the system's does not belong.
func User() bool {
	if os.Geteuid() != 0 {
		return true
	}
	if hostUID() == 0 {
		return false
	}
	var st unix.Stat_t
	return unix.Stat("/run/systemd/private", &st) != nil || st.Uid != 0
}

// hostUID is the user id by which systemd knows us, in the user namespace above this one.
func hostUID() int {
	text, _ := fs.ReadFile("/proc/self/uid_map")
	own := os.Geteuid()
	for line := range strings.Lines(string(text)) {
		var inside, outside, length int
		if _, err := fmt.Sscan(line, &inside, &outside, &length); err == nil && own >= inside && own-inside < length {
			return outside + own - inside
		}
	}
	return own
}

// Connect connects to systemd: through its private socket, which needs no message bus in between,
// else through the bus.
func Connect(user bool) (*Manager, error) {
	if st, err := os.Lstat("/run/systemd/system"); err != nil || !st.IsDir() {
		return nil, ErrNotRunning
	}
	m := &Manager{user: user}
	if err := m.connect(); err != nil {
		return nil, err
	}
	return m, nil
}

// Root asks for the manager's own cgroup, below which its units are: "" or a path that begins with
// "/".
func (m *Manager) Root() (root string, err error) {
	err = m.do(func(context.Context, bool) error {
		text, err := m.conn.GetManagerProperty("ControlGroup")
		if err == nil {
			root, err = strconv.Unquote(text)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("ask systemd for its cgroup: %w", err)
	}
	return root, nil
}

// Close ends the connection.
func (m *Manager) Close() {
	if m.conn != nil {
		m.conn.Close()
		m.conn = nil
	}
}

// Start makes the unit, with pid in it unless it is a slice. A failed unit of the same name, left
// over by somebody, is cleared away; a slice that is there already is taken. The connection is
// closed then; the next call makes a new one.
func (m *Manager) Start(u Unit, pid int, props []Property) error {
	// What else the command says to systemd, if anything, comes after the container's creation and
	// its hooks. Until then nobody would read the signals about all units that come over a direct
	// connection, and systemd would keep them for us.
	defer m.Close()
	err := m.start(u, pid, props)
	switch {
	case errorName(err) == "UnitExists" && u.IsSlice():
		return m.Set(u.Name, props)
	case errorName(err) == "UnitExists" && m.reset(u.Name) == nil:
		err = m.start(u, pid, props)
	default:
		if young := tooNew(err, props); young != "" {
			err = m.start(u, pid, slices.DeleteFunc(slices.Clone(props), func(p Property) bool { return p.Name == young }))
		}
	}
	if err != nil {
		return fmt.Errorf("linux.cgroupsPath: start systemd unit %s (%s): %w", u.Name, describe(props), err)
	}
	return nil
}

func (m *Manager) start(u Unit, pid int, props []Property) error {
	return m.do(func(ctx context.Context, again bool) error {
		done := make(chan string, 1)
		_, err := m.conn.StartTransientUnitContext(ctx, u.Name, "replace", unitProperties(u, pid, props), done)
		if again && errorName(err) == "UnitExists" && m.holds(ctx, u, pid) {
			return nil // the first call had worked; only its answer was lost with the connection
		}
		if err != nil {
			return err
		}
		return m.wait(ctx, done)
	})
}

// holds says whether the process is in the unit.
func (m *Manager) holds(ctx context.Context, u Unit, pid int) bool {
	name, err := m.conn.GetUnitNameByPID(ctx, uint32(pid))
	return err == nil && pid != 0 && name == u.Name
}

// tooNew finds the property of a limit that this systemd is too old for, if that is what err is
// about. The control file has the limit in any case; asking for the version first would cost every
// container a call.
func tooNew(err error, props []Property) string {
	for _, p := range props {
		weight, _ := p.Value.Value().(uint64)
		young := p.Name == "OOMPolicy" || p.Name == "CPUWeight" && weight == 0
		if err != nil && young && strings.Contains(err.Error(), p.Name) {
			return p.Name
		}
	}
	return ""
}

// describe names the properties in an error: systemd's answer does not always say which one it
// refuses.
func describe(props []Property) string {
	names := make([]string, 0, len(props)+1)
	names = append(names, "properties from config.json:")
	for _, p := range props {
		names = append(names, p.Name)
	}
	if len(props) == 0 {
		names = append(names, "none")
	}
	return strings.Join(names, " ")
}

// unitProperties are those that every unit gets, and then the given ones, which win.
func unitProperties(u Unit, pid int, props []Property) []dbus.Property {
	all := []dbus.Property{
		dbus.PropDescription("container " + strings.TrimSuffix(u.Name, scopeSuffix)),
		property("CPUAccounting", true),
		property("MemoryAccounting", true),
		property("IOAccounting", true),
		property("TasksAccounting", true),
		// Containers outlive the shutdown of ordinary services only if nothing orders them.
		property("DefaultDependencies", false),
	}
	if u.IsSlice() {
		all = append(all, dbus.PropWants(u.Slice))
	} else {
		all = append(all, dbus.PropSlice(u.Slice), property("Delegate", true), dbus.PropPids(uint32(pid)))
	}
	return append(all, plain(props)...)
}

func property(name string, value any) dbus.Property {
	return dbus.Property{Name: name, Value: godbus.MakeVariant(value)}
}

// plain are the properties without their places in config.json.
func plain(props []Property) []dbus.Property {
	list := make([]dbus.Property, len(props))
	for i, p := range props {
		list[i] = dbus.Property{Name: p.Name, Value: p.Value}
	}
	return list
}

// Set changes properties of a unit until it ends.
func (m *Manager) Set(unit string, props []Property) error {
	// systemd takes this one only when it makes the unit.
	props = slices.DeleteFunc(slices.Clone(props), func(p Property) bool { return p.Name == "OOMPolicy" })
	if len(props) == 0 {
		return nil
	}
	const runtime = true // until the unit ends
	err := m.do(func(ctx context.Context, _ bool) error {
		return m.conn.SetUnitPropertiesContext(ctx, unit, runtime, plain(props)...)
	})
	if err != nil {
		return fmt.Errorf("set properties of systemd unit %s (%s): %w", unit, describe(props), err)
	}
	return nil
}

// OutOfMemory says that a scope has ended because the kernel has killed a process of its for want
// of memory (since systemd 253).
func (m *Manager) OutOfMemory(unit string) (oom bool, err error) {
	err = m.do(func(ctx context.Context, _ bool) error {
		result, err := m.conn.GetUnitTypePropertyContext(ctx, unit, "Scope", "Result")
		if err == nil {
			oom = result.Value.Value() == "oom-kill"
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("ask systemd how unit %s has ended: %w", unit, err)
	}
	return oom, nil
}

// Attach moves a process of the caller's into the unit's cgroup, also where the caller has no right
// to.
func (m *Manager) Attach(unit string, pid int) error {
	const subgroup = ""
	err := m.do(func(ctx context.Context, _ bool) error {
		return m.conn.AttachProcessesToUnit(ctx, unit, subgroup, []uint32{uint32(pid)})
	})
	if err != nil {
		return fmt.Errorf("have systemd move process %d into unit %s: %w", pid, unit, err)
	}
	return nil
}

// Stop ends a unit and makes systemd forget it. One that is gone is fine.
func (m *Manager) Stop(unit string) error {
	err := m.do(func(ctx context.Context, _ bool) error {
		done := make(chan string, 1)
		if _, err := m.conn.StopUnitContext(ctx, unit, "replace", done); err != nil {
			return err
		}
		return m.wait(ctx, done)
	})
	if err != nil && errorName(err) != "NoSuchUnit" {
		return fmt.Errorf("stop systemd unit %s: %w", unit, err)
	}
	return m.reset(unit)
}

func (m *Manager) reset(unit string) error {
	err := m.do(func(ctx context.Context, _ bool) error { return m.conn.ResetFailedUnitContext(ctx, unit) })
	if err != nil && errorName(err) != "NoSuchUnit" {
		return fmt.Errorf("reset systemd unit %s: %w", unit, err)
	}
	return nil
}
