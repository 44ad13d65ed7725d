package intelrdt

import (
	"os"
	"strconv"
	"strings"
)

// Stats is "intel_rdt" of a stats event, as runc prints it.
type Stats struct {
	L3CacheInfo       *L3CacheInfo `json:"l3_cache_info,omitempty"`
	L3CacheSchemaRoot string       `json:"l3_cache_schema_root,omitempty"` // of the root group
	L3CacheSchema     string       `json:"l3_cache_schema,omitempty"`
	MemBwInfo         *MemBwInfo   `json:"mem_bw_info,omitempty"`
	MemBwSchemaRoot   string       `json:"mem_bw_schema_root,omitempty"`
	MemBwSchema       string       `json:"mem_bw_schema,omitempty"`
	Schemata          []string     `json:"schemata,omitempty"` // the container's, whole
	MBMStats          []MBMStats   `json:"mbm_stats,omitempty"`
	CMTStats          []CMTStats   `json:"cmt_stats,omitempty"`
}

// L3CacheInfo is what the processor can do; cbm_mask is in hexadecimal.
type L3CacheInfo struct {
	CbmMask    string `json:"cbm_mask,omitempty"`
	MinCbmBits uint64 `json:"min_cbm_bits,omitempty"`
	NumClosids uint64 `json:"num_closids,omitempty"`
}

// MemBwInfo is in percent, but for delay_linear (0 or 1) and num_closids.
type MemBwInfo struct {
	BandwidthGran uint64 `json:"bandwidth_gran,omitempty"`
	DelayLinear   uint64 `json:"delay_linear,omitempty"`
	MinBandwidth  uint64 `json:"min_bandwidth,omitempty"`
	NumClosids    uint64 `json:"num_closids,omitempty"`
}

// MBMStats is the memory traffic of one cache domain in bytes.
type MBMStats struct {
	TotalBytes uint64 `json:"mbm_total_bytes,omitempty"`
	LocalBytes uint64 `json:"mbm_local_bytes,omitempty"`
}

// CMTStats is the use of one cache domain in bytes.
type CMTStats struct {
	LLCOccupancy uint64 `json:"llc_occupancy,omitempty"`
}

// Stats reads what the group may use and has used. What the processor does not have is left out.
func (g *Group) Stats() *Stats {
	s := &Stats{}
	root, own := read(g.tree.root+"/schemata"), read(g.Dir+"/schemata")
	info := g.tree.root + "/info/"
	if mask := read(info + "L3/cbm_mask"); mask != "" {
		s.L3CacheInfo = &L3CacheInfo{mask, number(info + "L3/min_cbm_bits"), number(info + "L3/num_closids")}
		s.L3CacheSchemaRoot, s.L3CacheSchema = lineOf(root, "L3"), lineOf(own, "L3")
	}
	if read(info+"MB/num_closids") != "" {
		s.MemBwInfo = &MemBwInfo{
			number(info + "MB/bandwidth_gran"), number(info + "MB/delay_linear"), number(info + "MB/min_bandwidth"), number(info + "MB/num_closids"),
		}
		s.MemBwSchemaRoot, s.MemBwSchema = lineOf(root, "MB"), lineOf(own, "MB")
	}
	for l := range strings.SplitSeq(own, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			s.Schemata = append(s.Schemata, l)
		}
	}
	g.monitored(s)
	return s
}

// monitored adds what was counted, one entry for each cache domain.
func (g *Group) monitored(s *Stats) {
	data := g.Dir + "/mon_data"
	if g.Mon != "" {
		data = g.Mon + "/mon_data"
	}
	features := read(g.tree.root + "/info/L3_MON/mon_features")
	domains, _ := os.ReadDir(data) // sorted; none where nothing is counted
	for _, d := range domains {
		dir := data + "/" + d.Name()
		if !strings.HasPrefix(d.Name(), "mon_L3_") {
			continue
		}
		if strings.Contains(features, "mbm_") {
			s.MBMStats = append(s.MBMStats, MBMStats{number(dir + "/mbm_total_bytes"), number(dir + "/mbm_local_bytes")})
		}
		if strings.Contains(features, "llc_occupancy") {
			s.CMTStats = append(s.CMTStats, CMTStats{number(dir + "/llc_occupancy")})
		}
	}
}

// number is 0 for a missing file, and for the "Unavailable" of a counter that is not ready.
func number(file string) uint64 {
	n, _ := strconv.ParseUint(read(file), 10, 64)
	return n
}

// lineOf is the line of a resource, also where its cache is split for code and data (L3CODE,
// L3DATA).
func lineOf(schemata, resource string) string {
	for l := range strings.SplitSeq(schemata, "\n") {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, resource+":") {
			return l
		}
	}
	return ""
}
