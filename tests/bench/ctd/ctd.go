// Package ctd is a containerd of the benchmark's own, and as much of a client as it needs: the
// calls behind `ctr run` and `docker exec`, without the start of a program for each.
package ctd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	containers "github.com/containerd/containerd/api/services/containers/v1"
	tasks "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	namespace = "default"
	// callTime is far more than any call takes on a busy machine.
	callTime  = time.Minute
	startTime = 30 * time.Second
	// The types of JSON documents in messages.
	specType    = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
	processType = "types.containerd.io/opencontainers/runtime-spec/1/Process"
)

// Daemon is a running containerd.
type Daemon struct {
	Group *Group // of containerd, its shims, and what they start; containers are elsewhere

	cmd        *exec.Cmd
	conn       *grpc.ClientConn
	containers containers.ContainersClient
	tasks      tasks.TasksClient
}

// Start starts the containerd that is installed, with all its files in a directory. Shims are
// looked for in PATH.
func Start(dir, path string) (*Daemon, error) {
	group, err := newGroup(filepath.Base(dir))
	if err != nil {
		return nil, err
	}
	config, socket := filepath.Join(dir, "config.toml"), filepath.Join(dir, "sock")
	err = errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(config, []byte("version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"), 0o644))
	if err != nil {
		return nil, errors.Join(err, group.remove())
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, errors.Join(err, group.remove())
	}
	defer log.Close()
	const join = `echo $$ >"$0" && exec containerd --config "$1" --address "$2" --root "$3/root" --state "$3/state"`
	cmd := exec.Command("sh", "-c", join, group.procs(), config, socket, dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "PATH="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, group.remove())
	}
	d := &Daemon{Group: group, cmd: cmd}
	if err := d.connect(socket); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return d, nil
}

func (d *Daemon) connect(socket string) (err error) {
	d.conn, err = grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	d.containers, d.tasks = containers.NewContainersClient(d.conn), tasks.NewTasksClient(d.conn)
	ctx, cancel := context.WithTimeout(called(), startTime)
	defer cancel()
	_, err = d.tasks.List(ctx, &tasks.ListTasksRequest{}, grpc.WaitForReady(true))
	return err
}

// Stop ends containerd, and not the shims.
func (d *Daemon) Stop() error {
	var err error
	if d.conn != nil {
		err = d.conn.Close()
	}
	err = errors.Join(err, d.cmd.Process.Signal(syscall.SIGTERM))
	var exit *exec.ExitError
	if werr := d.cmd.Wait(); !errors.As(werr, &exit) {
		err = errors.Join(err, werr)
	}
	return errors.Join(err, d.Group.remove())
}

func called() context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "containerd-namespace", namespace)
}

// call makes one call within its time.
func call[Q, A any](f func(context.Context, Q, ...grpc.CallOption) (A, error), q Q) (A, error) {
	ctx, cancel := context.WithTimeout(called(), callTime)
	defer cancel()
	return f(ctx, q)
}

// Runtime is a shim by its name, with its options.
type Runtime struct {
	Name    string
	Options *anypb.Any
}

// Add makes a container known. It has no process yet.
func (d *Daemon) Add(id string, r *Runtime, spec *specs.Spec) error {
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	_, err = call(d.containers.Create, &containers.CreateContainerRequest{Container: &containers.Container{
		ID: id, Runtime: &containers.Container_Runtime{Name: r.Name, Options: r.Options}, Spec: &anypb.Any{TypeUrl: specType, Value: text},
	}})
	return err
}

// Remove forgets a container.
func (d *Daemon) Remove(id string) error {
	_, err := call(d.containers.Delete, &containers.DeleteContainerRequest{ID: id})
	return err
}

// Create makes a container's init.
func (d *Daemon) Create(id string, rootfs *types.Mount) (pid int, err error) {
	a, err := call(d.tasks.Create, &tasks.CreateTaskRequest{ContainerID: id, Rootfs: []*types.Mount{rootfs}})
	return int(a.GetPid()), err
}

// Exec announces a further process.
func (d *Daemon) Exec(id, execID string, process *specs.Process) error {
	text, err := json.Marshal(process)
	if err != nil {
		return err
	}
	_, err = call(d.tasks.Exec, &tasks.ExecProcessRequest{
		ContainerID: id, ExecID: execID, Spec: &anypb.Any{TypeUrl: processType, Value: text},
	})
	return err
}

// Start starts the init, or with an exec id a further process.
func (d *Daemon) Start(id, execID string) error {
	_, err := call(d.tasks.Start, &tasks.StartRequest{ContainerID: id, ExecID: execID})
	return err
}

// Wait waits for the end of a process that has to succeed.
func (d *Daemon) Wait(id, execID string) error {
	a, err := call(d.tasks.Wait, &tasks.WaitRequest{ContainerID: id, ExecID: execID})
	if err == nil && a.GetExitStatus() != 0 {
		err = fmt.Errorf("%s %s: exit status %d", id, execID, a.GetExitStatus())
	}
	return err
}

// Shim is the pid of a container's shim.
func (d *Daemon) Shim(id string) (pid int, err error) {
	a, err := call(d.tasks.Get, &tasks.GetRequest{ContainerID: id})
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", a.GetProcess().GetPid()))
	if err != nil {
		return 0, err
	}
	// The parent stands behind the name, which may have spaces, and the state.
	_, rest, _ := strings.Cut(string(text), ") ")
	var state string
	_, err = fmt.Sscan(rest, &state, &pid)
	return pid, err
}

// Kill ends a container's init and waits for its end.
func (d *Daemon) Kill(id string) error {
	_, err := call(d.tasks.Kill, &tasks.KillRequest{ContainerID: id, Signal: uint32(syscall.SIGKILL)})
	if err != nil {
		return err
	}
	_, err = call(d.tasks.Wait, &tasks.WaitRequest{ContainerID: id})
	return err
}

// Delete removes what is left of an ended container.
func (d *Daemon) Delete(id string) error {
	_, err := call(d.tasks.Delete, &tasks.DeleteTaskRequest{ContainerID: id})
	return err
}

// DeleteExec removes what is left of a further process.
func (d *Daemon) DeleteExec(id, execID string) error {
	_, err := call(d.tasks.DeleteProcess, &tasks.DeleteProcessRequest{ContainerID: id, ExecID: execID})
	return err
}
