// Package kernel is the only room for unsafe and for assembly: the machine code of the init image's
// op loop, and system calls that golang.org/x/sys/unix has no wrapper for. Nothing that can be said
// in ordinary Go comes in. What has to be a package of its own, for it comes before all others, is
// in the folder below: entry.
package kernel
