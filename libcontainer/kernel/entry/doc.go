// Package entry begins the program before Go's runtime does, with three settings under which that
// runtime starts in two thirds of the time and wakes less often: a tenth or more of the CPU time
// of `run`. Go takes none of them from a program's text in time, so the linker's flag -E (see the Makefile) makes
// a few instructions of ours the entry point. Without that flag, or on other machines than amd64
// and arm64, everything works as before, only slower.
//
//   - [Variable] is added to the end of the environment in memory, where a value that the caller
//     gave comes first. To call runtime.GOMAXPROCS in main is too late: 80 page faults and a stop of
//     the world have then been spent on processors that are never used (0.4 ms). main takes
//     it out of the environment again, so that no child sees it.
//
//   - No file can be opened: RLIMIT_NOFILE is 3, so that the standard streams still can. The runtime
//     would look through its cgroup's files for a CPU limit, even when GOMAXPROCS is set and with
//     containermaxprocs=0 (0.2 ms, more where there are many mounts). The init function restores
//     the limit.
//
//   - The timer slack is 4 ms, for the runtime's monitor: it asks to be woken each 20 µs while Go code
//     runs, and each time is an interrupt and two switches of context. `run` switches 34 times with
//     the long slack and 110 without, and takes 7 % less CPU time (60 interleaved runs). A thread has
//     the slack of the one that began it, and so has a process. The init function, which runs on the
//     first thread, gives that its own slack back; the monitor is there by then and keeps the long
//     one. Another thread may be, too, so processes are started through [AsCaller].
//
// What was tried beside them and gave less than 5 % is not here: a stack of the right size for the
// main goroutine, populating the program's pages.
//
// The package imports nothing but runtime, so that it is initialised before all others: packages that are ready
// are sorted by path (Go specification, "Program initialization"), and package syscall notes
// the limit of open files for the programs that it starts.
package entry

import "runtime"

// Variable and Procs are what entry adds to the environment. Nobody else writes the number so.
const (
	Variable = "GOMAXPROCS"
	Procs    = "0001"
)

func init() {
	restoreLimit()
	restoreSlack()
}

// AsCaller runs start, which starts a process, on a thread with the timer slack of our caller: the
// process inherits it.
func AsCaller(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	restoreSlack()
	return start()
}
