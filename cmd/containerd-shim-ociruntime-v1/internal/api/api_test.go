package api

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/containerd/containerd/api/events"
	bootstrap "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	tasks "github.com/containerd/containerd/api/runtime/task/v2"
	forward "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/containerd/api/types/task"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/wire"
)

// pair is a message of ours and containerd's own.
type pair struct {
	ours   any
	theirs proto.Message
	// left are fields that we have no use for.
	left []string
}

func pairs() []pair {
	return []pair{
		{&CreateTaskRequest{}, &tasks.CreateTaskRequest{}, nil},
		{&CreateTaskResponse{}, &tasks.CreateTaskResponse{}, nil},
		{&DeleteRequest{}, &tasks.DeleteRequest{}, nil},
		{&DeleteResponse{}, &tasks.DeleteResponse{}, nil},
		{&ExecProcessRequest{}, &tasks.ExecProcessRequest{}, nil},
		{&ResizePtyRequest{}, &tasks.ResizePtyRequest{}, nil},
		{&StateRequest{}, &tasks.StateRequest{}, nil},
		{&StateResponse{}, &tasks.StateResponse{}, nil},
		{&KillRequest{}, &tasks.KillRequest{}, nil},
		{&CloseIORequest{}, &tasks.CloseIORequest{}, nil},
		{&PidsRequest{}, &tasks.PidsRequest{}, nil},
		{&PidsResponse{}, &tasks.PidsResponse{}, nil},
		{&CheckpointTaskRequest{}, &tasks.CheckpointTaskRequest{}, nil},
		{&UpdateTaskRequest{}, &tasks.UpdateTaskRequest{}, []string{"annotations"}},
		{&StartRequest{}, &tasks.StartRequest{}, nil},
		{&StartResponse{}, &tasks.StartResponse{}, nil},
		{&WaitRequest{}, &tasks.WaitRequest{}, nil},
		{&WaitResponse{}, &tasks.WaitResponse{}, nil},
		{&StatsRequest{}, &tasks.StatsRequest{}, nil},
		{&StatsResponse{}, &tasks.StatsResponse{}, nil},
		{&ConnectRequest{}, &tasks.ConnectRequest{}, nil},
		{&ConnectResponse{}, &tasks.ConnectResponse{}, nil},
		{&ShutdownRequest{}, &tasks.ShutdownRequest{}, nil},
		{&PauseRequest{}, &tasks.PauseRequest{}, nil},
		{&ResumeRequest{}, &tasks.ResumeRequest{}, nil},
		{&Empty{}, &emptypb.Empty{}, nil},
		{&TaskCreate{}, &events.TaskCreate{}, nil},
		{&TaskStart{}, &events.TaskStart{}, nil},
		{&TaskDelete{}, &events.TaskDelete{}, nil},
		{&TaskExit{}, &events.TaskExit{}, nil},
		{&TaskOOM{}, &events.TaskOOM{}, nil},
		{&TaskExecAdded{}, &events.TaskExecAdded{}, nil},
		{&TaskExecStarted{}, &events.TaskExecStarted{}, nil},
		{&TaskPaused{}, &events.TaskPaused{}, nil},
		{&TaskResumed{}, &events.TaskResumed{}, nil},
		{&TaskCheckpointed{}, &events.TaskCheckpointed{}, nil},
		{&ForwardRequest{}, &forward.ForwardRequest{}, nil},
		{&Any{}, &anypb.Any{}, nil},
		{&Timestamp{}, &timestamppb.Timestamp{}, nil},
		{&Mount{}, &types.Mount{}, nil},
		{&ProcessInfo{}, &task.ProcessInfo{}, nil},
		{&ProcessDetails{}, &options.ProcessDetails{}, nil},
		{&BootstrapParams{}, &bootstrap.BootstrapParams{}, []string{"log_level", "containerd_version", "containerd_grpc_address", "containerd_binary"}},
		{&BootstrapResult{}, &bootstrap.BootstrapResult{}, []string{"capabilities", "metadata", "extensions"}},
		{&RuncOptions{}, &options.Options{}, []string{"task_api_address", "task_api_version"}},
		{&CheckpointOptions{}, &options.CheckpointOptions{}, nil},
		{&RuntimeOptions{}, &runtimeoptions.Options{}, nil},
		{&RuntimeInfo{}, &types.RuntimeInfo{}, []string{"annotations"}},
	}
}

// fill gives every field of a message a value of its own.
func fill(m protoreflect.Message, left []string, next *int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		*next++
		skip := false
		for _, name := range left {
			skip = skip || name == string(f.Name())
		}
		switch {
		case skip:
		case f.IsList():
			list := m.Mutable(f).List()
			for range 2 {
				list.Append(valueOf(f, list.NewElement, next))
			}
		default:
			m.Set(f, valueOf(f, func() protoreflect.Value { return m.NewField(f) }, next))
		}
	}
}

func valueOf(f protoreflect.FieldDescriptor, empty func() protoreflect.Value, next *int) protoreflect.Value {
	*next++
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprint("ä", *next))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(fmt.Append(nil, *next))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(*next) << 20)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(-int32(*next))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-int64(*next) << 40)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(3)
	case protoreflect.MessageKind:
		v := empty()
		fill(v.Message(), nil, next)
		return v
	default:
		panic(f.Kind().String())
	}
}

// What containerd's own packages write is read, field by field of the same name, and written so
// that they read the same.
func TestMessagesAreContainerds(t *testing.T) {
	for _, p := range pairs() {
		name := p.theirs.ProtoReflect().Descriptor().FullName()
		n := 0
		fill(p.theirs.ProtoReflect(), p.left, &n)
		data, err := proto.Marshal(p.theirs)
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.Unmarshal(data, p.ours); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, string(name), reflect.ValueOf(p.ours).Elem(), reflect.ValueOf(p.theirs).Elem())
		back := p.theirs.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(wire.Marshal(p.ours), back); err != nil || !proto.Equal(back, p.theirs) {
			t.Errorf("%s: %v, not %v; %v", name, back, p.theirs, err)
		}
	}
}

// same compares structures by the names of their fields.
func same(t *testing.T, where string, ours, theirs reflect.Value) {
	t.Helper()
	for i := range ours.NumField() {
		name := ours.Type().Field(i).Name
		a, b := ours.Field(i), theirs.FieldByName(name)
		if !b.IsValid() {
			t.Errorf("%s has no %s", where, name)
			continue
		}
		if b.Kind() == reflect.Pointer && a.Kind() != reflect.Pointer {
			b = b.Elem() // an optional one
		}
		compare(t, where+"."+name, a, b)
	}
}

func compare(t *testing.T, where string, a, b reflect.Value) {
	t.Helper()
	switch {
	case a.Kind() == reflect.Pointer:
		same(t, where, a.Elem(), b.Elem())
	case a.Kind() == reflect.Slice && a.Type().Elem().Kind() == reflect.Pointer:
		if a.Len() != b.Len() {
			t.Errorf("%s: %d, not %d", where, a.Len(), b.Len())
			return
		}
		for i := range a.Len() {
			same(t, where, a.Index(i).Elem(), b.Index(i).Elem())
		}
	default:
		if got, want := fmt.Sprintf("%#v", a.Interface()), fmt.Sprintf("%#v", b.Interface()); got != want && fmt.Sprintf("%d", a.Interface()) != fmt.Sprintf("%d", b.Interface()) {
			t.Errorf("%s: %s, not %s", where, got, want)
		}
	}
}

// Whatever bytes come, there is a message or an error, and what containerd's own packages can read,
// we can.
func FuzzUnmarshal(f *testing.F) {
	for _, p := range pairs() {
		n := 0
		fill(p.theirs.ProtoReflect(), p.left, &n)
		data, err := proto.Marshal(p.theirs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range pairs() {
			theirs := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, p.theirs)
			ours := wire.Unmarshal(data, p.ours)
			if theirs != nil || ours != nil {
				continue // they know groups, and mind bytes that are no UTF-8
			}
			back := p.theirs.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(wire.Marshal(p.ours), back); err != nil {
				t.Fatalf("%T: %v", p.ours, err)
			}
			for _, name := range p.left {
				p.theirs.ProtoReflect().Clear(p.theirs.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(name)))
			}
			if !proto.Equal(back, p.theirs) {
				t.Fatalf("%T: %v, not %v", p.ours, back, p.theirs)
			}
		}
	})
}

func TestPack(t *testing.T) {
	a := Pack("containerd.events.", &TaskOOM{ContainerID: "c"})
	if a.TypeUrl != "containerd.events.TaskOOM" || a.Name() != a.TypeUrl || string(a.Content()) != "\x0a\x01c" {
		t.Errorf("%+v", a)
	}
	if a := (&Any{TypeUrl: "example.com/a.B"}); a.Name() != "a.B" {
		t.Errorf("%q", a.Name())
	}
	if a := (*Any)(nil); a.Name() != "" || a.Content() != nil {
		t.Errorf("%q of nothing", a.Name())
	}
}

func TestStamp(t *testing.T) {
	for _, c := range []time.Time{{}, time.Unix(1, 2)} {
		s, want := Stamp(c), timestamppb.New(c)
		if s.Seconds != want.Seconds || s.Nanos != want.Nanos {
			t.Errorf("%v: %v, not %v", c, s, want)
		}
	}
}
