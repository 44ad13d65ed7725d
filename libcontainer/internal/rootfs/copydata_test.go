package rootfs

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// What lseek(2) says may come from whoever serves the file system: each step has to get on, and
// none leads out of the file.
func TestNextDataGetsOn(t *testing.T) {
	const off, size = 100, 1000
	for _, c := range []struct {
		name       string
		data, hole int64
		err        error // of SEEK_DATA
		from, to   int64 // 0, 0: an error
	}{
		{"data from here on", 100, 300, nil, 100, 300},
		{"data behind a hole", 200, 1000, nil, 200, 1000},
		{"nothing but a hole", 0, 0, unix.ENXIO, size, size},
		{"a file system that does not know", 0, 0, unix.EINVAL, off, size},
		{"a file that has grown", 900, 5000, nil, 900, size},
		{"a hole alone, in a file that has grown", 4000, 5000, nil, size, size},
		{"data that ends where it begins", 100, 100, nil, 0, 0},
		{"data that leads back", 0, 100, nil, 0, 0},
		{"a hole before the data", 300, 200, nil, 0, 0},
		{"a negative place", -1 << 63, 1 << 62, nil, 0, 0},
	} {
		from, to, err := nextData(func(_ int64, whence int) (int64, error) {
			if whence == unix.SEEK_DATA {
				return c.data, c.err
			}
			return c.hole, nil
		}, off, size)
		switch {
		case c.to == 0 && !errors.Is(err, unix.EUCLEAN):
			t.Errorf("%s: %d to %d, %v", c.name, from, to, err)
		case c.to != 0 && (err != nil || from != c.from || to != c.to):
			t.Errorf("%s: %d to %d, %v, want %d to %d", c.name, from, to, err, c.from, c.to)
		}
	}
}
