// Command copy prints what the program that package ahead began finds, and ends as its first
// argument says: with an exit status for who waits, by a signal, or for itself.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"github.com/ociruntime/ociruntime/libcontainer/kernel/ahead"
	_ "github.com/ociruntime/ociruntime/libcontainer/kernel/entry"
)

func main() {
	// Which descriptor that is, who starts the program knows.
	var st syscall.Stat_t
	inherited := syscall.Fstat(5, &st) == nil
	fmt.Printf("procs %d, a copy: %v, inherited: %v, args %q, %q, %q\n", runtime.GOMAXPROCS(0), ahead.Parent() != 0, inherited, os.Args[1:], os.Getenv("GODEBUG"), os.Getenv("LAST"))
	if len(os.Args) < 2 {
		return
	}
	switch end := os.Args[1]; end {
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "failed":
		os.Exit(3)
	default:
		status, err := strconv.Atoi(end)
		if err != nil {
			return
		}
		if _, err := syscall.Write(ahead.Parent(), []byte{byte(status)}); err != nil {
			fmt.Println(err)
		}
		// The one that waited has ended by now, or does at once.
		fmt.Println("still there")
	}
}
