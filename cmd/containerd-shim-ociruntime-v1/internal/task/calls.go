package task

// Kill says whether a process may be signalled.
func (m *Machine) Kill(id string) error {
	p, err := m.find(id)
	switch {
	case err != nil:
		return err
	case p.ended:
		return refuse(NotFound, "process already finished")
	case p.status == Created && p.pid == 0:
		return refuse(FailedPrecondition, "the process has not been started")
	}
	return nil
}

// Delete says whether a process may be deleted: one that has ended, and one that was never started.
// Deleted has to follow.
func (m *Machine) Delete(id string) error {
	p, err := m.find(id)
	switch {
	case err != nil:
		return err
	case p.deleting:
		return refuse(FailedPrecondition, "the process is being deleted already")
	case p.starting:
		return refuse(FailedPrecondition, "cannot delete a process that is being started")
	case p.status != Stopped && p.status != Created:
		return refuse(FailedPrecondition, "cannot delete a running process")
	}
	p.deleting = true
	return nil
}

// Deleted tells what has come of a deletion. After a failure it can be tried again.
func (m *Machine) Deleted(id string, ok bool) {
	p, err := m.find(id)
	if err != nil {
		return
	}
	p.deleting = false
	if !ok {
		return
	}
	if id != "" {
		delete(m.execs, id)
		m.settle()
		return
	}
	if !p.ended && p.pid == 0 {
		p.fail()
	}
	m.GiveUp() // nobody is left to wait for
	m.emit(Event{Kind: Delete, Pid: p.pid, End: p.end})
}

// Pause says whether the container may be paused; Paused has to follow.
func (m *Machine) Pause() error {
	if m.init.status != Running || m.init.ended {
		return refuse(FailedPrecondition, "cannot pause a container that is not running")
	}
	m.init.status = Pausing
	return nil
}

// Paused tells what has come of a pause.
func (m *Machine) Paused(ok bool) {
	switch {
	case m.init.status != Pausing:
	case ok:
		m.init.status = Paused
		m.emit(Event{Kind: Pause})
	default:
		m.init.status = Running
	}
}

// Resume says whether the container may go on; Resumed follows if it does.
func (m *Machine) Resume() error {
	if m.init.status != Paused {
		return refuse(FailedPrecondition, "cannot resume a container that is not paused")
	}
	return nil
}

// Resumed tells that the container goes on.
func (m *Machine) Resumed() {
	if m.init.status == Paused {
		m.init.status = Running
		m.emit(Event{Kind: Resume})
	}
}

// Checkpoint says whether the container may be checkpointed; Checkpointed has to follow. Its exit,
// if that is what it is to end with, is told after that.
func (m *Machine) Checkpoint() error {
	switch {
	case m.init.dumping:
		return refuse(FailedPrecondition, "the container is being checkpointed already")
	case m.init.ended || m.init.status != Running && m.init.status != Paused:
		return refuse(FailedPrecondition, "cannot checkpoint a container that is not running")
	}
	m.init.dumping = true
	return nil
}

// Checkpointed tells what has come of a checkpoint.
func (m *Machine) Checkpointed(images string, ok bool) {
	m.init.dumping = false
	if ok {
		m.emit(Event{Kind: Checkpoint, Images: images})
	}
	m.settle()
}

// OutOfMemory tells that the container has run out of memory. After its exit nobody asks why.
func (m *Machine) OutOfMemory() {
	if !m.init.published {
		m.emit(Event{Kind: OOM})
	}
}
