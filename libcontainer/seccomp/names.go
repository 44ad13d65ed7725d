package seccomp

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
