package dbus

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// EscapeAddress makes a path part of an address.
func EscapeAddress(value string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(value) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(`-_/.\*`, c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func unescape(value string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == '%' {
			if i+2 >= len(value) || hexDigit(value[i+1]) < 0 || hexDigit(value[i+2]) < 0 {
				return "", fmt.Errorf("%q has a %% without two hexadecimal digits", value)
			}
			c = byte(hexDigit(value[i+1])<<4 | hexDigit(value[i+2]))
			i += 2
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// parseAddress reads one address, such as "unix:path=/run/dbus/system_bus_socket,guid=…". Only unix sockets with a name are of any use to
// a client here.
func parseAddress(address string) (*unix.SockaddrUnix, error) {
	transport, keys, ok := strings.Cut(address, ":")
	if !ok || transport != "unix" {
		return nil, fmt.Errorf("D-Bus address %q: not a unix socket", address)
	}
	name := ""
	for key := range strings.SplitSeq(keys, ",") {
		key, value, _ := strings.Cut(key, "=")
		value, err := unescape(value)
		if err != nil {
			return nil, fmt.Errorf("D-Bus address %q: %w", address, err)
		}
		switch {
		case key == "abstract":
			name = "@" + value
		case key == "path" && strings.HasPrefix(value, "@"):
			name = "./" + value
		case key == "path":
			name = value
		}
	}
	if name == "" || strings.IndexByte(name, 0) >= 0 {
		return nil, fmt.Errorf("D-Bus address %q: neither path nor abstract", address)
	}
	return &unix.SockaddrUnix{Name: name}, nil
}
