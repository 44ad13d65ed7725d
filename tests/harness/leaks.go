package harness

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// snapshot is what a test run must not change.
type snapshot struct {
	mounts []string // mountinfo lines without the ids, sorted
	files  []string // names in directories where runtimes put things
}

func takeSnapshot() (snapshot, error) {
	mounts, err := mountLines()
	if err != nil {
		return snapshot{}, err
	}
	return snapshot{mounts: mounts, files: runtimeFiles()}, nil
}

// mountLines are the mounts of this namespace without ids and peer groups,
// which the kernel hands out anew.
func mountLines() ([]string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		lines = append(lines, strings.Join(slices.Concat(fields[2:6], fields[6:]), " "))
	}
	slices.Sort(lines)
	return lines, nil
}

// runtimeFiles lists the names that a runtime could have left in the places
// where runtimes keep things: their default roots and the temporary folders.
func runtimeFiles() []string {
	var names []string
	for _, pattern := range []string{
		"/run/ociruntime/*", "/run/runc/*", "/run/crun/*",
		"/dev/shm/*ociruntime*", "/dev/mqueue/*",
		filepath.Join(commonTempDir(), "*ociruntime*"),
	} {
		found, _ := filepath.Glob(pattern)
		names = append(names, found...)
	}
	return names
}

// cleanUp removes what the tests left and says what it was.
func cleanUp(work string, before snapshot) []string {
	var leaks []string
	for _, p := range killDescendants() {
		leaks = append(leaks, "process "+p)
	}
	parent := filepath.Base(work)
	for _, dir := range CgroupsNamed(parent) {
		// The parent of all containers is made by the first of them and
		// is nobody's to remove but ours.
		if filepath.Base(dir) != parent {
			leaks = append(leaks, "cgroup "+dir)
		}
		if err := removeCgroup(dir); err != nil {
			leaks = append(leaks, fmt.Sprintf("cgroup that cannot be removed: %v", err))
		}
	}
	after, err := takeSnapshot()
	if err != nil {
		return append(leaks, err.Error())
	}
	for _, line := range after.mounts {
		if !slices.Contains(before.mounts, line) && !othersScratch(work, line) {
			leaks = append(leaks, "new mount: "+line)
			unmountBelow(work, line)
		}
	}
	for _, line := range before.mounts {
		if !slices.Contains(after.mounts, line) && !othersScratch(work, line) {
			leaks = append(leaks, "mount that is gone: "+line)
		}
	}
	for _, name := range after.files {
		if !slices.Contains(before.files, name) && !strings.HasPrefix(name, work) {
			leaks = append(leaks, "file "+name)
		}
	}
	if err := os.RemoveAll(work); err != nil {
		leaks = append(leaks, err.Error())
	}
	return leaks
}

// othersScratch reports whether a mount lies in a temporary folder that isn't
// ours: somebody else's work on the same machine.
func othersScratch(work, line string) bool {
	target := strings.Fields(line)[2]
	return !strings.HasPrefix(target, work) &&
		(strings.HasPrefix(target, commonTempDir()+"/") || strings.HasPrefix(target, "/var/tmp/"))
}

// unmountBelow detaches a leaked mount if it lies in the run's own directory,
// so that removing that directory can never reach through it.
func unmountBelow(work, line string) {
	fields := strings.Fields(line)
	if target := fields[2]; strings.HasPrefix(target, work+"/") {
		_ = unix.Unmount(target, unix.MNT_DETACH)
	}
}

// killDescendants ends all that is left below this process and describes it.
// What was about to end by itself gets a moment.
func killDescendants() []string {
	deadline := time.Now().Add(Patience(2 * time.Second))
	for time.Now().Before(deadline) {
		reap()
		if len(Children(os.Getpid())) == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	var described []string
	for range 200 {
		reap()
		pids := Children(os.Getpid())
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			if d := describe(pid); !slices.Contains(described, d) {
				described = append(described, d)
			}
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return described
}

func reap() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}

// Children are the direct children of a process.
func Children(parent int) []int {
	var pids []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	for _, name := range tasks {
		data, _ := os.ReadFile(name)
		for _, word := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func describe(pid int) string {
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	words := strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " "))
	return fmt.Sprintf("%d (%s)", pid, words)
}

// StatusField gives a line of /proc/PID/status, for example "CapEff".
func StatusField(pid int, name string) string {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Alive reports whether a process runs. A zombie doesn't: it waits for its
// parent, which is no business of the runtime's.
func Alive(pid int) bool {
	state := StatusField(pid, "State")
	return state != "" && state[0] != 'Z' && state[0] != 'X'
}
