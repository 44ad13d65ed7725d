package service

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// noteName is a file of ours in the bundle.
const noteName = "ociruntime-shim.json"

// defaultRoot is where containers are recorded, in a directory for each namespace.
const defaultRoot = "/run/containerd/ociruntime"

// note is what the shim's delete has to know when the daemon is dead.
type note struct {
	Root          string
	SystemdCgroup bool      `json:",omitempty"`
	Pid           int       `json:",omitempty"`
	Status        uint32    `json:",omitempty"`
	ExitedAt      time.Time `json:",omitzero"`
}

func (c *container) note() *note {
	return &note{Root: c.rt.Root, SystemdCgroup: c.rt.SystemdCgroup}
}

func (n *note) runtime(warn func(string)) *libcontainer.Runtime {
	return &libcontainer.Runtime{Root: n.Root, SystemdCgroup: n.SystemdCgroup, Warn: warn}
}

func (n *note) save(bundle string) error {
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return replace(filepath.Join(bundle, noteName), data)
}

// replace writes a file that somebody may read, or that we may be killed over, at any time.
func replace(path string, data []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// readNote reads the note of a bundle; there is none before the first create.
func readNote(bundle string) (*note, error) {
	data, err := os.ReadFile(filepath.Join(bundle, noteName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n := &note{}
	return n, json.Unmarshal(data, n)
}
