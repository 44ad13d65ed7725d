package criu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	protobuf_go_lite "github.com/aperturerobotics/protobuf-go-lite"
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
// and the size.
func labels(image []byte) (LSM, error) {
	const header, lsmtype = 8, 6 << 3 // the number of the field, of the type varint
	if len(image) < header {
		return NoLSM, errShort
	}
	for rest := image[header:]; len(rest) > 0; {
		n, err := protobuf_go_lite.Skip(rest)
		if err != nil {
			return NoLSM, err
		}
		if n > len(rest) {
			return NoLSM, errShort
		}
		if key, m := protobuf_go_lite.ConsumeVarint(rest); key == lsmtype {
			value, _ := protobuf_go_lite.ConsumeVarint(rest[m:])
			return LSM(value), nil
		}
		rest = rest[n:]
	}
	return NoLSM, nil
}

var errShort = errors.New("it is not as criu writes it")
