// Package criu talks to CRIU, the program that writes a tree of processes to files and makes it
// again from them (https://criu.org). A [Worker] is one `criu swrk`, which speaks the protocol of
// its rpc.proto over a socket: go-criu has the messages, the socket is ours, since descriptors go
// with them both ways.
package criu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Find gives the path of the program. Engines call runtimes with a PATH that need not have the
// directories of administrators' programs.
func Find() (string, error) {
	if path, ok := look("criu"); ok {
		return filepath.Abs(path)
	}
	// Not the kernel's words: engines take them to be about the container's program.
	return "", fmt.Errorf("criu is not installed: it is neither in PATH (%q) nor in %s, %s or %s", os.Getenv("PATH"), sbin[0], sbin[1], sbin[2])
}

// Has says whether criu will find another program that it needs for something.
func Has(program string) bool {
	_, ok := look(program)
	return ok
}

func look(program string) (path string, ok bool) {
	if path, err := exec.LookPath(program); err == nil {
		return path, true
	}
	for _, dir := range sbin {
		if path := filepath.Join(dir, program); executable(path) {
			return path, true
		}
	}
	return "", false
}

var sbin = [...]string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// environment is the caller's, with a PATH in which criu finds tar, ip and iptables.
func environment() []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/bin:/usr/bin:/bin"
	}
	for _, dir := range sbin {
		path += ":" + dir
	}
	env := []string{"PATH=" + path}
	for _, v := range []string{"HOME", "TMPDIR", "LD_LIBRARY_PATH", "CRIU_LIBS_DIR", "ASAN_OPTIONS"} {
		if value, ok := os.LookupEnv(v); ok {
			env = append(env, v+"="+value)
		}
	}
	return env
}

// Version is one of criu's, as the number that it gives with: 31600 for 3.16.
type Version int

// Oldest is the first that has all that is asked of it: lsm_mount_context, cgroup_yard, time
// namespaces.
const Oldest Version = 31600

func (v Version) String() string {
	if v%100 == 0 {
		return fmt.Sprintf("%d.%d", v/10000, v/100%100)
	}
	return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100)
}
