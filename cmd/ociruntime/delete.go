package main

// deleteCommand removes what is left of a container.
func deleteCommand() *command {
	var force bool
	return &command{
		name: "delete", args: "ID", min: 1, max: 1,
		summary: "remove a container",
		about: `Removes a container that has stopped, or was never started: its cgroup, its
directory and what else was made for it. The bundle stays.

With --force a running container is killed first, whatever an interrupted command
has left is removed, too, and an unknown ID is no error.`,
		flags: func(f *flags) { f.bool(&force, "force,f", "kill it first if it runs") },
		run:   func(a *app, args []string) (int, error) { return 0, a.runtime().Delete(args[0], force) },
	}
}
