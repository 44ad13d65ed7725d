package cgroups

import (
	"os"
	"strconv"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups/resources"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// Stats reads what the cgroup has used so far. On a hybrid host, what v1 doesn't know (pressure)
// comes from the cgroup2 tree.
func (c *Cgroup) Stats() (*stats.Stats, error) {
	from := stats.Sources{
		V1: func(controller string) stats.Source {
			if n := c.v1(controller); n != nil {
				return n.Dir().Read
			}
			return nil
		},
		PageSizes: pageSizes(),
	}
	if n := c.v2(); n != nil {
		from.V2 = n.Dir().Read
	}
	return stats.Collect(from)
}

// pageSizes are the huge pages of this kernel as cgroup files spell them: hugepages-2048kB is 2MB.
func pageSizes() []string {
	entries, err := os.ReadDir("/sys/kernel/mm/hugepages")
	if err != nil {
		return nil
	}
	var sizes []string
	for _, e := range entries {
		kb, ok := strings.CutSuffix(strings.TrimPrefix(e.Name(), "hugepages-"), "kB")
		if _, err := strconv.Atoi(kb); !ok || err != nil {
			continue
		}
		if size, ok := resources.PageSize(kb + "KB"); ok {
			sizes = append(sizes, size)
		}
	}
	return sizes
}
