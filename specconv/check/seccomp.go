package check

import "github.com/ociruntime/ociruntime/libcontainer/seccomp"

func (c *checker) seccomp() {
	s := c.linux.Seccomp
	if s == nil || s.DefaultAction == "" && len(s.Syscalls) == 0 {
		// Without a default and rules there is no filter: engines send such.
		return
	}
	seccomp.Check(s, c.bad)
}
