package libcontainer

import (
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// danglingTargets finds the destinations of mounts that are links to nothing, as /etc/resolv.conf is in many images: the init makes what
// they lead to. What an earlier mount covers can't be seen from here.
func danglingTargets(root string, mounts []specs.Mount) map[int]string {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(dir)
	var targets map[int]string
	for i := range mounts {
		dest := path.Clean("/" + mounts[i].Destination)
		if dest == "/" || coveredBefore(mounts[:i], dest) {
			continue
		}
		fd, err := openBelow(dir, dest, 0)
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

func coveredBefore(mounts []specs.Mount, dest string) bool {
	for i := range mounts {
		if strings.HasPrefix(dest, path.Clean("/"+mounts[i].Destination)+"/") {
			return true
		}
	}
	return false
}

// followLinks resolves every link of a path below root, whether what it leads to exists or not. It gives "" where links lead in circles.
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
	fd, err := openBelow(root, p, unix.O_NOFOLLOW)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", target)
	return string(target[:max(n, 0)]), err == nil
}

func openBelow(root int, p string, flags uint64) (int, error) {
	return unix.Openat2(root, strings.TrimPrefix(p, "/"), &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}
