// Package wire is as much of protobuf's encoding as containerd's messages need (protobuf.dev,
// "Encoding"). A message is a structure whose fields have their numbers as tags:
//
//	type Any struct {
//		TypeURL string `pb:"1"`
//		Value   []byte `pb:"2"`
//	}
//
// Fields are strings, byte slices, bool, numbers, pointers to messages, and slices of strings,
// numbers and pointers to messages. An array of numbers is as many fields, of which the first one
// has the number of the tag.
//
// The code that protoc generates, and what it needs, would be a quarter of the shim's file, a
// quarter of each pod's memory, and a millisecond of each container. Tests hold every message
// against it.
package wire

import (
	"errors"
	"reflect"
	"strconv"
)

// ErrMalformed is what bytes are that are no message.
var ErrMalformed = errors.New("not a message of protobuf")

// kind is the way in which a value is written, the lower bits of its key.
type kind uint8

const (
	varint kind = iota
	fixed64
	counted
	_ // groups, which nobody sends
	_
	fixed32
)

const (
	kindBits    = 3
	size32      = 4
	size64      = 8
	replacement = "\uFFFD"
)

// number is that of a field.
func number(f *reflect.StructField) uint64 {
	n, err := strconv.ParseUint(f.Tag.Get("pb"), 10, 32)
	if err != nil {
		panic("wire: " + f.Name + ": " + err.Error())
	}
	return n
}
