package service

import (
	"sync"
	"time"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/stdio"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/task"
	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv/check"
)

const (
	// readyTime is how long a process stays prepared: its start follows within milliseconds, or is
	// none of those that have to be quick. It is over before the daemon is at rest.
	readyTime = restTime - 100*time.Millisecond
	// mostReady are prepared at once. In a storm of calls nothing is idle meanwhile, and there are
	// only so many descriptors.
	mostReady = 4
)

// preparation is what is done for a process while its caller is on the way from the call that
// announces it to the one that starts it. Whatever goes wrong here, the start finds again.
type preparation struct {
	over  chan struct{} // closed when all is done that will be
	taken func()        // gives the place back to others
	late  *time.Timer

	mu    sync.Mutex             // of ready, from over on
	ready *libcontainer.Prepared // until somebody takes it
}

// prepare begins to prepare a further process, if that may be of use.
func (c *container) prepare(m *task.Machine, p *process) {
	s := c.service
	if init, err := m.State(""); err != nil || init.Status != task.Running || !stdio.Foreseeable(&p.streams) {
		return
	}
	taken := func() { s.preparing.Add(-1) }
	if s.preparing.Add(1) > mostReady {
		taken()
		return
	}
	p.ahead = &preparation{over: make(chan struct{}), taken: taken}
	go p.ahead.make(func() (*libcontainer.Prepared, error) { return c.prepared(p) })
}

func (a *preparation) make(prepared func() (*libcontainer.Prepared, error)) {
	defer close(a.over)
	defer func() {
		if a.ready == nil {
			_ = recover() // the start meets the same fault, and Guard tells of it
			a.taken()
		}
	}()
	ready, err := prepared()
	if err == nil {
		a.ready, a.late = ready, time.AfterFunc(readyTime, a.drop)
	}
}

func (c *container) prepared(p *process) (*libcontainer.Prepared, error) {
	lc, err := c.load()
	if err != nil {
		return nil, err
	}
	its, err := c.configuration(lc)
	if err != nil {
		return nil, err
	}
	if _, err := check.Process(p.spec, its.spec, c.checks()); err != nil {
		return nil, err
	}
	seen, err := stdio.Look(&p.streams)
	if err != nil {
		return nil, err
	}
	defer seen.Launched()
	o := p.options(libcontainer.ProcessOptions{Stdio: seen.Files}, its)
	return lc.Prepare(&o)
}

// take waits for what is under way, and gives what has come of it, nil for nothing.
func (a *preparation) take() *libcontainer.Prepared {
	if a == nil {
		return nil
	}
	<-a.over
	a.mu.Lock()
	defer a.mu.Unlock()
	ready := a.ready
	if ready != nil {
		a.ready = nil
		a.late.Stop()
		a.taken()
	}
	return ready
}

// drop lets go of what nobody has taken.
func (a *preparation) drop() {
	if ready := a.take(); ready != nil {
		ready.Close()
	}
}
