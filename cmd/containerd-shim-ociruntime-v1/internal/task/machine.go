// Package task is what a task of containerd's can go through: which calls are allowed when, and
// which events follow in which order. It asks no kernel; the service tells it what has happened.
package task

import (
	"maps"
	"slices"
)

// Status of a process, in the numbers of containerd's API.
type Status uint8

const (
	Created Status = iota + 1
	Running
	Stopped
	Paused
	Pausing
)

// FailedExec is the exit status of a process that could not be started.
const FailedExec = 255

// process is the container's init or a further process.
type process struct {
	id        string // empty for the init
	pid       int
	status    Status
	starting  bool // a call of Start is under way
	deleting  bool // the same of Delete
	dumping   bool // the same of Checkpoint
	ended     bool // and this is how, whether or not it is told yet
	end       End
	published bool
	over      chan struct{} // closed with published
}

// Machine is one task: a container with its processes. The caller excludes concurrent calls, and
// emit is called before a method returns.
//
// The order of events is what makes it necessary. A process can end before its start has been
// answered for, and the init's exit is the last of its container: containerd forgets the container
// with it, and exits that come later.
type Machine struct {
	emit  func(Event)
	init  *process
	execs map[string]*process
}

// New is the task of a container that has just been created, or of one that its start will restore:
// that has no pid yet.
func New(pid int, emit func(Event)) *Machine {
	m := &Machine{emit: emit, init: newProcess(""), execs: make(map[string]*process)}
	m.init.pid = pid
	emit(Event{Kind: Create, Pid: pid})
	return m
}

func newProcess(id string) *process {
	return &process{id: id, status: Created, over: make(chan struct{})}
}

// find gives the process of a call; an empty id is the init's.
func (m *Machine) find(id string) (*process, error) {
	if id == "" {
		return m.init, nil
	}
	if p := m.execs[id]; p != nil {
		return p, nil
	}
	return nil, refuse(NotFound, "process "+id+" does not exist")
}

// View is what State answers.
type View struct {
	Pid    int
	Status Status
	End    End // once it is Stopped
}

// State is how a process is.
func (m *Machine) State(id string) (View, error) {
	p, err := m.find(id)
	if err != nil {
		return View{}, err
	}
	return View{p.pid, p.status, p.end}, nil
}

// Over gives a channel that is closed when the exit of a process has been told.
func (m *Machine) Over(id string) (<-chan struct{}, error) {
	p, err := m.find(id)
	if err != nil {
		return nil, err
	}
	return p.over, nil
}

// Execs are the ids of the further processes, in order.
func (m *Machine) Execs() []string { return slices.Sorted(maps.Keys(m.execs)) }

// AddExec announces a further process.
func (m *Machine) AddExec(id string) error {
	switch {
	case id == "":
		return refuse(InvalidArgument, "the process has no id")
	case m.execs[id] != nil:
		return refuse(AlreadyExists, "process "+id+" exists already")
	case m.init.ended:
		return refuse(FailedPrecondition, "cannot exec in a stopped container")
	}
	m.execs[id] = newProcess(id)
	m.emit(Event{Kind: ExecAdded, ExecID: id})
	return nil
}

// Start says whether a process may be started; Started has to follow.
func (m *Machine) Start(id string) error {
	p, err := m.find(id)
	if err != nil {
		return err
	}
	switch {
	case p.starting:
		return refuse(FailedPrecondition, "the process is being started already")
	case p.ended || p.status == Stopped:
		return refuse(FailedPrecondition, "cannot start a process that has stopped")
	case p.status != Created:
		return refuse(FailedPrecondition, "cannot start a process that is running already")
	case p.deleting || m.init.deleting:
		return refuse(FailedPrecondition, "cannot start a process that is being deleted")
	case id != "" && m.init.ended:
		return refuse(FailedPrecondition, "cannot exec in a stopped container")
	case id != "" && m.init.status == Paused:
		return refuse(FailedPrecondition, "cannot exec in a paused container")
	}
	p.starting = true
	return nil
}

// Started tells what has come of a start. A further process that could not be started has ended, as
// has an init that could not be restored; what has come of one that could not go on, Ended tells.
func (m *Machine) Started(id string, pid int, ok bool) {
	p, err := m.find(id)
	if err != nil {
		return
	}
	p.starting = false
	switch {
	case ok:
		p.pid = pid
		if p.status == Created {
			p.status = Running
		}
		kind := Start
		if id != "" {
			kind = ExecStarted
		}
		m.emit(Event{Kind: kind, ExecID: id, Pid: pid})
	case p.pid == 0:
		p.fail()
	}
	m.settle()
}

// fail ends a process that will never be: a further one that is not started, or an init that is not
// restored. Nobody has heard of it, so nobody hears of its end, but for who waits for it.
func (p *process) fail() {
	p.status, p.end.Status = Stopped, FailedExec
	p.ended, p.published = true, true
	close(p.over)
}

// Ended tells that a process has ended.
func (m *Machine) Ended(id string, end End) {
	p, err := m.find(id)
	if err != nil || p.ended {
		return
	}
	p.ended, p.end = true, end
	m.settle()
}

// settle tells of all exits that may be told.
func (m *Machine) settle() {
	waiting := false
	for _, id := range m.Execs() {
		p := m.execs[id]
		m.publish(p)
		waiting = waiting || p.starting || p.status != Created && !p.published
	}
	if m.init.ended && !m.init.starting && !m.init.dumping {
		m.init.status = Stopped
		for _, p := range m.execs {
			if p.status == Created && !p.starting {
				p.fail() // now it can't be started any more
			}
		}
		if !waiting {
			m.publish(m.init)
		}
	}
}

// publish tells of an exit unless the start of the process has to be told before.
func (m *Machine) publish(p *process) {
	if p.published || !p.ended || p.starting {
		return
	}
	p.status, p.published = Stopped, true
	m.emit(Event{Kind: Exit, ExecID: p.id, Pid: p.pid, End: p.end})
	close(p.over)
}

// GiveUp tells of the init's exit although other processes have not ended: they were waited for
// long enough.
func (m *Machine) GiveUp() { m.publish(m.init) }
