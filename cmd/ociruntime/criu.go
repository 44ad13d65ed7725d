package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// criuFlags are what checkpoint and restore have in common.
type criuFlags struct {
	opts libcontainer.CRIUOptions
}

func (f *criuFlags) flags() []cli.Flag {
	o := &f.opts
	return []cli.Flag{
		text(&o.ImageDir, "image-path", "`DIR` of the images (default: checkpoint)"),
		text(&o.WorkDir, "work-path", "`DIR` for criu's log and statistics (default: that of the images)"),
		boolean(&o.TCPEstablished, "tcp-established", "with established TCP connections"),
		boolean(&o.ExtUnixSockets, "ext-unix-sk", "with unix sockets to the outside"),
		boolean(&o.ShellJob, "shell-job", "with a terminal that is the caller's"),
		boolean(&o.FileLocks, "file-locks", "with file locks"),
		boolean(&o.AutoDedup, "auto-dedup", "drop memory from earlier images that later ones have"),
		boolean(&o.LazyPages, "lazy-pages", "leave memory to \"criu lazy-pages\" until it is needed"),
		text(&o.CgroupsMode, "manage-cgroups-mode", "criu's `MODE` for cgroups: soft (default), full, strict or ignore"),
		text(&o.NetworkLock, "network-lock", "`MEANS` to stop traffic: iptables (default if there), nftables, skip"),
		each(emptyNamespace, "empty-ns", "leave the `NAMESPACE` empty: network, as always"),
	}
}

func emptyNamespace(kind string) error {
	if kind != "network" {
		return errors.New("only the network namespace can be left empty")
	}
	return nil
}

// options are the flags, with absolute paths.
func (f *criuFlags) options() (o libcontainer.CRIUOptions, err error) {
	o = f.opts
	if o.ImageDir == "" {
		o.ImageDir = "checkpoint"
	}
	if o.ImageDir, err = filepath.Abs(o.ImageDir); err != nil {
		return o, fmt.Errorf("--image-path: %w", err)
	}
	if o.WorkDir != "" {
		if o.WorkDir, err = filepath.Abs(o.WorkDir); err != nil {
			return o, fmt.Errorf("--work-path: %w", err)
		}
	}
	return o, nil
}
