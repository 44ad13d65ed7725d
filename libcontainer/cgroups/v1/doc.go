// Package v1 is a container's cgroup in one hierarchy of cgroup v1 (backend.Cgroup), and the files
// of its controllers that linux.resources is compiled to.
//
// The kernel's traps on v1:
//
//   - Each hierarchy has its own tree. A process is in one cgroup of each, and moves in one at a
//     time.
//   - Writing another process's pid to cgroup.procs waits for an RCU grace period, 10 ms and more.
//     A process with a single thread that writes 0 to tasks moves itself without that wait.
//   - A new cpuset cgroup is empty, and no process can enter it before it has CPUs and memory
//     nodes. A hierarchy mounted with "noprefix" spells its files without "cpuset.".
//   - The freezer gives no notice of its progress, and makes some only when freezer.state is read.
//     It also keeps killed processes from dying, and one that forks at the wrong moment runs on.
//   - A cgroup below a frozen one says FROZEN too, and writing THAWED changes nothing then.
//   - The notice of a lack of memory comes before the kernel kills, and its eventfd is signalled
//     once more when the cgroup is removed.
//   - Nothing tells that the last process has left: one has to look again and again.
package v1
