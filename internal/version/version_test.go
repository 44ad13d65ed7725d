package version

import "testing"

func TestFull(t *testing.T) {
	for _, c := range []struct{ release, hash, want string }{
		{"1.0.0", "0123456789", "1.0.0"},
		{"1.1.0-dev", "0123456789", "1.1.0-dev+0123456"},
		{"1.1.0-dev", "0123456789-dirty", "1.1.0-dev+0123456-dirty"},
		{"1.1.0-dev", "unknown", "1.1.0-dev"},
	} {
		if got := full(c.release, c.hash); got != c.want {
			t.Errorf("%s, %s: %s, not %s", c.release, c.hash, got, c.want)
		}
	}
}
