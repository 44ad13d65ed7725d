// Package state keeps what one command has to tell the next about a container: a directory with a
// record (state.json), a copy of config.json, the page that says how far the init came, and the
// socket at which it waits for `start`.
//
// The directory's name is the lock on the container's id, and a flock on the directory is the lock
// on the container: every command that changes the container holds it. Nothing here is a cache of
// what the kernel knows: whether a container runs is asked anew each time. The record is written
// before the first side effect of create, so that a container whose command was killed at any point
// can be removed whole.
//
// Only files of that directory and the identity of processes belong here; what to do with them is
// libcontainer's.
package state
