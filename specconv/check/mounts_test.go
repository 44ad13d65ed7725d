package check

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckMounts(t *testing.T) {
	// The mount under test is mounts[7].
	mount := func(m specs.Mount) func(*specs.Spec) { return func(s *specs.Spec) { s.Mounts = append(s.Mounts, m) } }
	tmpfs := func(destination string, options ...string) func(*specs.Spec) {
		return mount(specs.Mount{Destination: destination, Type: "tmpfs", Source: "tmpfs", Options: options})
	}
	bind := func(destination string, options ...string) func(*specs.Spec) {
		return mount(specs.Mount{Destination: destination, Source: "/src", Options: append([]string{"rbind"}, options...)})
	}
	const covered = "can't be mounted over: what the runtime reads and writes in /proc must be the kernel's"
	runCheckTests(t, Options{}, []checkTest{
		{"no destination", tmpfs(""), "mounts[7].destination: must not be empty"},
		{"zero byte in destination", tmpfs("/a\x00"), "mounts[7].destination: must not contain a zero byte"},
		{"relative destination", tmpfs("a/b"), `warning: mounts[7].destination: "a/b" is taken from /: it should be absolute`},
		{"root", tmpfs("/"), `mounts[7].destination: nothing can be mounted over the container's root: "/"`},
		{"root in disguise", tmpfs("/a/../../."), `mounts[7].destination: nothing can be mounted over the container's root: "/a/../../."`},
		{"dots", tmpfs("/../a"), ""},

		{"tmpfs on /proc", tmpfs("/proc"), "mounts[7].destination: only a proc file system can be mounted on /proc, not \"tmpfs\""},
		{"tmpfs on /proc, relative", tmpfs("proc/"), "mounts[7].destination: only a proc file system can be mounted on /proc, not \"tmpfs\"" +
			`warning: mounts[7].destination: "proc/" is taken from /: it should be absolute`},
		{"bind on /proc", bind("/proc"), ""},
		{"below /proc", bind("/proc/sys/net"), "mounts[7].destination: \"/proc/sys/net\" " + covered},
		{"below /proc in disguise", bind("/dev/../proc//self/attr"), "mounts[7].destination: \"/proc/self/attr\" " + covered},
		{"tmpfs below /proc", tmpfs("/proc/scsi"), "mounts[7].destination: \"/proc/scsi\" " + covered},
		{"lxcfs", bind("/proc/meminfo"), ""},
		{"last pid", bind("/proc/sys/kernel/ns_last_pid"), ""},
		{"something else in its name", bind("/process/x"), ""},

		{"bind without source", mount(specs.Mount{Destination: "/a", Type: "bind", Options: []string{"bind"}}),
			"mounts[7].source: must not be empty for a bind mount"},
		{"type bind is no bind mount", mount(specs.Mount{Destination: "/a", Type: "bind", Source: "/b", Options: []string{"ro"}}),
			"mounts[7].type: bind makes no mount: for a bind mount add bind or rbind to the options"},
		{"no type", mount(specs.Mount{Destination: "/a", Source: "/b"}),
			"mounts[7].type: must be set; for a bind mount add bind or rbind to the options"},
		{"remount needs neither", mount(specs.Mount{Destination: "/a", Options: []string{"remount", "ro"}}), ""},
		{"zero bytes", mount(specs.Mount{Destination: "/a", Type: "\x00", Source: "\x00", Options: []string{"ro", "\x00"}}),
			"mounts[7].source: must not contain a zero byte; mounts[7].type: must not contain a zero byte; mounts[7].options[1]: must not contain a zero byte"},

		{"data on a bind mount", bind("/a", "ro", "mode=755"), `warning: mounts[7].options[2]: "mode=755" belongs to a file system: it has no meaning for a bind mount`},
		{"misspelt option on a bind mount", bind("/a", "readonly"), `mounts[7].options[1]: "readonly" belongs to a file system: it has no meaning for a bind mount`},
		{"mount(8)'s options on a bind mount", bind("/a", "defaults", "nofail", "x-foo"), ""},
		{"data of a remount", tmpfs("/a", "remount", "ro", "size=1m"),
			`mounts[7].options[2]: "size=1m" belongs to the file system: remount changes the flags of a mount alone`},
		{"data of a bind remount", bind("/a", "remount", "size=1m"), `warning: mounts[7].options[2]: "size=1m" belongs to a file system: it has no meaning for a bind mount`},
		{"crun's own", bind("/a", "src-nofollow", "dest-nofollow", "copy-symlink"), ""},
		{"crun's own without bind", tmpfs("/a", "src-nofollow", "dest-nofollow"),
			"warning: mounts[7].options: copy-symlink and src-nofollow have no meaning for a mount that is not a bind mount"},
		{"idmap without bind", tmpfs("/a", "idmap"), "mounts[7]: only a bind mount can be idmapped"},
		{"value without name", tmpfs("/a", "=755"), `mounts[7].options[0]: "=755" has no name`},
		{"tmpcopyup", bind("/a", "tmpcopyup"), "warning: mounts[7].options: tmpcopyup has no meaning for a mount that is not a tmpfs"},

		{"unmapped ids", func(s *specs.Spec) { addUserNamespace(s); tmpfs("/a", "uid=99", "uid=100", "gid=5000000", "gid=x")(s) },
			`mounts[7].options[1]: "uid=100": 100 is not mapped by linux.uidMappings; mounts[7].options[2]: "gid=5000000": 5000000 is not mapped by linux.gidMappings`},
		{"any id without a user namespace", tmpfs("/a", "uid=100"), ""},
	})
}

func TestCheckIDMappedMounts(t *testing.T) {
	some := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 10}}
	mount := func(uids, gids []specs.LinuxIDMapping, options ...string) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/a", Source: "/b", Options: append([]string{"bind"}, options...), UIDMappings: uids, GIDMappings: gids})
		}
	}
	with := func(changes ...func(*specs.Spec)) func(*specs.Spec) {
		return func(s *specs.Spec) {
			for _, change := range changes {
				change(s)
			}
		}
	}
	runCheckTests(t, Options{}, []checkTest{
		{"both", mount(some, some, "idmap"), ""},
		{"both without the option", mount(some, some), ""},
		{"no gids", mount(some, nil, "idmap"), "mounts[7].gidMappings: must be set, as uidMappings is"},
		{"no uids", mount(nil, some, "idmap"), "mounts[7].uidMappings: must be set, as gidMappings is"},
		{"no mapping at all", mount(nil, nil, "ridmap"),
			"mounts[7].options: idmap needs uidMappings and gidMappings, or a user namespace whose mappings it can take"},
		{"the container's mapping", with(addUserNamespace, mount(nil, nil, "ridmap")), ""},
		{"a mapping in the option", mount(nil, nil, "ridmap=uids=0-1-1#1-5-2;gids=0-1-1"), ""},
		{"a mapping in the option and beside it", mount(some, some, "ridmap=uids=0-1-1;gids=0-1-1"),
			"mounts[7].options: idmap must not have a value beside uidMappings and gidMappings"},
		{"half a mapping in the option", mount(nil, nil, "idmap=uids=0-1-1"),
			`mounts[7].options: idmap: "uids=0-1-1" must name both uids and gids`},
		{"no mapping in the option", mount(nil, nil, "idmap=users=0-1-1"), `mounts[7].options: idmap: "users" is neither uids nor gids`},
		{"no range", mount(nil, nil, "idmap=uids=0-1;gids=0-1-1"), `mounts[7].options: idmap: "0-1" is not a range, as 0-1000-1 is`},
		{"a range of nothing", mount(nil, nil, "idmap=uids=0-1-0;gids=0-1-1"), "mounts[7].options.idmap.uids[0].size: must not be 0"},
		{"relative to no user namespace", mount(nil, nil, "idmap=uids=@0-0-1;gids=0-1-1"),
			"mounts[7].options: idmap: the user namespace does not map 1 ids from 0 on in one range"},
		{"empty entry", mount(some, []specs.LinuxIDMapping{{}}), "mounts[7].gidMappings[0].size: must not be 0"},
	})
}
