package criu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// LSM is the kind of security module that the labels in images are of: criu's enum lsmtype.
type LSM uint64

// What criu knows of. It is built with or without SELinux, and looks for AppArmor below
// /sys/kernel/security.
const (
	NoLSM LSM = iota
	SELinux
	AppArmor
)

// Labels says of which security module the images in a directory have the processes' labels.
func Labels(images string) (LSM, error) {
	data, err := os.ReadFile(filepath.Join(images, "inventory.img"))
	if err != nil {
		return NoLSM, err
	}
	kind, err := labels(data)
	if err != nil {
		return NoLSM, fmt.Errorf("read %s: %w", filepath.Join(images, "inventory.img"), err)
	}
	return kind, nil
}

// labels looks for the field lsmtype in an inventory_entry, in front of which stand a magic number
// and the size. There are numbers and messages in it, and nothing else.
func labels(image []byte) (LSM, error) {
	const header, lsmtype = 8, 6
	if len(image) < header {
		return NoLSM, errShort
	}
	for rest := image[header:]; len(rest) > 0; {
		key, n := binary.Uvarint(rest)
		value, m := binary.Uvarint(rest[max(n, 0):])
		if n <= 0 || m <= 0 {
			return NoLSM, errShort
		}
		rest = rest[n+m:]
		switch kind := key & 7; {
		case kind == 2 && value <= uint64(len(rest)):
			rest = rest[value:]
		case kind != 0:
			return NoLSM, errShort
		case key>>3 == lsmtype:
			return LSM(value), nil
		}
	}
	return NoLSM, nil
}

var errShort = errors.New("it is not as criu writes it")
