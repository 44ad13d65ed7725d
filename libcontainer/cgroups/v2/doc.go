// Package v2 is a container's cgroup in the cgroup2 tree (backend.Cgroup), and the files of its
// controllers that linux.resources is compiled to.
//
// The kernel's traps on v2:
//
//   - A cgroup that holds processes can't give controllers to its children, and one controller
//     that is refused takes the others of the same write with it.
//   - A child of a threaded cgroup is born as "domain invalid": it has to become threaded before a
//     process may enter, and then has no controller that counts for a whole process.
//   - cgroup.freeze is what was written to this cgroup. Whether it stands still because one above
//     is frozen shows in cgroup.events alone, which also says that a freeze is complete. A process
//     that is put into a frozen cgroup stops at once, and who waits for it waits forever.
//   - A read of cgroup.events arms the next poll, which reports changes since that read.
//   - cgroup.kill refuses a threaded cgroup, and cgroup.procs of one can't be read.
//   - There is no devices controller: an eBPF program decides, and a second one would only narrow
//     what the first allows, so that it has to take its place.
//   - pids.max 0 refuses the birth of a process in the cgroup, so that it is set after it.
package v2
