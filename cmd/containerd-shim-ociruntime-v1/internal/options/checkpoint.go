package options

import (
	"fmt"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/runc"
)

// DecodeCheckpoint reads the options of a request to checkpoint, which may be nil. All are
// honoured; that a network namespace is left empty is always so.
func DecodeCheckpoint(a *api.Any) (*runc.CheckpointOptions, error) {
	o := &runc.CheckpointOptions{}
	switch name := a.MessageName(); name {
	case "":
		return o, nil
	case "containerd.runc.v1.CheckpointOptions":
		if err := o.UnmarshalVT(a.GetValue()); err != nil {
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
