// Package systemd lets systemd make, limit and remove a container's cgroup: a transient scope or slice, asked for over
// D-Bus. What systemd has no property for goes to the control files through package cgroups.
package systemd
