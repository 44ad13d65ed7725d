// Package cpuset reads and writes lists of CPUs and memory nodes (cpuset(7), "List format").
package cpuset

import (
	"fmt"
	"strconv"
	"strings"
)

// maxNumber is far above the CPUs and memory nodes that a kernel can have.
const maxNumber = 1<<16 - 1

// Each calls visit for each range of a list ("0-3, 7") in its order; a number alone is a range of
// one. An empty list has none. It is stricter than the kernel, which takes "0,,1" and "0-7:2/4".
func Each(list string, visit func(first, last int)) error {
	if list == "" {
		return nil
	}
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(strings.Trim(part, " "), "-")
		first, ok := number(from)
		last := first
		if ok && isRange {
			last, ok = number(to)
		}
		switch {
		case !ok:
			return fmt.Errorf("must be a list of numbers and ranges as in \"0-3,7\": %q", list)
		case max(first, last) > maxNumber:
			return fmt.Errorf("must not have numbers above %d: %q", maxNumber, list)
		case last < first:
			return fmt.Errorf("must not have a range that runs backwards: %q", list)
		}
		visit(first, last)
	}
	return nil
}

// Mask turns a list into a bit mask, bit 0 of the first byte being number 0. It has no more bytes
// than the list needs.
func Mask(list string) ([]byte, error) {
	var mask []byte
	err := Each(list, func(first, last int) {
		for ; first <= last; first++ {
			for len(mask) <= first/8 {
				mask = append(mask, 0)
			}
			mask[first/8] |= 1 << (first % 8)
		}
	})
	return mask, err
}

// List is the reverse of [Mask].
func List(mask []byte) string {
	var parts []string
	isSet := func(n int) bool { return n < 8*len(mask) && mask[n/8]&(1<<(n%8)) != 0 }
	for n := 0; n < 8*len(mask); n++ {
		if !isSet(n) {
			continue
		}
		first := n
		for isSet(n + 1) {
			n++
		}
		part := strconv.Itoa(first)
		if n > first {
			part += "-" + strconv.Itoa(n)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}

// number reads decimal digits, up to a number above maxNumber.
func number(s string) (n int, ok bool) {
	s = strings.Trim(s, " ")
	if s == "" {
		return 0, false
	}
	for _, digit := range []byte(s) {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		n = min(n*10+int(digit-'0'), maxNumber+1)
	}
	return n, true
}
