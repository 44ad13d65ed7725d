package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// restoreFlags are the flags of restore.
type restoreFlags struct {
	runFlags
	criuFlags
	opts libcontainer.RestoreOptions
}

// restoreCommand makes a container again from the files of checkpoint.
func restoreCommand(a *app) *cli.Command {
	var f restoreFlags
	return &cli.Command{
		Name: "restore", ArgsUsage: "ID",
		Usage: "make a container again from the files of \"checkpoint\"",
		Description: `Makes a container out of a bundle, and in it the processes that "checkpoint" has
written to files, which go on where they were. Pipes that were standard streams are this
command's own then. Otherwise it is as "run", and the ID need not be what it was.

The bundle is that of the checkpoint, or one like it: bind mounts, namespaces to join,
cgroup, limits, hooks and network settings are taken from its config.json, all else from
the images. The hooks that run are prestart and createRuntime, and in the end poststop.

It needs root and criu 3.16 or newer (https://criu.org). When criu fails, its log says
more: restore.log in the directory of --work-path.`,
		Flags: f.flags(),
		Action: a.action(1, 1, func(c *cli.Context) error {
			code, err := f.restore(a, c.Args().First())
			if err != nil {
				return fmt.Errorf("%s restore failed: %w", name, err)
			}
			return cli.Exit("", code)
		}),
	}
}

func (f *restoreFlags) flags() []cli.Flag {
	o := &f.opts
	return append(f.criuFlags.flags(),
		text(&f.bundle, "bundle,b", "`DIR` with config.json (default: the current directory)"),
		text(&f.consoleSocket, "console-socket", "send the terminal's master to the unix socket `SOCKET`"),
		text(&f.pidfdSocket, "pidfd-socket", "send a pidfd of the process to the unix socket `SOCKET`"),
		text(&f.pidFile, "pid-file", "write the process's pid to `FILE`"),
		boolean(&f.detach, "detach,d", "leave the container running and return"),
		boolean(&f.noSubreaper, "no-subreaper", "don't adopt processes that lose their parent"),
		boolean(&f.noNewKeyring, "no-new-keyring", "keep the caller's session keyring"),
		boolean(&o.TCPClose, "tcp-close", "close TCP connections that were established"),
		text(&o.LSMProfile, "lsm-profile", "`PROFILE` in place of the images': apparmor:NAME or selinux:NAME"),
		text(&o.LSMMountContext, "lsm-mount-context", "SELinux `CONTEXT` of mounts in place of the images'"),
		// They have no effect, and engines give them.
		&cli.BoolFlag{Name: "no-pivot", Hidden: true},
		&cli.StringFlag{Name: "preserve-fds", Hidden: true},
		&cli.StringFlag{Name: "parent-path", Hidden: true},
	)
}

func (f *restoreFlags) restore(a *app, id string) (code int, err error) {
	if f.opts.CRIUOptions, err = f.criuFlags.options(); err != nil {
		return 0, err
	}
	return f.runFlags.carryOut(a, func(ctx context.Context, given *libcontainer.CreateOptions) (*libcontainer.Container, *libcontainer.Process, error) {
		given.Notify = false
		f.opts.CreateOptions = *given
		return a.runtime().Restore(ctx, id, &f.opts)
	})
}
