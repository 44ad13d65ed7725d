package libcontainer

import (
	"os"

	"github.com/ociruntime/ociruntime/libcontainer/internal/rootfs"
	"github.com/ociruntime/ociruntime/libcontainer/internal/setup"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// open gathers everything that the plan's files are.
func (c *creation) open() error {
	for i := range c.plan.Files {
		var f *os.File
		var err error
		switch name := c.plan.Files[i].Name; name {
		case compile.FileSocket:
			f, err = c.dir.ListenStart()
		case compile.FileProc:
			f, err = setup.OpenProc()
		case compile.FileDevices:
			f, err = rootfs.MakeDevices(c.spec)
		case compile.FileConsole:
			c.console, err = setup.NewConsoleEnd(c.o.ConsoleSocket, c.o.Console)
			if err != nil {
				return err
			}
			c.undo.Add(c.console.Close)
			c.files.Give(name, c.console.Init)
			continue
		default:
			continue
		}
		if err != nil {
			return err
		}
		c.files.Keep(c.plan.Files[i].Name, f)
	}
	return c.files.OpenAll(c.plan)
}
