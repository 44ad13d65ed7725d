package main

// createCommand makes a container that waits for start.
func createCommand() *command {
	var b bundleFlags
	return &command{
		name: "create", args: "ID", min: 1, max: 1, failed: name + " create failed",
		summary: "make a container, ready to start",
		about: `Makes a container out of a bundle. Everything is set up, and the process waits for
"start" to run its program. Standard input, output and error become the container's.

The ID is a name for the container: letters, digits and _ + . - .`,
		flags: b.define,
		run: func(a *app, args []string) (int, error) {
			opts, err := b.options(a, false)
			if err != nil {
				return 0, err
			}
			_, _, err = a.runtime().Create(args[0], opts)
			return 0, err
		},
	}
}
