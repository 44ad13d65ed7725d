package facts

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// KernelMounts finds the mountpoints of proc and sysfs that do not lie below root, in the reverse of the order in which they were made.
func KernelMounts(root string) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list the mounts: %w", err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		mount, fs, ok := strings.Cut(line, " - ")
		f := strings.Fields(mount)
		if !ok || len(f) < 5 || !strings.HasPrefix(fs, "proc ") && !strings.HasPrefix(fs, "sysfs ") {
			continue
		}
		at := unescape(f[4])
		if at != root && !strings.HasPrefix(at, strings.TrimSuffix(root, "/")+"/") {
			list = append(list, at)
		}
	}
	slices.Reverse(list)
	return list, nil
}

// unescape undoes the octal numbers for blanks and backslashes in mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
