// Package cgroups limits a container: it compiles linux.resources into writes to cgroup files
// (pure) and places them in the container's own cgroup on cgroup v1, v2 or both (hybrid).
//
// Four types matter: a Layout says which hierarchies the host has; Settings is linux.resources
// compiled for that host; a Write is one line of it, with the place in config.json that asked for
// it; a Cgroup is the container's directory in every hierarchy. What v1 and v2 do differently is in
// the packages v1 and v2, which implement one interface (internal/backend). The filesystem driver
// is in this package:
//
//	host, err := cgroups.Probe()       // once a command; reads, changes nothing
//	set, err := cgroups.Compile(spec.Linux.Resources, host)
//	                                   // pure; set.Lines() for explain, set.Warnings for the log
//	places, err := host.Locate(cgroupsPath, id)
//	                                   // pure; only to show where the cgroup will be
//	cg, err := cgroups.Create(host, cgroups.Config{Path: cgroupsPath, ID: id, Settings: set})
//	                                   // until Finish or Close, no other Create can have it
//	in, err := cg.Enter()              // in.Dir: SysProcAttr's UseCgroupFD, CgroupFD
//	                                   // in.Tasks: the init writes "0" into each (v1, hybrid)
//	… start the init, in.Close() …
//	err = cg.Finish()                  // limits that had to wait for the birth; closes all
//	state.CgroupPaths = cg.Paths()
//	state.CgroupID, err = cg.Identity()
//
//	cg, err = cgroups.OpenOwn(state.CgroupPaths, state.CgroupID) // in a later command
//	cg.Frozen, cg.Freeze, cg.Thaw             // pause, resume, status
//	cg.Pids, cg.Signal, cg.KillAll, cg.Wait   // ps, kill
//	cg.Enter, cg.Sub, cgroups.OfProcess, cg.Join // exec
//	cg.OOMKills, cg.WatchOOM, cg.Stats        // was it memory.limit that killed the init? events
//	cg.Update(set)                            // from CompileUpdate(Merge(saved, change), host)
//	err = cg.Remove(timeout)                  // waits for the last process; may be gone already
//
// A rootless container for which nothing may be created, and one with cgroups switched off
// (Disabled), have an empty Cgroup, which knows why. Its methods do nothing. Limits that were
// asked for are then an error of Create.
//
// With Config.Adopt, Create uses directories that systemd has already made.
//
// What may come in: what concerns cgroups of containers, and nothing about how an init is started.
// Device rules are in package devices; the one piece of unsafe code, bpf(2), is in package kernel.
package cgroups
