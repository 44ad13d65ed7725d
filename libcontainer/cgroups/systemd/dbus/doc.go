// Package dbus is a client of D-Bus, as small as talking to systemd needs: one connection over a unix socket, blocking calls with a
// deadline, no goroutine.
//
//	c, err := dbus.Dial("unix:path=/run/systemd/private", uid, time.Now().Add(30*time.Second))
//	err = c.Hello()                              // on a bus; not when the other end is the service itself
//	c.SetDeadline(time.Now().Add(time.Minute))
//	answer, err := c.Call(&dbus.Call{Path: …, Interface: …, Member: …, Signature: "ss", Body: []any{"a", "b"}})
//	m, err := c.Receive(func(m *dbus.Message) bool { return m.IsSignal(…) })
//	v, err := dbus.ParseVariant("@as ['x']")     // GVariant text format
//
// There are good libraries for this. They are for programs that run for long: they bring packages net, crypto/rand, math/big, net/url,
// os/user and log, whose initialisation, and the page faults that come with it, a runtime pays in each of its commands, although few of them
// say anything to systemd. Without them every start of the runtime takes 0.2 ms less of 1.9 ms, and its file is 1 MB smaller of 6.4 MB
// (coreos/go-systemd v22.7.0 with godbus/dbus v5.1.0, measured with --version on amd64).
//
// A value is held in the Go type of its D-Bus type:
//
//	y byte, b bool, n int16, q uint16, i int32, u uint32, x int64, t uint64, d float64, h uint32,
//	s string, o ObjectPath, g Signature, v Variant, (…) Struct,
//	ay []byte, as []string, any other array []any, with an Entry for each {…}
//
// The other end is not trusted: what it sends is held against the specification's limits and a lower one of our own for what is kept,
// so that it can make us neither allocate much nor panic.
//
// Left out: file descriptors, names, serving objects, transports other than unix sockets, authentication other than by uid.
//
// What may come in: what the D-Bus specification (0.43) says and the client side of it needs. What is said over it belongs to the users.
package dbus
