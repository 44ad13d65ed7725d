// Package hooks runs the programs of config.json's hooks: one after the other, each with the
// container's state on its standard input, a limit on its time and a bounded memory of what it
// said, which ends up in the error when it fails.
//
// How a process is started is exchangeable ([Options.Start]): on the host here, in the container's
// namespaces by whoever can do that. When each kind of hook runs, and what its failure means for
// the container, is decided in libcontainer.
package hooks
