package sandbox

import (
	"encoding/json"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/pod"
)

// Files that the containers of a pod have in common, in the sandbox's bundle. Without a shim that
// keeps pods, containerd makes them.
const (
	fileHostname = "hostname"
	fileHosts    = "hosts"
	fileResolv   = "resolv.conf"
	dirShm       = "shm"
)

// Where they are in a container, and on the host, which those in /etc are copied from.
const (
	etc    = "/etc/"
	devShm = "/dev/shm"
)

// resolvConf is the resolver's configuration, "" for that of the host.
func resolvConf(dns *pod.DNSConfig) string {
	if dns == nil {
		return ""
	}
	var b strings.Builder
	if list := dns.GetSearches(); len(list) > 0 {
		b.WriteString("search " + strings.Join(list, " ") + "\n")
	}
	for _, server := range dns.GetServers() {
		b.WriteString("nameserver " + server + "\n")
	}
	if list := dns.GetOptions(); len(list) > 0 {
		b.WriteString("options " + strings.Join(list, " ") + "\n")
	}
	return b.String()
}

// document is what of a container's config.json says how a pod's files get into it.
type document struct {
	Annotations map[string]string
	Root        struct{ Readonly bool }
	Mounts      []specs.Mount
	Linux       struct {
		UIDMappings, GIDMappings []specs.LinuxIDMapping
	}
}

// addFiles puts a pod's files, those of dir in names, into the configuration of one of its
// containers. What is not needed for that stays as it is.
func addFiles(config []byte, dir string, names []string) ([]byte, error) {
	var doc document
	var members map[string]json.RawMessage
	var mounts []json.RawMessage
	if err := json.Unmarshal(config, &doc); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(config, &members); err != nil {
		return nil, err
	}
	if text, ok := members["mounts"]; ok {
		if err := json.Unmarshal(text, &mounts); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		m, place := mountOf(&doc, dir, name)
		if place < 0 {
			continue
		}
		text, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		if place < len(mounts) {
			mounts[place] = text
		} else {
			mounts = append(mounts, text)
		}
	}
	var err error
	if members["mounts"], err = json.Marshal(mounts); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// mountOf is the mount for one of a pod's files, and its place among the container's mounts: -1 if
// the container has something of its own there, behind the last one if it has nothing. What
// containerd mounts on /dev/shm of every container, a file system of its own, is replaced.
func mountOf(doc *document, dir, name string) (m specs.Mount, place int) {
	m = specs.Mount{Destination: etc + name, Type: "bind", Source: path.Join(dir, name), Options: []string{"rbind", "rprivate"}}
	if name == dirShm {
		m.Destination = devShm
	} else {
		access := "rw"
		if doc.Root.Readonly {
			access = "ro"
		}
		m.Options = append(m.Options, access)
		m.UIDMappings, m.GIDMappings = doc.Linux.UIDMappings, doc.Linux.GIDMappings
	}
	place = len(doc.Mounts)
	for i, old := range doc.Mounts {
		if path.Clean(old.Destination) != m.Destination {
			continue
		}
		if name != dirShm || old.Type != "tmpfs" || old.Source != "shm" {
			return m, -1
		}
		place = i
	}
	if place == len(doc.Mounts) {
		doc.Mounts = append(doc.Mounts, m)
	}
	return m, place
}
