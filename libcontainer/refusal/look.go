package refusal

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/feature"
)

// look gathers the evidence, and no more than the sentence will need: a rootless runtime is refused
// much that it can do without.
func look(c call, errno unix.Errno) evidence {
	e := evidence{errno: errno, again: c.again()}
	if e.again == errno {
		e.kernel, e.filtered = feature.Running(), filtered()
		e.mayMount = c.mounts && mayMount()
	}
	if errno != unix.ENOSYS && !e.filtered {
		e.profile = confinement()
	}
	return e
}

// again makes the call with every bit of every argument set, and gives its answer. No kernel does
// anything then: flags are unknown, descriptors bad, pointers wild, sizes too big.
func (c call) again() unix.Errno {
	const ones = ^uintptr(0)
	_, _, errno := unix.RawSyscall6(c.number, ones, ones, ones, ones, ones, ones)
	return errno
}

// mayMount asks the calls that say EPERM to all who have no CAP_SYS_ADMIN over their mount
// namespace. One that says something else shows that this process has it, and that EPERM from
// another is not the kernel's. (Before 7.3, fsmount and pivot_root did so, too.)
func mayMount() bool {
	for _, name := range [...]string{"fsopen", "move_mount"} {
		c, _ := lookup(name)
		if errno := c.again(); errno == unix.EINVAL || errno == unix.EFAULT {
			return true
		}
	}
	return false
}

func filtered() bool {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err == nil && mode == unix.SECCOMP_MODE_FILTER
}

// confinement is the name of the AppArmor profile that this process is confined by.
func confinement() string {
	label, err := os.ReadFile("/proc/self/attr/current")
	if err != nil {
		return ""
	}
	return enforced(string(label))
}

// enforced reads "NAME (enforce)", as AppArmor has it. An unconfined process has no mode there, and
// SELinux has a context.
func enforced(label string) string {
	name, ok := strings.CutSuffix(strings.TrimRight(label, "\n\x00"), " (enforce)")
	if !ok {
		return ""
	}
	return name
}
