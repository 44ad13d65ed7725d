package facts

import (
	"bytes"
	"runtime"
	"strconv"

	"github.com/ociruntime/ociruntime/libcontainer/rawfile"
)

// IdleProcessor reports whether a processor is idle at this moment, so that work given to another process is done beside ours and not in
// its place. Where /proc does not tell (proc_loadavg(5)), there is none.
func IdleProcessor() bool {
	text, _ := rawfile.Read("/proc/loadavg")
	running, ok := runnable(text)
	return ok && running < runtime.NumCPU()
}

// runnable is how many threads run or are ready to, from the fourth field: "0.20 0.18 0.12 2/80 11206".
func runnable(loadavg []byte) (n int, ok bool) {
	fields := bytes.Fields(loadavg)
	if len(fields) < 4 {
		return 0, false
	}
	text, _, _ := bytes.Cut(fields[3], []byte("/"))
	n, err := strconv.Atoi(string(text))
	return n, err == nil
}
