package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// specCommand writes a config.json to start from.
func specCommand(a *app) *cli.Command {
	var bundle string
	var rootless bool
	return &cli.Command{
		Name:  "spec",
		Usage: "write a config.json to start from",
		Description: `Writes a config.json for a shell into the bundle. What it has to run is in
process.args, and the root filesystem is expected in the directory "rootfs" beside
it.

With --rootless the configuration suits a caller other than root: it has a user
namespace in which root is the caller, and no network namespace.`,
		Flags: []cli.Flag{
			text(&bundle, "bundle,b", "the bundle in `DIR` (default: the current directory)"),
			boolean(&rootless, "rootless", "for a caller who isn't root"),
		},
		Action: a.action(0, 0, func(*cli.Context) error { return writeSpec(bundle, rootless) }),
	}
}

func writeSpec(bundle string, rootless bool) error {
	spec := specconv.Example(rootless, onCgroup2(), os.Geteuid(), os.Getegid())
	data, err := specconv.ExampleJSON(spec)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(bundle, load.ConfigName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return existsError(load.ConfigName)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// existsError is the name of a file that is in the way. The words are runc's, which scripts look
// for.
type existsError string

func (e existsError) Error() string { return "File " + string(e) + " exists. Remove it first" }

// onCgroup2 reports whether this host has cgroup v2 alone: only there a container gets a cgroup
// namespace unasked.
func onCgroup2() bool {
	var at unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &at) == nil && at.Type == unix.CGROUP2_SUPER_MAGIC
}
