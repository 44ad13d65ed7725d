package seccomp

import specs "github.com/opencontainers/runtime-spec/specs-go"

// Names are the system calls of all architectures, in alphabetical order.
func Names() []string {
	list := make([]string, nameCount)
	for i := range list {
		list[i] = name(i)
	}
	return list
}

// Unknown tells of each name in a profile that no architecture has a system call of, with its place
// in config.json. Compile leaves such out: profiles name calls of many kernels.
func Unknown(s *specs.LinuxSeccomp, tell func(place, name string)) {
	f := finder{}
	for i := range s.Syscalls {
		for j, name := range s.Syscalls[i].Names {
			if _, ok := f.find(name); !ok {
				tell(at(at("linux.seccomp.syscalls", i)+".names", j), name)
			}
		}
	}
}

// name returns the system call name with an index of the tables.
func name(i int) string {
	if i == 0 {
		return names[:nameEnd[0]]
	}
	return names[nameEnd[i-1]:nameEnd[i]]
}

// A finder looks names up. Profiles list names in alphabetical order, so it starts from its last
// hit and gallops: two or three comparisons a name, where a fresh binary search needs nine.
type finder struct{ last int }

// find returns the index of a system call name, false for one that no architecture has.
func (f *finder) find(want string) (int, bool) {
	lo, hi := 0, nameCount // the name, if it is there, is in [lo, hi)
	if at := f.last; name(at) <= want {
		lo = at
		for step := 1; at+step < nameCount; step *= 2 {
			if name(at+step) > want {
				hi = at + step
				break
			}
			lo = at + step
		}
	} else {
		hi = at
	}
	for lo+1 < hi {
		mid := int(uint(lo+hi) / 2)
		if name(mid) <= want {
			lo = mid
		} else {
			hi = mid
		}
	}
	if name(lo) != want {
		return 0, false
	}
	f.last = lo
	return lo, true
}
