package service

import (
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
)

// publish gives the machine's events to containerd. It is called with the container's lock held, so
// that they are queued in the machine's order.
func (c *container) publish(r *api.CreateTaskRequest) func(task.Event) {
	send := func(topic, name string, m api.Message) {
		c.service.events.Send("/tasks/"+topic, "containerd.events."+name, m)
	}
	return func(e task.Event) {
		id := e.ExecID
		if id == "" {
			id = c.id // in an exit; elsewhere the init has none
		}
		pid := uint32(e.Pid)
		switch e.Kind {
		case task.Create:
			send("create", "TaskCreate", &api.TaskCreate{
				ContainerId: c.id, Bundle: r.Bundle, Rootfs: r.Rootfs, Checkpoint: r.Checkpoint, Pid: pid,
				Io: &api.TaskIO{Stdin: r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr, Terminal: r.Terminal},
			})
		case task.Start:
			send("start", "TaskStart", &api.TaskStart{ContainerId: c.id, Pid: pid})
		case task.Exit:
			send("exit", "TaskExit", &api.TaskExit{ContainerId: c.id, Id: id, Pid: pid, ExitStatus: e.End.Status, ExitedAt: api.Stamp(e.End.At)})
		case task.Delete:
			send("delete", "TaskDelete", &api.TaskDelete{ContainerId: c.id, Pid: pid, ExitStatus: e.End.Status, ExitedAt: api.Stamp(e.End.At)})
		case task.ExecAdded:
			send("exec-added", "TaskExecAdded", &api.TaskExecAdded{ContainerId: c.id, ExecId: e.ExecID})
		case task.ExecStarted:
			send("exec-started", "TaskExecStarted", &api.TaskExecStarted{ContainerId: c.id, ExecId: e.ExecID, Pid: pid})
		case task.Pause:
			send("paused", "TaskPaused", &api.TaskPaused{ContainerId: c.id})
		case task.Resume:
			send("resumed", "TaskResumed", &api.TaskResumed{ContainerId: c.id})
		case task.Checkpoint:
			send("checkpointed", "TaskCheckpointed", &api.TaskCheckpointed{ContainerId: c.id, Checkpoint: e.Images})
		case task.OOM:
			send("oom", "TaskOOM", &api.TaskOOM{ContainerId: c.id})
		}
	}
}
