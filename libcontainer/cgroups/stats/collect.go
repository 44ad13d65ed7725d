package stats

import (
	"errors"
	"math"
	"syscall"
)

// A Source reads a file of the container's cgroup in one hierarchy.
type Source func(file string) (string, error)

// Sources says where to read.
type Sources struct {
	V1        func(controller string) Source // nil for a controller that is not on v1
	V2        Source                         // nil without a cgroup2 tree
	PageSizes []string                       // of huge pages, "2MB"
}

// Collect reads all that there is. Files that a kernel does not have count as zero; a cgroup that
// is removed meanwhile as well.
func Collect(from Sources) (*Stats, error) {
	s := &Stats{Hugetlb: map[string]Hugetlb{}, IntelRDT: struct{}{}}
	c := &collector{from: from, s: s}
	c.cpu()
	c.cpuset()
	c.memory()
	c.pids()
	c.blkio()
	c.hugetlb()
	c.rdma()
	return s, c.err
}

// collector keeps the first error, so that the readers below need not look at each.
type collector struct {
	from Sources
	s    *Stats
	err  error
}

func (c *collector) v1(controller string) Source {
	if c.from.V1 == nil {
		return nil
	}
	return c.from.V1(controller)
}

// text reads a file; absent ones are empty.
func (c *collector) text(src Source, file string) string {
	if src == nil {
		return ""
	}
	text, err := src(file)
	switch {
	case err == nil:
		return text
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.EOPNOTSUPP):
		// Not in this kernel, or gone, or switched off (pressure stall information).
	default:
		c.fail(err)
	}
	return ""
}

func (c *collector) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// number reads a file of one number; "max" is the largest one.
func (c *collector) number(src Source, file string) uint64 {
	n, err := parseNumber(c.text(src, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return n
}

func (c *collector) table(src Source, file string) map[string]uint64 {
	t, err := parseTable(c.text(src, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return t
}

func (c *collector) psi(file string) *PSI {
	p, err := parsePSI(c.text(c.from.V2, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return p
}

func (c *collector) list(src Source, file string) []uint64 {
	l, err := parseList(c.text(src, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return l
}

func (c *collector) ranges(src Source, file string) []uint16 {
	l, err := parseRanges(c.text(src, file))
	if err != nil {
		c.fail(fileError(file, err))
	}
	return l
}

func (c *collector) cpu() {
	c.s.CPU.PSI = c.psi("cpu.pressure")
	cpu, acct := c.v1("cpu"), c.v1("cpuacct")
	if cpu == nil && acct == nil {
		c.cpuV2(c.from.V2)
		return
	}
	c.cpuV1(cpu, acct)
}

func (c *collector) cpuset() {
	if src := c.v1("cpuset"); src != nil {
		c.cpusetV1(src)
		return
	}
	c.cpusetV2(c.from.V2)
}

func (c *collector) memory() {
	c.s.Memory.PSI = c.psi("memory.pressure")
	if src := c.v1("memory"); src != nil {
		c.memoryV1(src)
		return
	}
	c.memoryV2(c.from.V2)
}

func (c *collector) pids() {
	src := c.v1("pids")
	if src == nil {
		src = c.from.V2
	}
	c.s.Pids = Pids{Current: c.number(src, "pids.current"), Limit: c.number(src, "pids.max")}
	if c.s.Pids.Limit == math.MaxUint64 {
		c.s.Pids.Limit = 0
	}
}

func (c *collector) blkio() {
	c.s.BlkIO.PSI = c.psi("io.pressure")
	if src := c.v1("blkio"); src != nil {
		c.blkioV1(src)
		return
	}
	c.blkioV2(c.from.V2)
}

func (c *collector) rdma() {
	src := c.v1("rdma")
	if src == nil {
		src = c.from.V2
	}
	list := func(file string) []RDMAEntry {
		l, err := parseRDMA(c.text(src, file))
		if err != nil {
			c.fail(fileError(file, err))
		}
		return l
	}
	c.s.RDMA = RDMA{Current: list("rdma.current"), Limit: list("rdma.max")}
}

// hugetlb reports reservations where the kernel counts them, since those are what is limited first.
func (c *collector) hugetlb() {
	src := c.v1("hugetlb")
	for _, size := range c.from.PageSizes {
		if src != nil {
			c.hugetlbV1(src, size)
		} else {
			c.hugetlbV2(c.from.V2, size)
		}
	}
}
