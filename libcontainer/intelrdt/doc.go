// Package intelrdt puts a container into a group of the resctrl file system (linux.intelRdt; the
// kernel's Documentation/filesystems/resctrl.rst), where Intel's Resource Director Technology and
// what is like it on AMD limit and count the use of caches and memory bandwidth.
//
// A Tree is a mounted resctrl file system, a Group a container's place in it: the class of service
// ("closID"), shared or the container's own, and perhaps a monitoring group below it.
//
// What may come in: what concerns resctrl groups of containers. Nothing is known here of how an
// init is started.
package intelrdt
