package probe

import (
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
)

// dangling finds the destinations of mounts that are links to nothing, as /etc/resolv.conf is in
// many images: the init makes what they lead to. What an earlier mount covers can't be seen from
// here.
func dangling(root string, mounts []specs.Mount) map[int]string {
	dir, err := openRoot(root)
	if err != nil {
		return nil
	}
	defer unix.Close(dir)
	var targets map[int]string
	var earlier []string // with a slash behind
	for i := range mounts {
		dest := path.Clean("/" + mounts[i].Destination)
		covered := slices.ContainsFunc(earlier, func(e string) bool { return strings.HasPrefix(dest, e) })
		earlier = append(earlier, dest+"/")
		if dest == "/" || covered {
			continue
		}
		fd, err := fs.FindInRoot(dir, dest, 0)
		if err == nil {
			unix.Close(fd)
		}
		if err != unix.ENOENT {
			continue
		}
		if target := followLinks(dir, dest); target != "" && target != dest {
			if targets == nil {
				targets = make(map[int]string)
			}
			targets[i] = target
		}
	}
	return targets
}

// followLinks resolves every link of a path below root, whether what it leads to exists or not. It
// gives "" where links lead in circles.
func followLinks(root int, dest string) string {
	const most = 40 // as path_resolution(7)
	done, rest, links := "/", strings.Split(dest, "/"), 0
	for len(rest) > 0 {
		next := path.Join(done, rest[0])
		rest = rest[1:]
		target, ok := readlinkBelow(root, next)
		if !ok {
			done = next
			continue
		}
		if links++; links > most {
			return ""
		}
		if path.IsAbs(target) {
			done = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done
}

func readlinkBelow(root int, p string) (string, bool) {
	fd, err := fs.FindInRoot(root, p, unix.O_NOFOLLOW)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", target)
	return string(target[:max(n, 0)]), err == nil
}

func openRoot(root string) (int, error) {
	return unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// linkOfImage is where a symbolic link of the image leads, or "".
func linkOfImage(root, dest string) string {
	dir, err := openRoot(root)
	if err != nil {
		return ""
	}
	defer unix.Close(dir)
	link, _ := readlinkBelow(dir, path.Clean("/"+dest))
	return link
}

// holdsFile reports whether the image has something there that is no directory.
func holdsFile(root, dest string) bool {
	dir, err := openRoot(root)
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	fd, err := fs.FindInRoot(dir, path.Clean("/"+dest), 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR
}

// coveredMode is the mode of the directory that a tmpfs covers, if the image has one there.
func coveredMode(root, dest string) (uint32, bool) {
	dir, err := openRoot(root)
	if err != nil {
		return 0, false
	}
	defer unix.Close(dir)
	fd, err := fs.FindInRoot(dir, path.Clean("/"+dest), unix.O_DIRECTORY)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, false
	}
	return st.Mode & 0o7777, true
}
