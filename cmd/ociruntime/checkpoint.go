package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// checkpointFlags are the flags of checkpoint.
type checkpointFlags struct {
	criuFlags
	opts libcontainer.CheckpointOptions
}

// checkpointCommand writes a container's processes to files.
func checkpointCommand(a *app) *cli.Command {
	var f checkpointFlags
	o := &f.opts
	return &cli.Command{
		Name: "checkpoint", ArgsUsage: "ID",
		Usage: "write a container's processes to files",
		Description: `Writes the processes of a running or paused container, with their memory and open
files, to a directory, from which "restore" makes them again. The container ends and is
removed, unless it is to go on. The files of its root filesystem are not among the images.

It needs root and criu 3.16 or newer (https://criu.org). When criu fails, its log says
more: dump.log in the directory of --work-path. The annotation org.criu.config names a
file of further settings for criu (default: /etc/criu/runc.conf).`,
		Flags: append(f.criuFlags.flags(),
			text(&o.ParentPath, "parent-path", "`DIR` of an earlier --pre-dump, relative to that of the images"),
			boolean(&o.LeaveRunning, "leave-running", "let the container go on"),
			boolean(&o.PreDump, "pre-dump", "write the memory alone, and let the container go on"),
			boolean(&o.TCPSkipInFlight, "tcp-skip-in-flight", "without TCP connections that nobody has accepted yet"),
			boolean(&o.LinkRemap, "link-remap", "with open files that have lost their names but not all of them"),
			each(f.setPageServer, "page-server", "send the memory to the \"criu page-server\" at `ADDRESS:PORT`"),
			each(f.setStatus, "status-fd", "write a zero byte to descriptor `N` when lazy memory can be asked for")),
		Action: a.action(1, 1, func(c *cli.Context) error {
			if err := f.checkpoint(a, c.Args().First()); err != nil {
				return fmt.Errorf("%s checkpoint failed: %w", name, err)
			}
			return nil
		}),
	}
}

func (f *checkpointFlags) checkpoint(a *app, id string) (err error) {
	if f.opts.CRIUOptions, err = f.options(); err != nil {
		return err
	}
	container, err := a.runtime().Load(id)
	if err != nil {
		return err
	}
	return a.interruptible(func(ctx context.Context) error { return container.Checkpoint(ctx, &f.opts) })
}

func (f *checkpointFlags) setPageServer(text string) error {
	at := strings.LastIndexByte(text, ':')
	if at <= 0 {
		return errors.New("not an address and a port, as 192.0.2.1:9999")
	}
	port, err := strconv.ParseUint(text[at+1:], 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("%q is no port", text[at+1:])
	}
	f.opts.PageServer = libcontainer.PageServer{Address: strings.Trim(text[:at], "[]"), Port: int(port)}
	return nil
}

func (f *checkpointFlags) setStatus(text string) error {
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 0 {
		return errors.New("not the number of a descriptor")
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_ACCMODE == unix.O_RDONLY {
		return errors.New("not a descriptor that is open for writing")
	}
	f.opts.Status = os.NewFile(uintptr(fd), "status-fd "+text)
	return nil
}
