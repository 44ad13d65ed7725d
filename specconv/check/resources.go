package check

import "strings"

// cgroupsPath has three parts for systemd: the slice, the prefix of the unit's
// name, and the rest of it.
func (c *checker) cgroupsPath() {
	const place = "linux.cgroupsPath"
	p := c.linux.CgroupsPath
	switch {
	case p == "":
	case strings.ContainsAny(p, "\n\x00"):
		c.bad(place, "must not have a line break or a zero byte: %q", p)
	case !c.opts.SystemdCgroup:
	case strings.Count(p, ":") != 2 || strings.HasSuffix(p, ":"):
		c.bad(place, "must be slice:prefix:name for systemd, not %q", p)
	}
}
