package specconv

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/ociruntime/ociruntime/libcontainer/namespace"
	"github.com/ociruntime/ociruntime/specconv/mountopt"
	"github.com/ociruntime/ociruntime/specconv/names"
)

// Versions of the runtime specification that Features announces.
const (
	VersionMin = "1.0.0"
	VersionMax = "1.3.0"
)

// Features gives the document of the features command: what this runtime
// knows, whatever the machine it runs on. The seccomp section is its
// compiler's to say; annotations are added to those that are always there.
func Features(seccomp *features.Seccomp, annotations map[string]string) *features.Features {
	f := &features.Features{
		OCIVersionMin: VersionMin,
		OCIVersionMax: VersionMax,
		Hooks:         []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"},
		MountOptions:  mountopt.MountOptionNames(),
		Linux:         linuxFeatures(seccomp),
		Annotations: map[string]string{
			// Keys for runtimes that can stand in for runc: the version
			// that is most like this one, and whether containers can be
			// checkpointed.
			"org.opencontainers.runc.version":            "1.5.1",
			"org.opencontainers.runc.checkpoint.enabled": "true",
		},
		PotentiallyUnsafeConfigAnnotations: names.HonouredAnnotations(),
	}
	for key, value := range annotations {
		f.Annotations[key] = value
	}
	return f
}

func linuxFeatures(seccomp *features.Seccomp) *features.Linux {
	yes := func() *bool { return new(true) }
	return &features.Linux{
		Namespaces:   slices.Sorted(slices.Values(namespace.Names(^uint64(0)))),
		Capabilities: slices.Clone(names.CapabilityTable[:]),
		Cgroup:       &features.Cgroup{V1: yes(), V2: yes(), Systemd: yes(), SystemdUser: yes(), Rdma: yes()},
		Seccomp:      seccomp,
		Apparmor:     &features.Apparmor{Enabled: yes()},
		Selinux:      &features.Selinux{Enabled: yes()},
		IntelRdt:     &features.IntelRdt{Enabled: yes(), Schemata: yes(), Monitoring: yes()},
		MemoryPolicy: &features.MemoryPolicy{
			Modes: []string{
				string(specs.MpolBind), string(specs.MpolDefault), string(specs.MpolInterleave), string(specs.MpolLocal),
				string(specs.MpolPreferred), string(specs.MpolPreferredMany), string(specs.MpolWeightedInterleave),
			},
			Flags: []string{
				string(specs.MpolFNumaBalancing), string(specs.MpolFRelativeNodes), string(specs.MpolFStaticNodes),
			},
		},
		MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: yes()}},
		NetDevices:      &features.NetDevices{Enabled: yes()},
	}
}
