// Package ahead is what containerd's shim does before Go's runtime begins. containerd starts the
// shim's program with "start" and "delete" for each container, and nearly all of their time was the
// start of Go and of what is linked in. With the linker's flag -E ociruntime_shim_start (see the
// Makefile), on amd64 and arm64, a few instructions of ours come first. Without it everything works
// as well, by the same means in Go, only slower. The figures are of the CPU time of a container's
// life through containerd, the median of 30 interleaved rounds.
//
//   - "start" makes a copy of the process, and waits for a byte on a pipe, its exit status. The
//     copy goes on into Go, makes the socket, answers, and stays as the daemon, in place of one
//     that would be started anew (5 %). [Parent] is its end of the pipe.
//
//   - "delete" prints the file [Deleted] of the bundle, if there is one, and that is all (9 %). The
//     daemon leaves it when it has deleted the container itself, and nothing is left to do.
//
//   - Go code gets one processor, although containerd asks for two in the environment (13 %): the
//     shim mostly waits for the kernel, and a processor is a thread and memory, too.
//
//   - Go's heap gets no huge pages. Where the kernel makes them unasked, as on Debian, they take in
//     what the heap has given back: after some hundred containers an idle daemon had 9 MB in place
//     of 4.5.
//
// The two settings are variables in front of the environment, [Variables]. A daemon that is started
// anew gets them as other programs do.
//
// The rest is as package entry has it, which comes next.
package ahead

// Variables are the settings. The first variable of a name counts, so that it is they which do, and
// nobody else writes the number so.
func Variables() []string { return []string{"GOMAXPROCS=0001", "GODEBUG=disablethp=1"} }

// Deleted is the name of a file in the bundle with the answer to "delete".
const Deleted = "ociruntime-shim.deleted"
