package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/tests/harness"
)

// The configurations that are measured.
const (
	plain = "default" // what `spec` writes
	// what Docker asks for: its seccomp profile, limits, binds, sysctls, 14 capabilities
	docker = "docker"
	userns = "userns" // the default in a user namespace
	// what Kubernetes asks for with a pod in a user namespace: Docker's, and 30 mounts, most of
	// them volumes with mapped owners
	pod = "pod"
)

// podMounts is how many mounts a pod has.
const podMounts = 30

// firstID is the id on the host of the container's root.
const firstID = 100000

// ociVersion is one that crun 1.8 takes, too.
const ociVersion = "1.0.2"

// makeRootfs fills a directory with a static busybox.
func makeRootfs(dir string) error {
	bin, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	dirs := []string{"bin", "dev", "etc", "proc", "sys", "tmp"}
	for i := range podMounts {
		// Root of a user namespace could not make them.
		dirs = append(dirs, fmt.Sprintf("volumes/%d", i))
	}
	for _, d := range dirs {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := harness.CopyFile(bin, filepath.Join(dir, "bin/busybox"), 0o755); err != nil {
		return err
	}
	for _, applet := range []string{"sh", "true", "sleep"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", applet)); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n", "hosts": "", "hostname": "", "resolv.conf": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeBundle makes a bundle directory for a configuration.
func writeBundle(dir, rootfs, kind string, args []string, limit int64) error {
	s, err := config(kind, rootfs)
	if err != nil {
		return err
	}
	s.Root.Path = rootfs
	s.Process.Args = args
	if limit > 0 {
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
	}
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644)
}

func config(kind, rootfs string) (*specs.Spec, error) {
	s := harness.BaseSpec()
	s.Version = ociVersion
	switch kind {
	case plain:
		return s, nil
	case userns:
		mapIDs(s)
		return s, nil
	case docker:
		return s, dockerize(s, rootfs)
	case pod:
		mapIDs(s)
		err := errors.Join(dockerize(s, rootfs), addVolumes(s, rootfs))
		// It names groups that the namespace does not have.
		delete(s.Linux.Sysctl, "net.ipv4.ping_group_range")
		return s, err
	}
	return nil, fmt.Errorf("no configuration %q", kind)
}

// mapIDs puts the container into a user namespace.
func mapIDs(s *specs.Spec) {
	m := []specs.LinuxIDMapping{{ContainerID: 0, HostID: firstID, Size: 65536}}
	s.Linux.UIDMappings, s.Linux.GIDMappings = m, m
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
}

// addVolumes gives the container volumes that belong to root of the host, every other one
// read-only.
func addVolumes(s *specs.Spec, rootfs string) error {
	for i := 0; len(s.Mounts) < podMounts; i++ {
		dir := filepath.Join(filepath.Dir(rootfs), "volumes", fmt.Sprint(i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		access := [...]string{"rw", "ro"}[i%2]
		s.Mounts = append(s.Mounts, specs.Mount{
			Destination: fmt.Sprintf("/volumes/%d", i), Type: "bind", Source: dir, Options: []string{"rbind", "rprivate", access},
			UIDMappings: s.Linux.UIDMappings, GIDMappings: s.Linux.GIDMappings,
		})
	}
	return nil
}

// dockerize makes the configuration what dockerd writes for `docker run` with limits.
func dockerize(s *specs.Spec, rootfs string) error {
	top, err := sourceTop()
	if err != nil {
		return err
	}
	profile, err := os.ReadFile(filepath.Join(top, "libcontainer/seccomp/testdata/docker.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(profile, &s.Linux.Seccomp); err != nil {
		return err
	}
	caps := []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP",
		"CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	}
	s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
	s.Process.NoNewPrivileges = false
	s.Root.Readonly = false
	s.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
	limit, shares, pids := int64(512<<20), uint64(512), int64(100)
	s.Linux.Resources = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &limit}, CPU: &specs.LinuxCPU{Shares: &shares}, Pids: &specs.LinuxPids{Limit: &pids},
		Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}},
	}
	for _, d := range [][2]int64{{1, 5}, {1, 3}, {1, 9}, {1, 8}, {5, 0}, {5, 1}} {
		s.Linux.Resources.Devices = append(s.Linux.Resources.Devices,
			specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &d[0], Minor: &d[1], Access: "rwm"})
	}
	for _, name := range []string{"resolv.conf", "hostname", "hosts"} {
		s.Mounts = append(s.Mounts, specs.Mount{
			Destination: "/etc/" + name, Type: "bind", Source: filepath.Join(rootfs, "etc", name), Options: []string{"rbind", "rprivate"},
		})
	}
	return nil
}
