package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// environment is what the default root depends on.
type environment struct {
	euid       int
	runtimeDir string // $XDG_RUNTIME_DIR; empty counts as unset, as podman passes it to root
	user       string // $USER
	// inUserNS says whether this is a user namespace other than the first.
	inUserNS func() bool
}

// defaultRoot is the directory for containers when --root does not say: /run/ociruntime, or
// ociruntime in the user's own runtime directory, and whether it is the latter. Root uses the
// former, except in a user namespace that an unprivileged user has made: there root may not write
// to /run. $USER tells such a namespace from a login as root in a container.
func defaultRoot(env environment) (dir string, users bool) {
	if env.runtimeDir != "" && (env.euid != 0 || env.user != "root" && env.inUserNS()) {
		return filepath.Join(env.runtimeDir, name), true
	}
	return "/run/" + name, false
}

// givenRoot makes the argument of --root absolute.
func givenRoot(arg string) (string, error) {
	if arg == "" {
		return "", errors.New("the path is empty")
	}
	dir, err := filepath.Abs(arg)
	if err != nil {
		return "", err
	}
	if dir == "/" {
		return "", errors.New("containers need a directory of their own")
	}
	return dir, nil
}

// makeUsersRoot makes the root in the user's runtime directory, with the sticky bit: it keeps the
// clean-up of old files in there from removing containers (XDG base directory specification).
func makeUsersRoot(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Chmod(dir, 0o700|os.ModeSticky)
	}
	if err != nil {
		return fmt.Errorf("make the directory for containers in $XDG_RUNTIME_DIR: %w", err)
	}
	return nil
}
