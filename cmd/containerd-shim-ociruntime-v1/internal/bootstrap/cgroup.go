package bootstrap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
)

// join puts a process into a cgroup that somebody has made for shims: on v1 in each hierarchy in
// which there is one of that name. A path counts from the root of the hierarchies, with or without
// a slash in front, as for runc's shim.
func join(cgroup string, pid int) error {
	host, err := cgroups.Probe()
	if err != nil {
		return fmt.Errorf("ShimCgroup: %w", err)
	}
	places, err := host.Locate("/"+cgroup, "")
	if err != nil {
		return fmt.Errorf("ShimCgroup: %w", err)
	}
	joined := false
	for _, p := range places {
		f, err := os.OpenFile(filepath.Join(p.Path(), "cgroup.procs"), os.O_WRONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			_, err = f.WriteString(strconv.Itoa(pid))
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return fmt.Errorf("ShimCgroup: put the daemon into %s: %w", p.Path(), err)
		}
		joined = true
	}
	if !joined {
		return fmt.Errorf("ShimCgroup: there is no cgroup %s in any hierarchy", cgroup)
	}
	return nil
}
