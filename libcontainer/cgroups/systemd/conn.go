package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

const service = "org.freedesktop.systemd1"

// jobTimeout is how long systemd may take for one thing.
const jobTimeout = 30 * time.Second

// addresses are where systemd may listen; direct ones speak to it without a bus.
func (m *Manager) addresses() (direct, bus string) {
	if !m.user {
		bus = os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
		if bus == "" {
			bus = "unix:path=/run/dbus/system_bus_socket"
		}
		return "unix:path=/run/systemd/private", bus
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = "/run/user/" + strconv.Itoa(hostUID())
	}
	bus = os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if bus == "" {
		bus = unixAddress(filepath.Join(dir, "bus"))
	}
	return unixAddress(filepath.Join(dir, "systemd/private")), bus
}

func unixAddress(path string) string {
	return "unix:path=" + godbus.EscapeBusAddressValue(path)
}

// connect connects to systemd directly, else over the bus.
func (m *Manager) connect() error {
	direct, bus := m.addresses()
	err := m.connectTo(direct, false)
	if err == nil {
		return nil
	}
	if busErr := m.connectTo(bus, true); busErr != nil {
		whose := "systemd"
		if m.user {
			whose = "the user's systemd (is there a login session, and XDG_RUNTIME_DIR set?)"
		}
		return fmt.Errorf("connect to %s: %w; over D-Bus: %w", whose, err, busErr)
	}
	return nil
}

func (m *Manager) connectTo(address string, bus bool) error {
	conn, err := dbus.NewConnection(func() (*godbus.Conn, error) {
		c, err := dial(address, bus)
		if err == nil {
			m.gone = c.Context().Done() // of the second call: the connection that signals come over
		}
		return c, err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", strings.TrimPrefix(address, "unix:path="), err)
	}
	m.conn = conn
	return nil
}

// dial connects to one address and says who we are. go-systemd would do the same but for the user
// id: in a user namespace, systemd knows us by the one outside.
func dial(address string, bus bool) (*godbus.Conn, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer time.AfterFunc(jobTimeout, cancel).Stop()
	conn, err := godbus.Dial(address, godbus.WithContext(ctx))
	// The queue of those who want to connect is full, and the kernel does not say when it is not.
	for errors.Is(err, unix.EAGAIN) && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
		conn, err = godbus.Dial(address, godbus.WithContext(ctx))
	}
	if err != nil {
		return nil, err
	}
	err = conn.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(hostUID()))})
	if err == nil && bus {
		err = conn.Hello()
	}
	if err != nil {
		err = inTime(ctx, err)
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// do does something over the connection, once more after one that systemd has closed, as it does
// when it executes itself anew. again says that it is the second time.
func (m *Manager) do(what func(ctx context.Context, again bool) error) error {
	if m.conn != nil {
		err := m.once(what, false)
		if err == nil || m.conn.Connected() || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		m.Close()
		if err := m.connect(); err != nil {
			return err
		}
		return m.once(what, true)
	}
	if err := m.connect(); err != nil {
		return err
	}
	return m.once(what, false)
}

func (m *Manager) once(what func(ctx context.Context, again bool) error, again bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), jobTimeout)
	defer cancel()
	// Not every call of the library takes a context: that the connection is closed ends all.
	defer context.AfterFunc(ctx, m.conn.Close)()
	return inTime(ctx, what(ctx, again))
}

// inTime words an error after ctx has ended.
func inTime(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("no answer from systemd within %v: %w", jobTimeout, context.DeadlineExceeded)
	}
	return err
}

// wait waits for the end of a job whose result comes over done.
func (m *Manager) wait(ctx context.Context, done <-chan string) error {
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("the job ended with %q", result)
		}
		return nil
	case <-m.gone:
		return godbus.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errorName is the name of the error that systemd has answered with.
func errorName(err error) string {
	var e godbus.Error
	if errors.As(err, &e) {
		return strings.TrimPrefix(e.Name, service+".")
	}
	return ""
}
