// Command begin prints what the program that package entry began finds: the processors of Go's
// runtime, its environment, its limits of open files.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	_ "github.com/ociruntime/ociruntime/libcontainer/kernel/entry"
)

func main() {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	fmt.Printf("procs %d\nargs %q\nlimit of open files raised by Go to %d of %d, %v\n", runtime.GOMAXPROCS(0), os.Args[1:], limit.Cur, limit.Max, err)
	fmt.Printf("environment %q\n", os.Environ())
}
