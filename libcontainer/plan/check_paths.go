package plan

import (
	"strings"

	"golang.org/x/sys/unix"
)

// paths checks what the op's path arguments can lead to. Before pivot_root the kernel resolves
// names in the host's tree, while the root filesystem belongs to somebody hostile: each name has an
// explicit root and is resolved once.
func (c *checker) paths() {
	o := c.op
	if o.HostPath && c.pivoted {
		c.errorf("names a path of the host, which is out of reach behind pivot_root")
	}
	if c.pivoted || c.joined || o.HostPath {
		return
	}
	info := &callTable[o.Call]
	for _, pa := range info.paths {
		if pa.path == 0 || int(pa.path) > len(o.Args) || o.Args[pa.path-1].Kind != KindStr {
			continue
		}
		path := o.Args[pa.path-1].Str
		if path == "" || path == "." && pa.dir == 0 {
			continue
		}
		inDir := pa.dir > 0 && o.Args[pa.dir-1].Kind != KindInt
		switch {
		case o.Call == SysOpenat2 && inDir:
			c.resolved(path)
		case path[0] == '/':
			c.errorf("names %q before pivot_root, where that is a path of the host", path)
		case !inDir:
			c.errorf("names %q relative to the working directory before pivot_root; it needs a directory to start from", path)
		case strings.IndexByte(path, '/') >= 0 || path == "..":
			c.errorf("walks along %q before pivot_root, where a symbolic link leads to the host; open the directory with openat2 first", path)
		case info.nofollow > 0 && o.int(int(info.nofollow)-1)&unix.AT_SYMLINK_NOFOLLOW == 0:
			c.errorf("follows a symbolic link called %q before pivot_root; it needs AT_SYMLINK_NOFOLLOW or openat2", path)
		}
	}
}

// resolved checks an openat2 below a directory.
func (c *checker) resolved(path string) {
	resolve := c.op.word(2, 2)
	if resolve&(unix.RESOLVE_IN_ROOT|unix.RESOLVE_BENEATH) == 0 {
		c.errorf("opens %q before pivot_root without RESOLVE_IN_ROOT or RESOLVE_BENEATH", path)
	}
	if resolve&unix.RESOLVE_NO_MAGICLINKS == 0 {
		c.errorf("opens %q before pivot_root without RESOLVE_NO_MAGICLINKS", path)
	}
}
