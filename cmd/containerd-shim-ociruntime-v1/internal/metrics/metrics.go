// Package metrics says what a container has used in the messages that containerd has for it, one
// for each version of cgroups (github.com/containerd/cgroups/v3, metrics.proto).
package metrics

import (
	"maps"
	"slices"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/wire"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// Messages that both versions have.
type (
	pids struct {
		Current uint64 `pb:"1"`
		Limit   uint64 `pb:"2"`
	}

	rdma struct {
		Current []*rdmaEntry `pb:"1"`
		Limit   []*rdmaEntry `pb:"2"`
	}

	rdmaEntry struct {
		Device  string `pb:"1"`
		Handles uint32 `pb:"2"`
		Objects uint32 `pb:"3"`
	}

	network struct {
		Name      string `pb:"1"`
		RxBytes   uint64 `pb:"2"`
		RxPackets uint64 `pb:"3"`
		RxErrors  uint64 `pb:"4"`
		RxDropped uint64 `pb:"5"`
		TxBytes   uint64 `pb:"6"`
		TxPackets uint64 `pb:"7"`
		TxErrors  uint64 `pb:"8"`
		TxDropped uint64 `pb:"9"`
	}
)

func pack(name string, m any) *api.Any {
	return &api.Any{TypeUrl: name, Value: wire.Marshal(m)}
}

// pick takes numbers in the order of their names.
func pick(to []uint64, names []string, from map[string]uint64) {
	for i, name := range names {
		to[i] = from[name]
	}
}

func networkOf(s *stats.Stats) (all []*network) {
	for _, n := range s.NetworkInterfaces {
		all = append(all, &network{
			Name: n.Name, RxBytes: n.RxBytes, RxPackets: n.RxPackets, RxErrors: n.RxErrors, RxDropped: n.RxDropped,
			TxBytes: n.TxBytes, TxPackets: n.TxPackets, TxErrors: n.TxErrors, TxDropped: n.TxDropped,
		})
	}
	return all
}

func rdmaOf(s *stats.Stats) *rdma {
	list := func(from []stats.RDMAEntry) (all []*rdmaEntry) {
		for _, e := range from {
			all = append(all, &rdmaEntry{e.Device, e.Handles, e.Objects})
		}
		return all
	}
	return &rdma{list(s.RDMA.Current), list(s.RDMA.Limit)}
}

// hugetlb makes messages of the sizes of pages.
func hugetlb[M any](s *stats.Stats, make func(size string, h stats.Hugetlb) *M) (all []*M) {
	for _, size := range slices.Sorted(maps.Keys(s.Hugetlb)) {
		all = append(all, make(size, s.Hugetlb[size]))
	}
	return all
}
