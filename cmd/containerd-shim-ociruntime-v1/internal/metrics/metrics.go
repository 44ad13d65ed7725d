// Package metrics says what a container has used in the messages that containerd has for it, one
// for each version of cgroups.
package metrics

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/libcontainer/cgroups/stats"
)

// Pack is the message for the version of cgroups that this host has.
func Pack(s *stats.Stats) (*api.Any, error) {
	var m proto.Message
	var st unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &st); err == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
		m = V2(s)
	} else {
		m = V1(s)
	}
	value, err := proto.Marshal(m)
	return &api.Any{TypeUrl: string(m.ProtoReflect().Descriptor().FullName()), Value: value}, err
}

// The messages of both versions share field names, but no types. What is alike in them is filled in
// by those names.

// fill sets the fields of a message that are called like a line of the kernel's, or, if they stand
// in names, what that says.
func fill(m protoreflect.Message, lines map[string]uint64, names map[string]string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := string(f.Name())
		if line, ok := names[name]; ok {
			name = line
		}
		n, ok := lines[name]
		switch {
		case !ok:
		case f.Kind() == protoreflect.Uint64Kind:
			m.Set(f, protoreflect.ValueOfUint64(n))
		case f.Kind() == protoreflect.Uint32Kind:
			m.Set(f, protoreflect.ValueOfUint32(uint32(n)))
		}
	}
}

// filled is a message with a name and numbers.
func filled[M proto.Message](make func(string) M, name string, numbers map[string]uint64) M {
	m := make(name)
	fill(m.ProtoReflect(), numbers, nil)
	return m
}

func network[M proto.Message](s *stats.Stats, make func(name string) M) (all []M) {
	for _, n := range s.NetworkInterfaces {
		all = append(all, filled(make, n.Name, map[string]uint64{
			"rx_bytes": n.RxBytes, "rx_packets": n.RxPackets, "rx_errors": n.RxErrors, "rx_dropped": n.RxDropped,
			"tx_bytes": n.TxBytes, "tx_packets": n.TxPackets, "tx_errors": n.TxErrors, "tx_dropped": n.TxDropped,
		}))
	}
	return all
}

// hugetlb has what is in use under the names of both versions.
func hugetlb[M proto.Message](s *stats.Stats, make func(size string) M) (all []M) {
	for _, size := range slices.Sorted(maps.Keys(s.Hugetlb)) {
		h := s.Hugetlb[size]
		all = append(all, filled(make, size, map[string]uint64{"usage": h.Usage, "current": h.Usage, "max": h.Max, "failcnt": h.Failcnt}))
	}
	return all
}

func rdma[M proto.Message](list []stats.RDMAEntry, make func(device string) M) (all []M) {
	for _, e := range list {
		all = append(all, filled(make, e.Device, map[string]uint64{"hca_handles": uint64(e.Handles), "hca_objects": uint64(e.Objects)}))
	}
	return all
}
