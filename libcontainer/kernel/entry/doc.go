// Package entry begins the program before Go's runtime does, with three settings under which that
// runtime starts in two thirds of the time and wakes less often: a tenth or more of the CPU time of
// `run`. Go takes none of them from a program's text in time, so the linker's flag -E (see the
// Makefile) makes a few instructions of ours the entry point. Without that flag, or on other
// machines than amd64 and arm64, everything works as before, only slower.
//
//   - One processor for Go code. [Variable] is added to the end of the environment in memory, where
//     a value that the caller gave comes first. To call runtime.GOMAXPROCS in main is too late: 80
//     page faults and a stop of the world have then been spent on processors that are never used
//     (0.4 ms). main takes the variable out again, so that no child sees it.
//
//   - No look for a CPU limit. The runtime would go through its cgroup's files for one, even when
//     GOMAXPROCS is set and with containermaxprocs=0 (0.2 ms, more where there are many mounts). So
//     RLIMIT_NOFILE is 3, which leaves room for the standard streams alone. The init function
//     restores the limit.
//
//   - A timer slack of 4 ms, for the runtime's monitor. It asks to be woken each 20 µs while Go
//     code runs, and each time is an interrupt and two switches of context. `run` switches 34 times
//     with the long slack and 110 without, and takes 7 % less CPU time (60 interleaved runs). A new
//     thread or process inherits the slack of the thread that started it. The init function gives
//     the first thread its own slack back. The monitor has been started by then, and keeps the long
//     one. Other threads may have it, too, so processes are started through [AsCaller].
//
// What was tried beside them and gave less than 5 % is not here: a stack of the right size for the
// main goroutine, populating the program's pages.
//
// The package imports nothing but runtime, so that it is initialised before all others: packages
// that are ready are sorted by path (Go specification, "Program initialization"), and package
// syscall notes the limit of open files for the programs that it starts.
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

// turn is for who starts a process. Go starts one at a time (syscall.ForkLock), and whoever waited
// for that in AsCaller would keep a thread meanwhile.
var turn = make(chan struct{}, 1)

// AsCaller runs start, which starts a process, on a thread with the timer slack of our caller: the
// process inherits it.
func AsCaller(start func() error) error {
	turn <- struct{}{}
	defer func() { <-turn }()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	restoreSlack()
	return start()
}
