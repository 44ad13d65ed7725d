package options

import (
	"fmt"

	runc "github.com/containerd/containerd/api/types/runc/options"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// DecodeCheckpoint reads the options of a request to checkpoint, which may be nil. All are
// honoured; that a network namespace is left empty is always so.
func DecodeCheckpoint(a *anypb.Any) (*runc.CheckpointOptions, error) {
	o := &runc.CheckpointOptions{}
	switch name := typeName(a); name {
	case "":
		return o, nil
	case "containerd.runc.v1.CheckpointOptions":
		if err := proto.Unmarshal(a.GetValue(), o); err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
	default:
		return nil, fmt.Errorf("options of type %s are not known", name)
	}
	for _, kind := range o.GetEmptyNamespaces() {
		if kind != "network" {
			return nil, fmt.Errorf("options: EmptyNamespaces: %q: only the network namespace can be left empty", kind)
		}
	}
	return o, nil
}
