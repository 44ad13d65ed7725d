package stdio

import (
	"os"

	"golang.org/x/sys/unix"
)

// Foreseeable reports whether it can be said before Open what the process will get: there is
// neither a terminal nor a log program, and nobody else is to own it.
func Foreseeable(c *Config) bool {
	scheme, _ := split(c.Stdout)
	return !c.Terminal && scheme != "binary" && c.UID == 0 && c.GID == 0
}

// Look gives the files of Open for nothing but to be looked at (O_PATH). Nobody on the other side
// of a fifo notices.
func Look(c *Config) (*Streams, error) {
	s := &Streams{}
	for i, address := range []string{c.Stdin, c.Stdout, c.Stderr} {
		path := os.DevNull
		if address != "" {
			_, path = split(address)
		}
		var err error
		if s.Files[i], err = os.OpenFile(path, unix.O_PATH, 0); err != nil {
			s.Launched()
			return nil, err
		}
	}
	return s, nil
}
