package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// use is what a container uses, as stats shows it. What the kernel does not count is left out.
type use struct {
	ID     string    `json:"id"`
	CPU    float64   `json:"cpu_percent"` // of one CPU
	Memory amount    `json:"memory"`      // bytes
	Pids   amount    `json:"pids"`
	IO     traffic   `json:"io"`
	Wait   *pressure `json:"pressure,omitempty"`
}

type amount struct {
	Used  uint64 `json:"used"`
	Limit uint64 `json:"limit,omitempty"` // 0: none
}

type traffic struct {
	Read    uint64 `json:"read"`
	Written uint64 `json:"written"`
}

// pressure is the share of the last ten seconds in which something had to wait, in percent.
type pressure struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
	IO     float64 `json:"io"`
}

// usedBy takes out of the statistics what people look for.
func usedBy(e *libcontainer.Event) use {
	s := e.Data
	u := use{ID: e.ID, Pids: amount{s.Pids.Current, s.Pids.Limit}}
	u.Memory.Used = s.Memory.Usage.Usage
	// The kernel drops files that nobody has used lately before it lets anything lack memory.
	idle := cmp.Or(s.Memory.Raw["total_inactive_file"], s.Memory.Raw["inactive_file"])
	u.Memory.Used -= min(u.Memory.Used, idle)
	if limit := s.Memory.Usage.Limit; limit < noLimit {
		u.Memory.Limit = limit
	}
	for _, b := range s.BlkIO.ServiceBytes {
		switch strings.ToLower(b.Op) {
		case "read":
			u.IO.Read += b.Value
		case "write":
			u.IO.Written += b.Value
		}
	}
	if s.CPU.PSI != nil || s.Memory.PSI != nil || s.BlkIO.PSI != nil {
		u.Wait = &pressure{some(s.CPU.PSI), some(s.Memory.PSI), some(s.BlkIO.PSI)}
	}
	return u
}

func some(p *stats.PSI) float64 {
	if p == nil {
		return 0
	}
	return p.Some.Avg10
}

func useTable(uses []use) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 1, 3, ' ', 0)
	waits := false
	for _, u := range uses {
		waits = waits || u.Wait != nil
	}
	heading := "ID\tCPU %\tMEMORY\tLIMIT\tPIDS\tLIMIT\tREAD\tWRITTEN"
	if waits {
		heading += "\tWAIT CPU\tMEM\tI/O"
	}
	fmt.Fprintln(w, heading)
	for _, u := range uses {
		pids := "none"
		if u.Pids.Limit > 0 {
			pids = fmt.Sprint(u.Pids.Limit)
		}
		fmt.Fprintf(w, "%s\t%.1f\t%s\t%s\t%d\t%s\t%s\t%s", u.ID, u.CPU, size(u.Memory.Used), sizeLimit(u.Memory.Limit),
			u.Pids.Used, pids, size(u.IO.Read), size(u.IO.Written))
		switch {
		case u.Wait != nil:
			fmt.Fprintf(w, "\t%.0f %%\t%.0f %%\t%.0f %%", u.Wait.CPU, u.Wait.Memory, u.Wait.IO)
		case waits:
			fmt.Fprint(w, "\t-\t-\t-")
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // to memory
	return b.String()
}

func splitLines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
