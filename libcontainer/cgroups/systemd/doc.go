// Package systemd lets systemd make, limit and remove a container's cgroup: a transient scope below
// a slice, asked for over D-Bus.
//
//	unit, err := systemd.Parse(cgroupsPath, id, systemd.User()) // pure; "slice:prefix:name"
//	props, late, err := systemd.Limits(set)               // pure; what systemd has a property for
//	own, err := systemd.FromAnnotations(spec.Annotations) // pure; org.systemd.property.*
//	m, err := systemd.Connect(systemd.User())             // over D-Bus, by go-systemd
//	root, err := m.Root()
//	dir := unit.Path(root)                                // the cgroup, for cgroups.Config.Path
//	err = m.Start(unit, pid, slices.Concat(own, props))   // returns when pid is in the new cgroup
//	cg, err := cgroups.Create(host, cgroups.Config{Path: dir, Adopt: true, …})
//	err = m.Set(unit.Name, late)                          // when the init is in, and pid gone
//	err = m.Attach(unit.Name, pid)                        // exec of a user who may not move
//	err = m.Stop(unit.Name)                               // fine when it is gone
//
// systemd needs a process to make a scope. It is given a placeholder, which waits in the new cgroup
// until the init has been born there (CLONE_INTO_CGROUP) and is killed then. The alternative, to
// start the init outside and have it moved while it waits at a rendezvous, would need the cgroup's
// directory before the init exists all the same, for the mounts that show it to the container, and
// would put an RCU grace period (10 ms and more) into every start. With the placeholder all limits
// are in force before the init exists, and nothing but the making of the directory differs from the
// filesystem driver: the same plan, the same writes, the same way in.
//
// All of linux.resources goes to the control files too, through package cgroups: systemd doesn't
// know all of it, reports no error when the kernel refuses a value, and rewrites a file only when
// it is told to (or reloaded). The properties are there so that a `systemctl daemon-reload`, which
// sets every unit's files anew, ends with the same limits.
//
// Devices are the exception. On cgroup v2 the unit has no device properties at all: our own filter
// is the only program on the cgroup, and a reload finds nothing to put in its place, so that what a
// hook or an engine has added to the filter stays too. On v1, where a reload of a unit without
// device properties opens every device, the rules go into DeviceAllow; exceptions from "allow all"
// can't be said in it, and are lost with a warning.
//
// What may come in: what is said to systemd and how. Control files belong to package cgroups.
package systemd
