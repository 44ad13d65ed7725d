package service

import (
	"time"

	api "github.com/containerd/containerd/api/events"
	tasks "github.com/containerd/containerd/api/runtime/task/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
)

// publish gives the machine's events to containerd. It is called with the container's lock held, so
// that they are queued in the machine's order.
func (c *container) publish(r *tasks.CreateTaskRequest) func(task.Event) {
	send := func(topic string, m proto.Message) { c.service.events.Send("/tasks/"+topic, m) }
	return func(e task.Event) {
		id := e.ExecID
		if id == "" {
			id = c.id // in an exit; elsewhere the init has none
		}
		pid := uint32(e.Pid)
		switch e.Kind {
		case task.Create:
			send("create", &api.TaskCreate{
				ContainerID: c.id, Bundle: r.Bundle, Rootfs: r.Rootfs, Checkpoint: r.Checkpoint, Pid: pid,
				IO: &api.TaskIO{Stdin: r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr, Terminal: r.Terminal},
			})
		case task.Start:
			send("start", &api.TaskStart{ContainerID: c.id, Pid: pid})
		case task.Exit:
			send("exit", &api.TaskExit{ContainerID: c.id, ID: id, Pid: pid, ExitStatus: e.End.Status, ExitedAt: stamp(e.End.At)})
		case task.Delete:
			send("delete", &api.TaskDelete{ContainerID: c.id, Pid: pid, ExitStatus: e.End.Status, ExitedAt: stamp(e.End.At)})
		case task.ExecAdded:
			send("exec-added", &api.TaskExecAdded{ContainerID: c.id, ExecID: e.ExecID})
		case task.ExecStarted:
			send("exec-started", &api.TaskExecStarted{ContainerID: c.id, ExecID: e.ExecID, Pid: pid})
		case task.Pause:
			send("paused", &api.TaskPaused{ContainerID: c.id})
		case task.Resume:
			send("resumed", &api.TaskResumed{ContainerID: c.id})
		case task.Checkpoint:
			send("checkpointed", &api.TaskCheckpointed{ContainerID: c.id, Checkpoint: e.Images})
		case task.OOM:
			send("oom", &api.TaskOOM{ContainerID: c.id})
		}
	}
}

// stamp is a time for containerd; the zero time is the year 1, as Go has it.
func stamp(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }
