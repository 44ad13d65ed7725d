package api_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	_ "github.com/containerd/containerd/api/events"
	_ "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	_ "github.com/containerd/containerd/api/runtime/sandbox/v1"
	_ "github.com/containerd/containerd/api/runtime/task/v2"
	_ "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	_ "github.com/containerd/containerd/api/types"
	_ "github.com/containerd/containerd/api/types/runc/options"
	_ "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	_ "github.com/containerd/containerd/api/types/task"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/cri"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/runc"
)

// messages are those in use, by the protobuf packages in which they are.
var messages = map[protoreflect.FullName][]api.Message{
	"containerd.task.v2": {
		&api.CreateTaskRequest{}, &api.CreateTaskResponse{}, &api.DeleteRequest{}, &api.DeleteResponse{}, &api.ExecProcessRequest{},
		&api.ResizePtyRequest{}, &api.StateRequest{}, &api.StateResponse{}, &api.KillRequest{}, &api.CloseIORequest{}, &api.PidsRequest{},
		&api.PidsResponse{}, &api.CheckpointTaskRequest{}, &api.UpdateTaskRequest{}, &api.StartRequest{}, &api.StartResponse{},
		&api.WaitRequest{}, &api.WaitResponse{}, &api.StatsRequest{}, &api.StatsResponse{}, &api.ConnectRequest{}, &api.ConnectResponse{},
		&api.ShutdownRequest{}, &api.PauseRequest{}, &api.ResumeRequest{},
	},
	"containerd.events": {
		&api.TaskCreate{}, &api.TaskStart{}, &api.TaskDelete{}, &api.TaskExit{}, &api.TaskOOM{}, &api.TaskExecAdded{},
		&api.TaskExecStarted{}, &api.TaskPaused{}, &api.TaskResumed{}, &api.TaskCheckpointed{},
	},
	"containerd.runtime.sandbox.v1": {
		&api.CreateSandboxRequest{}, &api.CreateSandboxResponse{}, &api.StartSandboxRequest{}, &api.StartSandboxResponse{},
		&api.PlatformRequest{}, &api.PlatformResponse{}, &api.StopSandboxRequest{}, &api.StopSandboxResponse{}, &api.WaitSandboxRequest{},
		&api.WaitSandboxResponse{}, &api.SandboxStatusRequest{}, &api.SandboxStatusResponse{}, &api.PingRequest{}, &api.PingResponse{},
		&api.ShutdownSandboxRequest{}, &api.ShutdownSandboxResponse{}, &api.SandboxMetricsRequest{}, &api.SandboxMetricsResponse{},
	},
	"containerd.services.events.ttrpc.v1": {&api.ForwardRequest{}},
	"containerd.runtime.bootstrap.v1":     {&api.BootstrapParams{}, &api.BootstrapResult{}},
	"containerd.types":                    {&api.Mount{}, &api.Envelope{}, &api.RuntimeInfo{}},
	"containerd.v1.types":                 {&api.ProcessInfo{}},
	"containerd.runc.v1":                  {&runc.Options{}, &runc.CheckpointOptions{}, &runc.ProcessDetails{}},
	"runtimeoptions.v1":                   {&cri.Options{}},
	"google.protobuf":                     {&api.Any{}, &api.Timestamp{}, &api.Empty{}},
}

// eachPair gives each message, and containerd's own of that name with something in all its fields.
func eachPair(t testing.TB, do func(ours api.Message, theirs proto.Message)) {
	t.Helper()
	for name, list := range messages {
		for _, ours := range list {
			name := name.Append(protoreflect.Name(reflect.TypeOf(ours).Elem().Name()))
			kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
			if err != nil {
				t.Fatal(name, err)
			}
			theirs, n := kind.New(), 0
			fill(theirs, &n)
			do(ours, theirs.Interface())
		}
	}
}

// fill gives every field of a message a value of its own.
func fill(m protoreflect.Message, next *int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		*next++
		switch {
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString(fmt.Sprint(*next)).MapKey(), valueOf(f.MapValue(), nil, next))
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
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(*next) << 40)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(-int32(*next))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-int64(*next) << 40)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(3)
	case protoreflect.MessageKind:
		v := empty()
		fill(v.Message(), next)
		return v
	default:
		panic(f.Kind().String())
	}
}

// What containerd's own types write is read, with no field that we do not know, and written so that
// they read the same: this fails when go.mod has a containerd whose messages were not generated.
func TestMessagesAreContainerds(t *testing.T) {
	eachPair(t, func(ours api.Message, theirs proto.Message) {
		data, err := proto.Marshal(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if err := ours.UnmarshalVT(data); err != nil {
			t.Errorf("%T: %v", ours, err)
			return
		}
		if unknown := reflect.ValueOf(ours).Elem().FieldByName("unknownFields"); !unknown.IsValid() || unknown.Len() > 0 {
			t.Errorf("%T lacks fields of containerd's: run go generate", ours)
		}
		data, err = ours.MarshalVT()
		back := theirs.ProtoReflect().New().Interface()
		if err != nil || proto.Unmarshal(data, back) != nil || !proto.Equal(back, theirs) {
			t.Errorf("%T: %v, not %v; %v", ours, back, theirs, err)
		}
	})
}

// Whatever bytes come, there is a message or an error.
func FuzzUnmarshal(f *testing.F) {
	eachPair(f, func(_ api.Message, theirs proto.Message) {
		data, err := proto.Marshal(theirs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		eachPair(t, func(ours api.Message, theirs proto.Message) {
			m := reflect.New(reflect.TypeOf(ours).Elem()).Interface().(api.Message)
			if m.UnmarshalVT(data) != nil || proto.Unmarshal(data, theirs) != nil {
				return // they mind bytes that are no UTF-8
			}
			back := theirs.ProtoReflect().New().Interface()
			if again, err := m.MarshalVT(); err != nil || proto.Unmarshal(again, back) != nil || !proto.Equal(back, theirs) {
				t.Fatalf("%T: %v, not %v; %v", m, back, theirs, err)
			}
		})
	})
}

func TestPack(t *testing.T) {
	a, err := api.Pack("containerd.events.TaskOOM", &api.TaskOOM{ContainerId: "c"})
	if err != nil || a.MessageName() != "containerd.events.TaskOOM" || string(a.Value) != "\x0a\x01c" {
		t.Errorf("%+v, %v", a, err)
	}
	if a := (&api.Any{TypeUrl: "example.com/a.B"}); a.MessageName() != "a.B" {
		t.Errorf("%q", a.MessageName())
	}
	if a := (*api.Any)(nil); a.MessageName() != "" {
		t.Errorf("%q of nothing", a.MessageName())
	}
}

func TestStamp(t *testing.T) {
	for _, c := range []time.Time{{}, time.Unix(1, 2)} {
		s, want := api.Stamp(c), timestamppb.New(c)
		if s.Seconds != want.Seconds || s.Nanos != want.Nanos {
			t.Errorf("%v: %v, not %v", c, s, want)
		}
	}
}
