package systemd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/systemd/dbus"
)

const (
	service          = "org.freedesktop.systemd1"
	managerPath      = "/org/freedesktop/systemd1"
	managerInterface = "org.freedesktop.systemd1.Manager"
)

// jobTimeout is how long systemd may take for one thing.
const jobTimeout = 30 * time.Second

// addresses are where systemd may listen; direct ones speak to it without a bus.
func (m *Manager) addresses() (direct, bus string) {
	if !m.user {
		bus = os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
		if bus == "" {
			bus = "unix:path=/run/dbus/system_bus_socket"
		}
		return "/run/systemd/private", bus
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = "/run/user/" + strconv.Itoa(hostUID())
	}
	bus = os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if bus == "" {
		bus = "unix:path=" + dbus.EscapeAddress(filepath.Join(dir, "bus"))
	}
	return filepath.Join(dir, "systemd/private"), bus
}

func (m *Manager) dial() error {
	direct, bus := m.addresses()
	var err, busErr error
	if m.conn, err = connect("unix:path="+dbus.EscapeAddress(direct), true); err != nil {
		m.conn, busErr = connect(bus, false)
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

func connect(addresses string, direct bool) (*dbus.Conn, error) {
	c, err := dbus.Dial(addresses, hostUID(), time.Now().Add(jobTimeout))
	if err != nil || direct {
		return c, err
	}
	if err := listen(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// listen lets us hear of the ends of jobs: on a bus, systemd sends its signals only if somebody asks, and the bus only to those who
// want that one. On a direct connection they all come.
func listen(c *dbus.Conn) error {
	if err := c.Hello(); err != nil {
		return err
	}
	const rule = "type='signal',sender='" + service + "',path='" + managerPath + "',interface='" + managerInterface + "',member='JobRemoved'"
	_, err := c.Call(&dbus.Call{
		Destination: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus", Interface: "org.freedesktop.DBus", Member: "AddMatch",
		Signature: "s", Body: []any{rule},
	})
	if err == nil {
		_, err = c.Call(method("Subscribe", ""))
	}
	return err
}

// method is a call of systemd's manager.
func method(name string, sig dbus.Signature, body ...any) *dbus.Call {
	return &dbus.Call{Destination: service, Path: managerPath, Interface: managerInterface, Member: name, Signature: sig, Body: body}
}

// do does something over the connection, once more after one that systemd has closed, as it does when it executes itself anew.
func (m *Manager) do(what func(c *dbus.Conn) error) error {
	if m.conn != nil {
		m.conn.SetDeadline(time.Now().Add(jobTimeout))
		err := what(m.conn)
		if !errors.Is(err, dbus.ErrClosed) {
			return inTime(err)
		}
		m.Close()
	}
	if err := m.dial(); err != nil {
		return err
	}
	m.conn.SetDeadline(time.Now().Add(jobTimeout))
	return inTime(what(m.conn))
}

func inTime(err error) error {
	if errors.Is(err, dbus.ErrTimeout) {
		return fmt.Errorf("%w from systemd within %v", err, jobTimeout)
	}
	return err
}

// call calls a method whose answer says nothing.
func (m *Manager) call(name string, sig dbus.Signature, body ...any) error {
	return m.do(func(c *dbus.Conn) error {
		_, err := c.Call(method(name, sig, body...))
		return err
	})
}

// job calls a method that starts a job, and waits for the end of the job.
func (m *Manager) job(name string, sig dbus.Signature, body ...any) error {
	return m.do(func(c *dbus.Conn) error {
		answer, err := c.Call(method(name, sig, body...))
		if err != nil {
			return err
		}
		job, ok := argument[dbus.ObjectPath](answer, 0)
		if !ok {
			return fmt.Errorf("systemd's answer to %s names no job", name)
		}
		for {
			ended, err := c.Receive(func(s *dbus.Message) bool {
				// On a bus, whoever likes may send us this, but only under his own name there, which begins with a colon.
				foreign := strings.HasPrefix(s.Sender, ":") && s.Sender != answer.Sender
				return s.IsSignal(managerPath, managerInterface, "JobRemoved") && !foreign
			})
			if err != nil {
				return err
			}
			if which, _ := argument[dbus.ObjectPath](ended, 1); which != job {
				continue
			}
			if result, _ := argument[string](ended, 3); result != "done" {
				return fmt.Errorf("the job ended with %q", result)
			}
			return nil
		}
	})
}

// argument is the i-th value of a message, if it is of the type it should be.
func argument[T any](m *dbus.Message, i int) (value T, ok bool) {
	if i < len(m.Body) {
		value, ok = m.Body[i].(T)
	}
	return value, ok
}

// property asks for a property of type s.
func (m *Manager) property(path dbus.ObjectPath, iface, name string) (value string, err error) {
	err = m.do(func(c *dbus.Conn) error {
		answer, err := c.Call(&dbus.Call{
			Destination: service, Path: path, Interface: "org.freedesktop.DBus.Properties", Member: "Get", Signature: "ss", Body: []any{iface, name},
		})
		if err != nil {
			return err
		}
		v, _ := argument[dbus.Variant](answer, 0)
		var ok bool
		if value, ok = v.Value().(string); !ok {
			return fmt.Errorf("systemd's answer for %s is no text", name)
		}
		return nil
	})
	return value, err
}

// unitPath is the object of a unit: in its name, all but letters and digits are replaced.
func unitPath(unit string) dbus.ObjectPath {
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.WriteString(managerPath + "/unit/")
	for i, c := range []byte(unit) {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || i > 0 && c >= '0' && c <= '9' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'_', hex[c>>4], hex[c&15]})
	}
	return dbus.ObjectPath(b.String())
}

// errorName is the name of the error that systemd has answered with.
func errorName(err error) string {
	var e *dbus.Error
	if errors.As(err, &e) {
		return strings.TrimPrefix(e.Name, service+".")
	}
	return ""
}
