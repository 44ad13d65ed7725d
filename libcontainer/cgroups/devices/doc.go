// Package devices turns the device rules of config.json (linux.resources.devices) into what the
// kernel enforces: lines for devices.allow and devices.deny on cgroup v1, a
// BPF_PROG_TYPE_CGROUP_DEVICE program on cgroup v2.
//
// Everything here is pure: rules in, lines or instructions out. One meaning holds for both
// versions: each access bit (read, write, mknod) of a request is decided by the last rule that
// names the device and that bit; what no rule names is denied.
//
// What may come in: the rules' meaning, their checks, the two encodings. No system calls, no files.
package devices
