// Package note is what a daemon leaves in a bundle for the shim's delete, should the daemon die.
package note

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// name is the file in the bundle.
const name = "ociruntime-shim.json"

// defaultRoot is where containers are recorded, in a directory for each namespace.
const defaultRoot = "/run/containerd/ociruntime"

// Root is where the containers of a namespace are recorded, if an option says where or not.
func Root(option, namespace string) string {
	if option == "" {
		option = defaultRoot
	}
	return filepath.Join(option, namespace)
}

// Note is what the shim's delete has to know when the daemon is dead.
type Note struct {
	Root          string
	SystemdCgroup bool      `json:",omitempty"`
	Pid           int       `json:",omitempty"`
	Status        uint32    `json:",omitempty"`
	ExitedAt      time.Time `json:",omitzero"`
}

// Of is the note on a container that is made with rt.
func Of(rt *libcontainer.Runtime) *Note {
	return &Note{Root: rt.Root, SystemdCgroup: rt.SystemdCgroup}
}

// Runtime is the runtime that the container was made with.
func (n *Note) Runtime(warn func(string)) *libcontainer.Runtime {
	return &libcontainer.Runtime{Root: n.Root, SystemdCgroup: n.SystemdCgroup, Warn: warn}
}

// Save puts the note into a bundle.
func (n *Note) Save(bundle string) error {
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return Replace(filepath.Join(bundle, name), data)
}

// Replace writes a file that somebody may read, or that we may be killed over, at any time.
func Replace(path string, data []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// Read reads the note of a bundle; there is none before the first create.
func Read(bundle string) (*Note, error) {
	data, err := os.ReadFile(filepath.Join(bundle, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n := &Note{}
	return n, json.Unmarshal(data, n)
}
