package plan

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// sample is a plan as a compiler makes it: every kind of step once, without being a whole
// container.
func sample() *Plan {
	b := NewBuilder()
	p := &b.Plan
	p.Clone = unix.CLONE_NEWNS | unix.CLONE_NEWUTS
	p.Preserve = 1
	p.Waits = true
	rootfs := b.File(File{Name: "rootfs", Open: OpenTree, Recursive: true, Path: "/var/lib/bundle/rootfs", From: "root.path"})
	null := b.File(File{Name: "null", Open: OpenTree, Path: "/dev/null", From: "default"})
	data := b.File(File{Name: "mounts[1].source", Open: OpenTree, Path: "/srv/data", From: "mounts[1].source"})
	listen := b.File(File{Name: "start", From: "default"})

	b.Step("default", "share the page that tells how far the init came", b.MapPage(PageSize))
	b.Step("default", "keep other processes from looking into this one", Prctl(unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE", Num(0)))
	b.Step("default", "let no descriptor survive the user's program", CloseOnExecFrom(4))
	b.Step("linux.namespaces", "go on as the first process of the new pid namespace", b.SpawnChild(unix.CLONE_NEWPID, nil))
	b.Step("hostname", `set the host name to "web"`, Sys(SysSethostname, Str("web"), Num(3)))
	b.Group = Hooks
	b.Host("prestart", "hooks.prestart", "run the prestart hooks")
	b.Host("createRuntime", "hooks.createRuntime", "run the createRuntime hooks")
	b.Group = Rootfs
	b.Step("default", "stop mount events from reaching the host",
		Sys(SysMountSetattr, CWD(), Str("/"), Int(unix.AT_RECURSIVE, "AT_RECURSIVE"), Bytes(MountAttr(0, 0, unix.MS_SLAVE, 0), attrChange(0, 0, unix.MS_SLAVE)), Num(32)).OnHost())
	b.tmpfs(rootfs, 0)
	b.bind(rootfs, data, "srv/data")
	b.mask(rootfs, null, "proc/kcore")
	b.HostWith("idmap", "mounts[2].uidMappings", "give the mounts of the container's home directory to its own users", rootfs)
	b.Step("root.path", "make the root filesystem /, and let go of the host's",
		Fchdir(rootfs),
		Sys(SysPivotRoot, Str("."), Str(".")),
		Sys(SysUmount2, Str("."), Int(unix.MNT_DETACH, "MNT_DETACH")))
	b.process(listen)
	return p
}

func (b *Builder) tmpfs(rootfs Arg, n int) {
	fs, tree, target := b.Reg(), b.Reg(), b.Reg()
	b.Step(fmt.Sprintf("mounts[%d]", n), "mount tmpfs on /dev/shm (nosuid,nodev,noexec; mode=1777,size=65536k)",
		Fsopen("tmpfs").Into(fs), FsString(Val(fs), "mode", "1777"), FsString(Val(fs), "size", "65536k"), FsCreate(Val(fs)),
		Fsmount(Val(fs), unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC).Into(tree),
		Close(Val(fs)),
		OpenInRoot(rootfs, "dev/shm", unix.O_DIRECTORY).Into(target),
		MoveMount(Val(tree), Val(target)), Close(Val(tree)), Close(Val(target)))
}

func (b *Builder) bind(rootfs, source Arg, path string) {
	dir, target := b.Reg(), b.Reg()
	b.Step("mounts[1]", "bind /srv/data to /"+path+" (ro)",
		MountSetattr(source, false, unix.MOUNT_ATTR_RDONLY, 0, 0),
		OpenInRoot(rootfs, path, 0).Into(target).Allowing(unix.ENOENT),
		OpenInRoot(rootfs, "srv", unix.O_DIRECTORY).Into(dir).When(target.Failed()),
		Mkdir(Val(dir), "data", 0o755).When(target.Failed()).Allowing(unix.EEXIST),
		OpenInRoot(rootfs, path, 0).Into(target).When(target.Failed()),
		MoveMount(source, Val(target)))
}

func (b *Builder) mask(rootfs, null Arg, path string) {
	target, done, fs, tree, copied := b.Reg(), b.Reg(), b.Reg(), b.Reg(), b.Reg()
	b.Step("linux.maskedPaths[0]", "mask /"+path,
		OpenInRoot(rootfs, path, 0).Into(target).Allowing(unix.ENOENT, unix.ENOTDIR),
		OpenTreeClone(null, "", false).Into(copied).When(target.OK()),
		MoveMount(Val(copied), Val(target)).Into(done).When(target.OK()).Allowing(unix.ENOTDIR, unix.EINVAL),
		Fsopen("tmpfs").Into(fs).When(done.Failed()), FsCreate(Val(fs)).When(done.Failed()),
		Fsmount(Val(fs), unix.MOUNT_ATTR_RDONLY).Into(tree).When(done.Failed()),
		MoveMount(Val(tree), Val(target)).When(done.Failed()))
}

func (b *Builder) process(listen Arg) {
	conn, cwd := b.Reg(), b.Buf("cwd", make([]byte, 4096))
	b.Group = Process
	b.Step("process.cwd", "work in /srv", Sys(SysChdir, Str("/srv")), Sys(SysGetcwd, cwd, Num(4096)),
		AssertWord(cwd, 0xff, '/', unix.ENOENT).Says("process.cwd: /srv lies outside of the container."))
	const bindService = 1 << unix.CAP_NET_BIND_SERVICE
	b.Step("process.user", "become user 1000, group 1000",
		Prctl(unix.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS", Num(1)),
		Sys(SysSetgroups, Num(1), Bytes(Uint32s(1000), "{1000}")),
		Sys(SysSetresgid, Num(1000), Num(1000), Num(1000)),
		Sys(SysSetresuid, Num(1000), Num(1000), Num(1000)))
	b.Step("process.capabilities", "keep CAP_NET_BIND_SERVICE",
		Sys(SysCapset, Bytes(CapHeader(), "{v3}"), Bytes(CapData(bindService, bindService, 0), "{NET_BIND_SERVICE}")))
	b.Step("default", "wait for `start`", Sys(SysAccept4, listen, Num(0), Num(0), Int(unix.SOCK_CLOEXEC, "SOCK_CLOEXEC")).Into(conn), SetReg(Report, Val(conn)))
	b.Step("process.args", "run /bin/server", Sys(SysExecve, Str("/bin/server"),
		b.Vec("argv", []Arg{Str("/bin/server"), Str("--listen=:80")}), b.Vec("envp", []Arg{Str("PATH=/bin"), Page(PageHome)})))
}

// large is a plan of some 300 ops, as a container with many mounts and masked paths has.
func large() *Plan {
	b := NewBuilder()
	rootfs := b.File(File{Name: "rootfs", Open: OpenTree, Path: "/rootfs", From: "root.path"})
	null := b.File(File{Name: "null", Open: OpenTree, Path: "/dev/null", From: "default"})
	data := b.File(File{Name: "mounts[1].source", Open: OpenTree, Path: "/srv/data", From: "mounts[1].source"})
	listen := b.File(File{Name: "start", From: "default"})
	b.Step("default", "share the progress page", b.MapPage(PageSize), CloseOnExecFrom(3))
	b.Group = Rootfs
	for i := range 11 {
		b.tmpfs(rootfs, i)
		b.bind(rootfs, data, "srv/data")
		b.mask(rootfs, null, "proc/kcore")
	}
	b.Step("root.path", "pivot", Sys(SysPivotRoot, Str("."), Str(".")))
	b.process(listen)
	return &b.Plan
}
