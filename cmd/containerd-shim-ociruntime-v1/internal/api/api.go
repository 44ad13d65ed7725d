// Package api has containerd's messages as far as the shim needs them: names and numbers of fields
// are those of containerd's .proto files, which a test looks at.
package api

import (
	"reflect"
	"strings"
	"time"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/wire"
)

// Any is a message of a type that is named.
type Any struct {
	TypeUrl string `pb:"1"`
	Value   []byte `pb:"2"`
}

// Name is the name of the type, without a host in front; "" for no message.
func (a *Any) Name() string {
	if a == nil {
		return ""
	}
	return a.TypeUrl[strings.LastIndexByte(a.TypeUrl, '/')+1:]
}

// Content is the message as it was sent, which may be empty; nil for no message.
func (a *Any) Content() []byte {
	if a == nil {
		return nil
	}
	return a.Value
}

// Pack puts a message of a package of protobuf's into an Any as containerd does, without a host in
// front of its name.
func Pack(pkg string, m any) *Any {
	return &Any{TypeUrl: pkg + reflect.TypeOf(m).Elem().Name(), Value: wire.Marshal(m)}
}

// Timestamp is a time.
type Timestamp struct {
	Seconds int64 `pb:"1"`
	Nanos   int32 `pb:"2"`
}

// Stamp is a time for containerd. The zero time is the year 1, as Go has it.
func Stamp(t time.Time) *Timestamp {
	return &Timestamp{Seconds: t.Unix(), Nanos: int32(t.Nanosecond())}
}

// Mount is one of the mounts of a root file system.
type Mount struct {
	Type    string   `pb:"1"`
	Source  string   `pb:"2"`
	Target  string   `pb:"3"`
	Options []string `pb:"4"`
}

// ProcessInfo is a process of a container. Info is a ProcessDetails, if it was executed.
type ProcessInfo struct {
	Pid  uint32 `pb:"1"`
	Info *Any   `pb:"2"`
}

// ProcessDetails has the id of a process that was executed.
type ProcessDetails struct {
	ExecID string `pb:"1"`
}
