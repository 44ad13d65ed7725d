package backend

import (
	"strconv"
	"strings"
)

// EventCount is the number behind name in a file of counts, 0 where there is no such line.
func EventCount(text, name string) (uint64, error) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name); ok {
			return strconv.ParseUint(strings.TrimSpace(v), 10, 64)
		}
	}
	return 0, nil
}
