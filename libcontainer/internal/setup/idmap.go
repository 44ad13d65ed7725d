package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/kernel/entry"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/refusal"
	"github.com/ociruntime/ociruntime/specconv/idmap"
)

// WriteIDMaps gives the init's new user namespace its maps. A privileged runtime writes them
// itself; others may map only their own id (user_namespaces(7)) and ask newuidmap and newgidmap for
// what /etc/subuid and /etc/subgid grant.
func WriteIDMaps(pid int, l *specs.Linux, f *facts.Facts) error {
	for _, m := range []struct {
		from, file, helper string
		maps               []specs.LinuxIDMapping
		own                uint32
	}{
		{"linux.uidMappings", "uid_map", "newuidmap", l.UIDMappings, f.EUID},
		{"linux.gidMappings", "gid_map", "newgidmap", l.GIDMappings, f.EGID},
	} {
		self := len(m.maps) == 1 && m.maps[0].HostID == m.own && m.maps[0].Size == 1
		if !f.Privileged && !self {
			if err := mapWithHelper(m.helper, pid, m.maps); err != nil {
				return fmt.Errorf("%s: %w", m.from, err)
			}
			continue
		}
		if !f.Privileged && m.file == "gid_map" {
			// The kernel wants this before an unprivileged gid map: else dropping a group could
			// grant access (CVE-2014-8989).
			if err := writeProcFile(pid, "setgroups", "deny"); err != nil {
				return fmt.Errorf("%s: %w", m.from, err)
			}
		}
		if err := writeProcFile(pid, m.file, idmap.Text(m.maps)); err != nil {
			return fmt.Errorf("%s: %w", m.from, err)
		}
	}
	return nil
}

func writeProcFile(pid int, name, text string) error {
	path := fmt.Sprintf("/proc/%d/%s", pid, name)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// One write: the kernel takes a map only whole.
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	return nil
}

func mapWithHelper(helper string, pid int, maps []specs.LinuxIDMapping) error {
	args := append([]string{fmt.Sprint(pid)}, strings.Fields(idmap.Text(maps))...)
	path, err := exec.LookPath(helper)
	if err != nil {
		return fmt.Errorf("%s is needed to map more than the user's own id, and it is not installed (%w)", helper, err)
	}
	var out []byte
	err = entry.AsCaller(func() (err error) {
		out, err = exec.Command(path, args...).CombinedOutput()
		return err
	})
	if err != nil {
		file := map[string]string{"newuidmap": "/etc/subuid", "newgidmap": "/etc/subgid"}[helper]
		return fmt.Errorf("%s %s: %s (%w): it allows what %s grants this user, a line of it is USER:FIRST-ID:COUNT",
			helper, strings.Join(args, " "), strings.TrimSpace(string(out)), err, file)
	}
	return nil
}

// MapOwners gives a detached tree that the init has made an idmap. A user namespace to join is no
// longer among the files then, but the init is in it.
func (s *FileSet) MapOwners(tree *os.File, from string, m *plan.IDMap, init int) error {
	if m.File != "" {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", init))
		if err != nil {
			return fmt.Errorf("%s: idmap: %w", from, err)
		}
		s.Keep(m.File, f)
	}
	return s.idmapTree(int(tree.Fd()), &plan.File{From: from, Path: "what is mounted in the container", IDMap: m})
}

// idmapTree maps the owners of a detached tree. The kernel takes the mapping from a user namespace.
func (s *FileSet) idmapTree(tree int, f *plan.File) error {
	userns, err := s.userNamespace(f.IDMap)
	if err != nil {
		return fmt.Errorf("%s: idmap: %w", f.From, err)
	}
	flags := uint(unix.AT_EMPTY_PATH)
	if f.IDMap.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns.Fd())}
	if err := unix.MountSetattr(tree, "", flags, attr); err != nil {
		return fmt.Errorf("%s: idmap %s: %w%s", f.From, f.Path, refusal.Explain("mount_setattr", err), idmapHint(tree, f.IDMap.Recursive, err))
	}
	return nil
}

// idmapHint says what EINVAL means nearly always.
func idmapHint(tree int, recursive bool, err error) string {
	var st unix.Statfs_t
	if !errors.Is(err, unix.EINVAL) || unix.Fstatfs(tree, &st) != nil {
		return ""
	}
	below := ""
	if recursive {
		below = "or one mounted below it, "
	}
	return fmt.Sprintf(" (the file system, of type %#x, %sdoes not support idmapped mounts on this kernel, or is idmapped already)", st.Type, below)
}

// userNamespace is one that has the maps of m: that which the container joins, as it was when its
// path was looked up, or one made for its maps alone.
func (s *FileSet) userNamespace(m *plan.IDMap) (*os.File, error) {
	if m.File != "" {
		if f := s.ByName[m.File]; f != nil {
			return f, nil
		}
		return nil, fmt.Errorf("%s is not open: %w", m.Path, unix.EBADF)
	}
	maps := *m
	maps.Recursive = false
	if f := s.mapping[maps]; f != nil {
		return f, nil
	}
	f, err := MappingNamespace(maps.UIDs, maps.GIDs)
	if err != nil {
		return nil, err
	}
	s.own = append(s.own, f)
	if s.mapping == nil {
		s.mapping = make(map[plan.IDMap]*os.File)
	}
	s.mapping[maps] = f
	return f, nil
}

// MappingNamespace makes a user namespace that has these maps, as /proc/PID/uid_map takes them, and
// has nobody in it.
func MappingNamespace(uids, gids string) (*os.File, error) {
	const maps = "maps"
	b := plan.NewBuilder()
	b.Step("default", "share the progress page", b.MapPage(plan.PageSize))
	b.Step("default", "make a user namespace", plan.Unshare(plan.Int(unix.CLONE_NEWUSER, "NEWUSER")))
	b.Host(maps, "default", "write its maps and take a descriptor of it")
	b.Step("default", "end", plan.Exit(0))
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	p, err := launch.Start(&launch.Config{Plan: &b.Plan, Stdio: [3]*os.File{null, null, null}})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var userns *os.File
	err = p.Serve(context.Background(), func(*plan.Step, []*os.File) error {
		if err := writeProcFile(p.Pid(), "uid_map", uids); err != nil {
			return err
		}
		if err := writeProcFile(p.Pid(), "gid_map", gids); err != nil {
			return err
		}
		var err error
		userns, err = os.Open(fmt.Sprintf("/proc/%d/ns/user", p.Pid()))
		return err
	})
	if err != nil {
		return nil, err
	}
	_, err = p.Wait()
	return userns, err
}
