package systemd

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/systemd/dbus"
)

// answer makes an answer to call number serial: an error of that name, or an empty one.
func answer(serial uint32, name string) []byte {
	u32 := func(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	kind, fields := byte(2), slices.Concat([]byte("\x05\x01u\x00"), u32(int(serial)))
	if name != "" {
		kind, fields = 3, slices.Concat(fields, []byte("\x04\x01s\x00"), u32(len(name)), []byte(name), []byte{0})
	}
	b := slices.Concat([]byte{'l', kind, 0, 1}, u32(0), u32(1), u32(len(fields)), fields)
	return append(b, make([]byte, -len(b)&7)...)
}

// serial reads a call and gives its number.
func serial(in io.Reader) (uint32, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, err
	}
	u32 := func(at int) int64 { return int64(binary.LittleEndian.Uint32(head[at:])) }
	_, err := io.CopyN(io.Discard, in, (u32(12)+7)&^7+u32(4))
	return uint32(u32(8)), err
}

// Nobody reads from systemd while a container is being made, also where its slice was there already.
func TestStartClosesTheConnection(t *testing.T) {
	for name, answers := range map[string][]string{
		"slice that is there": {"UnitExists", ""}, "refused": {"Denied"}, "refused twice": {"UnitExists", "", "UnitExists"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				in := bufio.NewReader(conn)
				in.ReadString('\n')
				in.ReadString('\n')
				io.WriteString(conn, "OK 00\r\n")
				for _, a := range answers {
					n, err := serial(in)
					if err != nil {
						return
					}
					if a != "" {
						a = service + "." + a
					}
					conn.Write(answer(n, a))
				}
				in.ReadByte()
			}()
			m := &Manager{}
			defer m.Close()
			if m.conn, err = connect("unix:path="+dbus.EscapeAddress(path), true); err != nil {
				t.Fatal(err)
			}
			u := Unit{Name: "x.slice", Slice: "-.slice"}
			if name != "slice that is there" {
				u.Name = "x.scope"
			}
			err = m.Start(u, 1, []Property{{Name: "TasksMax", Value: dbus.MakeVariant(uint64(7))}})
			if (err == nil) != u.IsSlice() {
				t.Errorf("error %v", err)
			}
			if m.conn != nil {
				t.Error("the connection is still there")
			}
		})
	}
}
