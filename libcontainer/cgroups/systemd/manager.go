package systemd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// ErrNotRunning is the error where there is no systemd to talk to.
var ErrNotRunning = errors.New("systemd not running on this host, cannot use systemd cgroups manager")

const (
	// jobTimeout is how long systemd may take for one thing.
	jobTimeout = 30 * time.Second
	// dialTries, from 10 ms on doubling, are made while systemd is too busy to take a connection.
	dialTries = 8
)

// Manager is a connection to systemd, the system's or the user's own. It is for one goroutine.
type Manager struct {
	user bool
	conn *sd.Conn
}

// User says whether a user's own systemd is to be asked, not the system's: for everybody but root, and for the root of a user
// namespace to which the system's does not belong.
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
	text, _ := os.ReadFile("/proc/self/uid_map")
	own := os.Geteuid()
	for line := range strings.Lines(string(text)) {
		var inside, outside, length int
		if _, err := fmt.Sscan(line, &inside, &outside, &length); err == nil && own >= inside && own-inside < length {
			return outside + own - inside
		}
	}
	return own
}

// Connect connects to systemd: through its private socket, which needs no message bus in between, else through the bus.
func Connect(user bool) (*Manager, error) {
	if st, err := os.Lstat("/run/systemd/system"); err != nil || !st.IsDir() {
		return nil, ErrNotRunning
	}
	m := &Manager{user: user}
	if err := m.dial(); err != nil {
		return nil, err
	}
	return m, nil
}

// Root asks for the manager's own cgroup, below which its units are: "" or a path that begins with "/".
func (m *Manager) Root() (string, error) {
	var text string
	err := m.call(func(_ context.Context, c *sd.Conn) (err error) {
		text, err = c.GetManagerProperty("ControlGroup")
		return err
	})
	if err == nil {
		text, err = strconv.Unquote(text)
	}
	if err != nil {
		return "", fmt.Errorf("ask systemd for its cgroup: %w", err)
	}
	return text, nil
}

// Close ends the connection.
func (m *Manager) Close() {
	if m.conn != nil {
		m.conn.Close()
		m.conn = nil
	}
}

// addresses are where systemd may listen; direct ones speak to it without a bus.
func (m *Manager) addresses() (direct, bus string) {
	if !m.user {
		return "/run/systemd/private", "unix:path=/run/dbus/system_bus_socket"
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = "/run/user/" + strconv.Itoa(hostUID())
	}
	bus = os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if bus == "" {
		bus = "unix:path=" + filepath.Join(dir, "bus")
	}
	return filepath.Join(dir, "systemd/private"), bus
}

func (m *Manager) dial() error {
	direct, bus := m.addresses()
	var busErr error
	err := patiently(func() (err error) {
		m.conn, err = connect("unix:path="+dbus.EscapeBusAddressValue(direct), true)
		return err
	})
	if err != nil {
		busErr = patiently(func() (err error) { m.conn, err = connect(bus, false); return err })
	}
	if busErr != nil {
		whose := "systemd"
		if m.user {
			whose = "the user's systemd (is there a login session, and XDG_RUNTIME_DIR set?)"
		}
		return fmt.Errorf("connect to %s: %w; over D-Bus: %w", whose, err, busErr)
	}
	return nil
}

// patiently repeats what fails because systemd has too many connections waiting.
func patiently(try func() error) error {
	err := try()
	for i, pause := 1, 10*time.Millisecond; i < dialTries && errors.Is(err, unix.EAGAIN); i, pause = i+1, 2*pause {
		// The pid keeps commands that were refused together from coming back together.
		time.Sleep(pause + pause*time.Duration(os.Getpid()%64)/64)
		err = try()
	}
	return err
}

// connect makes one connection; go-systemd asks for a second one, for signals, but takes the same again.
func connect(address string, direct bool) (*sd.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*jobTimeout)
	c, err := dbus.Dial(address, dbus.WithContext(ctx))
	if err == nil {
		err = greet(c, direct)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	context.AfterFunc(c.Context(), cancel)
	return sd.NewConnection(func() (*dbus.Conn, error) { return c, nil })
}

func greet(c *dbus.Conn, direct bool) error {
	err := c.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(hostUID()))})
	if err == nil && !direct {
		if err = c.Hello(); err == nil {
			// On the bus, systemd sends its signals only to those who ask.
			err = c.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1").Call("org.freedesktop.systemd1.Manager.Subscribe", 0).Err
		}
	}
	if err != nil {
		c.Close()
	}
	return err
}

// call makes a call, once more after a connection that systemd has closed, as it does when it executes itself anew.
func (m *Manager) call(do func(ctx context.Context, c *sd.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), jobTimeout)
	defer cancel()
	if m.conn != nil {
		err := do(ctx, m.conn)
		if !errors.Is(err, dbus.ErrClosed) && !errors.Is(err, io.EOF) && !errors.Is(err, unix.EPIPE) {
			return err
		}
		m.Close()
	}
	if err := m.dial(); err != nil {
		return err
	}
	return do(ctx, m.conn)
}

// errorName is the name of the error that systemd has answered with.
func errorName(err error) string {
	var e dbus.Error
	if errors.As(err, &e) {
		return strings.TrimPrefix(e.Name, "org.freedesktop.systemd1.")
	}
	return ""
}

// job starts a job and waits for its end.
func (m *Manager) job(start func(ctx context.Context, c *sd.Conn, done chan<- string) error) error {
	return m.call(func(ctx context.Context, c *sd.Conn) error {
		done := make(chan string, 1)
		if err := start(ctx, c, done); err != nil {
			return err
		}
		select {
		case result := <-done:
			if result != "done" {
				return fmt.Errorf("the job ended with %q", result)
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("no answer from systemd within %v", jobTimeout)
		}
	})
}

// Start makes the unit, with pid in it unless it is a slice. A failed unit of the same name, left over by somebody, is cleared away; a slice
// that is there already is taken.
func (m *Manager) Start(u Unit, pid int, props []Property) error {
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
	all := m.properties(u, pid, props)
	return m.job(func(ctx context.Context, c *sd.Conn, done chan<- string) error {
		_, err := c.StartTransientUnitContext(ctx, u.Name, "replace", all, done)
		return err
	})
}

// tooNew finds the property of a limit that this systemd is too old for, if that is what err is about. The control file has the limit
// in any case; asking for the version first would cost every container a call.
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

// describe names the properties in an error: systemd's answer does not always say which one it refuses.
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

// properties are those that every unit gets, and then the given ones, which win.
func (m *Manager) properties(u Unit, pid int, props []Property) []sd.Property {
	value := func(name string, v any) sd.Property { return sd.Property{Name: name, Value: dbus.MakeVariant(v)} }
	all := []sd.Property{
		value("Description", "container "+strings.TrimSuffix(u.Name, scopeSuffix)),
		value("CPUAccounting", true), value("MemoryAccounting", true), value("IOAccounting", true), value("TasksAccounting", true),
		// Containers outlive the shutdown of ordinary services only if nothing orders them.
		value("DefaultDependencies", false),
	}
	if u.IsSlice() {
		all = append(all, value("Wants", []string{u.Slice}))
	} else {
		all = append(all, value("Slice", u.Slice), value("Delegate", true), value("PIDs", []uint32{uint32(pid)}))
	}
	return append(all, plain(props)...)
}

func plain(props []Property) []sd.Property {
	list := make([]sd.Property, len(props))
	for i, p := range props {
		list[i] = sd.Property{Name: p.Name, Value: p.Value}
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
	err := m.call(func(ctx context.Context, c *sd.Conn) error {
		return c.SetUnitPropertiesContext(ctx, unit, true, plain(props)...)
	})
	if err != nil {
		return fmt.Errorf("set properties of systemd unit %s (%s): %w", unit, describe(props), err)
	}
	return nil
}

// OutOfMemory says that a scope has ended because the kernel has killed a process of its for want of memory (since systemd 253).
func (m *Manager) OutOfMemory(unit string) (bool, error) {
	var result string
	err := m.call(func(ctx context.Context, c *sd.Conn) error {
		p, err := c.GetUnitTypePropertyContext(ctx, unit, "Scope", "Result")
		if err == nil {
			result, _ = p.Value.Value().(string)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("ask systemd how unit %s has ended: %w", unit, err)
	}
	return result == "oom-kill", nil
}

// Attach moves a process of the caller's into the unit's cgroup, also where the caller has no right to.
func (m *Manager) Attach(unit string, pid int) error {
	err := m.call(func(ctx context.Context, c *sd.Conn) error {
		return c.AttachProcessesToUnit(ctx, unit, "", []uint32{uint32(pid)})
	})
	if err != nil {
		return fmt.Errorf("have systemd move process %d into unit %s: %w", pid, unit, err)
	}
	return nil
}

// Stop ends a unit and makes systemd forget it. One that is gone is fine.
func (m *Manager) Stop(unit string) error {
	err := m.job(func(ctx context.Context, c *sd.Conn, done chan<- string) error {
		_, err := c.StopUnitContext(ctx, unit, "replace", done)
		return err
	})
	if err != nil && errorName(err) != "NoSuchUnit" {
		return fmt.Errorf("stop systemd unit %s: %w", unit, err)
	}
	return m.reset(unit)
}

func (m *Manager) reset(unit string) error {
	err := m.call(func(ctx context.Context, c *sd.Conn) error { return c.ResetFailedUnitContext(ctx, unit) })
	if err != nil && errorName(err) != "NoSuchUnit" {
		return fmt.Errorf("reset systemd unit %s: %w", unit, err)
	}
	return nil
}
