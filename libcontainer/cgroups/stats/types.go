// Package stats holds what `events` tells about a container's cgroup: the types of its JSON, which
// monitoring tools of runc read too, and their filling from the texts of cgroup files (pure).
//
// What may come in: fields of that JSON and parsers for cgroup files. No files are opened here.
package stats

// Stats is the "data" of a stats event.
type Stats struct {
	CPU     CPU                `json:"cpu"`
	CPUSet  CPUSet             `json:"cpuset"`
	Memory  Memory             `json:"memory"`
	Pids    Pids               `json:"pids"`
	BlkIO   BlkIO              `json:"blkio"`
	Hugetlb map[string]Hugetlb `json:"hugetlb"` // by page size: "2MB"

	// Not in the JSON, which runc's readers know without it.
	RDMA RDMA `json:"-"`

	// Not about cgroups: whoever prints the event fills them in.
	IntelRDT          any                `json:"intel_rdt"`
	NetworkInterfaces []NetworkInterface `json:"network_interfaces"`
}

// CPU times are in nanoseconds.
type CPU struct {
	Usage      CPUUsage   `json:"usage,omitzero"`
	Throttling Throttling `json:"throttling,omitzero"`
	Bursts     Bursts     `json:"-"`
	PSI        *PSI       `json:"psi,omitempty"`
}

// CPUUsage is the time that the CPUs worked, in nanoseconds.
type CPUUsage struct {
	Total        uint64   `json:"total,omitempty"`
	PerCPU       []uint64 `json:"percpu,omitempty"`
	PerCPUKernel []uint64 `json:"percpu_kernel,omitempty"`
	PerCPUUser   []uint64 `json:"percpu_user,omitempty"`
	Kernel       uint64   `json:"kernel"`
	User         uint64   `json:"user"`
}

// Throttling is how often, and for how many nanoseconds, a CPU quota held the container back.
type Throttling struct {
	Periods          uint64 `json:"periods,omitempty"`
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
	ThrottledTime    uint64 `json:"throttledTime,omitempty"`
}

// Bursts is how often, and for how many nanoseconds, the container used more than its CPU quota.
type Bursts struct{ Periods, Time uint64 }

// CPUSet is where the container may run and allocate (cgroup v1's cpuset, cpuset(7)).
type CPUSet struct {
	CPUs                  []uint16 `json:"cpus,omitempty"`
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"`
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"`
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"`
}

// Memory is in bytes.
type Memory struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage,omitzero"`
	Swap      MemoryEntry       `json:"swap,omitzero"` // memory and swap together, on v2 as well
	Kernel    MemoryEntry       `json:"kernel,omitzero"`
	KernelTCP MemoryEntry       `json:"kernelTCP,omitzero"`
	Raw       map[string]uint64 `json:"raw,omitempty"` // memory.stat
	// Events are memory.events of v2, or memory.oom_control of v1.
	Events map[string]uint64 `json:"-"`
	PSI    *PSI              `json:"psi,omitempty"`
}

// MemoryEntry is one kind of memory, in bytes.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"` // no limit: the largest number
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"` // the largest Usage so far
	Failcnt uint64 `json:"failcnt"`
}

// Pids counts processes and threads.
type Pids struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"` // 0: none
}

// BlkIO is block I/O by device; v2 tells less of it than v1.
type BlkIO struct {
	ServiceBytes []BlkIOEntry `json:"ioServiceBytesRecursive,omitempty"`
	Serviced     []BlkIOEntry `json:"ioServicedRecursive,omitempty"`
	Queued       []BlkIOEntry `json:"ioQueueRecursive,omitempty"`
	ServiceTime  []BlkIOEntry `json:"ioServiceTimeRecursive,omitempty"`
	WaitTime     []BlkIOEntry `json:"ioWaitTimeRecursive,omitempty"`
	Merged       []BlkIOEntry `json:"ioMergedRecursive,omitempty"`
	Time         []BlkIOEntry `json:"ioTimeRecursive,omitempty"`
	Sectors      []BlkIOEntry `json:"sectorsRecursive,omitempty"`
	PSI          *PSI         `json:"psi,omitempty"`
}

// BlkIOEntry is one number of one device and kind of operation.
type BlkIOEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"` // Read, Write, Sync, Async, Discard, Total
	Value uint64 `json:"value,omitempty"`
}

// Hugetlb is the huge pages of one size, in bytes.
type Hugetlb struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// RDMA is what a container has of the adapters for remote memory access.
type RDMA struct{ Current, Limit []RDMAEntry }

// RDMAEntry is one adapter; without a limit, the largest number.
type RDMAEntry struct {
	Device           string
	Handles, Objects uint32
}

// PSI is pressure stall information: shares of time in percent, and the total in microseconds.
type PSI struct {
	Some Pressure `json:"some"`
	Full Pressure `json:"full"`
}

// Pressure is one line of a pressure file.
type Pressure struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// NetworkInterface is one interface of the container's network namespace.
type NetworkInterface struct {
	Name                                    string
	RxBytes, RxPackets, RxErrors, RxDropped uint64
	TxBytes, TxPackets, TxErrors, TxDropped uint64
}
