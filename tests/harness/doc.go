// Package harness drives a container runtime's binary on real bundles: it
// makes root filesystems and configurations, runs commands, looks at the
// containers from outside, and leaves the machine as it was.
//
// A test package hands its TestMain to Main. Then
//
//	b := harness.NewBundle(t).Args("hostname").Edit(func(s *specs.Spec) { s.Hostname = "box" })
//	if got := b.MustRun(); got != "box" { … }
//
// makes a bundle with a busybox root filesystem, a --root directory and a
// cgroup of its own; all of it is gone when the test ends, and a test that
// leaves a process, a cgroup, a mount or state behind fails.
//
// The binary is the one that the environment variable RUNTIME names (so that
// another runtime can be put beside ours), or one built for the run.
package harness
