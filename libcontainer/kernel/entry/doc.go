// Package entry is what a command does before Go's runtime begins: settings under which that runtime starts in two thirds of the time, and of which
// nothing is passed on. Nothing else comes in: there is no stack to speak of here, no memory and no error.
//
// Go offers none of them in a way that comes in time, so the program's entry point (the linker's flag -E, see the Makefile) is a few instructions of
// ours. Without that flag, or on other machines than amd64 and arm64, everything works as before.
//
//   - GOMAXPROCS=01 is added to the end of the environment in memory, where a value that the caller gave comes first. What main would change later has
//     then never been set up for a second processor: 80 page faults and a stop of the world, 0.2 ms of every command.
//   - No file can be opened (RLIMIT_NOFILE is 3, so that the standard streams still can): the runtime would look for the CPU limit of our cgroup, to
//     learn how many threads it may use, even when that is known (0.15 ms, more where there are many mounts). Nor does it learn the size of
//     huge pages, of which it has no use for.
//   - The timer slack is 4 ms. The runtime's monitor asks to be woken each 20 µs while Go code runs, 75 µs with the ordinary slack, which
//     costs a tenth of a command's CPU time: an interrupt, and two switches of context in a virtual machine. The threads that are begun until
//     then keep it, so it is also undone before a process is started ([RestoreSlack]).
//
// Then the main goroutine gets a stack of 32 KiB at once. Go would double it from 2 KiB on each time that it is full, look up every function on it, and
// lay out a pool of stacks of each size: a cold 0.2 ms in a command that runs for a few.
//
// The package imports nothing, so that its initialisation comes before that of all others (the Go specification sorts packages that are ready
// by their path, and this one is ready at once): os notes the limit of open files for the programs that it starts.
package entry

// Added is the variable that the environment ends with when Active. Nobody writes the number that way, so it is told from the caller's own.
const Added = "GOMAXPROCS=01"

func init() {
	restoreLimit()
	RestoreSlack()
	growStack()
}
