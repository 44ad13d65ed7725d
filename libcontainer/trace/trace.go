// Package trace records what each step of a command cost, on the host and in the init, writes it as
// a Chrome trace (which Perfetto opens, too), and reads it again.
//
// A nil Recorder records nothing and costs nothing: callers need no condition.
package trace

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// Recorder collects what happened in one command.
type Recorder struct {
	file  *os.File
	name  string // of the command
	spans []span
	flows []flow
	// inits are the processes of the container that had a part in it.
	inits []int
}

// span is a stretch of time, in microseconds of CLOCK_MONOTONIC.
type span struct {
	name, from string
	start, end float64
	pid        int  // 0 is the runtime
	waits      bool // for the other side
	group      plan.Group
	step       *plan.Step // nil for what no plan has
	number     int        // of the step, from 1 on
}

// flow leads from one process to another: the first span is what the second was waiting for, or was
// begun by.
type flow struct {
	name         string
	fromPid      int
	fromAt, toAt float64
	toPid        int
}

// Open starts a recorder that writes to path in the end, or none if path is empty. name is what the
// runtime's process is called. The file is opened at once, and replaced if there is one: that it
// can't be written has to be known before a program runs.
func Open(path, name string) (*Recorder, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--trace: %w", err)
	}
	return &Recorder{file: f, name: name}, nil
}

func now() float64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return micros(int64(ts.Sec), int64(ts.Nsec))
}

func micros(sec, nsec int64) float64 { return float64(sec)*1e6 + float64(nsec)/1e3 }

// Span begins a span on the host; the returned function ends it.
func (r *Recorder) Span(from, name string) (end func()) { return r.begin(span{from: from, name: name}) }

// Wait is Span for a time in which the init works: its steps are no work of the host's.
func (r *Recorder) Wait(from, name string) (end func()) {
	return r.begin(span{from: from, name: name, waits: true})
}

// Step is Span for a step that the host carries out.
func (r *Recorder) Step(s *plan.Step) (end func()) {
	if r == nil {
		return func() {}
	}
	return r.begin(span{from: s.From, name: s.What, group: s.Group, step: s})
}

func (r *Recorder) begin(s span) (end func()) {
	if r == nil {
		return func() {}
	}
	s.start = now()
	return func() {
		s.end = now()
		r.spans = append(r.spans, s)
	}
}

// Part is a piece of work with a place in config.json and a name.
type Part struct {
	From, Name string
	Waits      bool // for the init
	Do         func() error
}

// Do does the parts in order, each in a span, until one fails.
func (r *Recorder) Do(parts ...Part) error {
	for i := range parts {
		end := r.begin(span{from: parts[i].From, name: parts[i].Name, waits: parts[i].Waits})
		err := parts[i].Do()
		end()
		if err != nil {
			return err
		}
	}
	return nil
}

// Init adds the steps that the init has time-stamped on its progress page. Those up to the one in
// which it spawns a child are of the process image, the others of program, which may be the same.
// The end of execve is when the host has noticed: the page is gone with it. The end of the last
// rendezvous may be, too: the host does not wait until the init has gone on.
func (r *Recorder) Init(p *plan.Plan, page []byte, image, program int) {
	if r == nil {
		return
	}
	host := len(r.spans)
	pid := image
	for i := range p.Steps {
		s := &p.Steps[i]
		if t := stamp(page, i); t != 0 {
			if n := len(r.spans); n > host {
				r.spans[n-1].end = t
			}
			r.spans = append(r.spans, span{
				name: s.What, from: s.From, start: t, end: t, pid: pid, waits: s.Site == plan.Host, group: s.Group, step: s,
			})
		}
		if slices.ContainsFunc(s.Ops, func(o plan.Op) bool { return o.Call == plan.Spawn }) {
			pid = program
		}
	}
	if n := len(r.spans); n > host && (r.spans[n-1].waits || !p.Waits && r.spans[n-1].step == &p.Steps[len(p.Steps)-1]) {
		r.spans[n-1].end = now()
	}
	r.inits = append(r.inits, image)
	if program != image {
		r.inits = append(r.inits, program)
	}
	for i := range r.spans {
		for k := range p.Steps {
			if r.spans[i].step == &p.Steps[k] {
				r.spans[i].number = k + 1
			}
		}
	}
	r.connect(r.spans[:host], r.spans[host:])
}

// stamp is when step i began, or 0.
func stamp(page []byte, i int) float64 {
	at := plan.PageTrace + 16*i
	if at+16 > len(page) {
		return 0
	}
	return micros(int64(binary.NativeEndian.Uint64(page[at:])), int64(binary.NativeEndian.Uint64(page[at+8:])))
}

// connect draws the arrows between the host and the init: from what starts it, and there and back
// at each rendezvous.
func (r *Recorder) connect(host, init []span) {
	if len(init) == 0 {
		return
	}
	first := &init[0]
	before := -1
	for i := range host {
		if s := &host[i]; !s.waits && s.start <= first.start && (before < 0 || s.start > host[before].start) {
			before = i
		}
	}
	if before >= 0 {
		r.arrow("start", &host[before], first.start, first, first.start)
	}
	for i := range init {
		meets := &init[i]
		if !meets.waits {
			continue
		}
		// What the host did while the init waited there.
		var did []*span
		for k := range host {
			if s := &host[k]; s.step != nil && meets.start <= s.start && s.start <= meets.end {
				did = append(did, s)
			}
		}
		if len(did) == 0 {
			continue
		}
		r.arrow("meet the host", meets, meets.start, did[0], did[0].start)
		if i+1 < len(init) {
			last := did[len(did)-1]
			r.arrow("go on", last, last.end, &init[i+1], init[i+1].start)
		}
	}
}

// arrow is a flow. Viewers find its ends by the span in which they lie, so they must lie inside.
func (r *Recorder) arrow(name string, from *span, fromAt float64, to *span, toAt float64) {
	inside := func(s *span, at float64) float64 {
		const little = 0.01
		return max(s.start, min(at, s.end-little))
	}
	r.flows = append(r.flows, flow{name, from.pid, inside(from, fromAt), inside(to, toAt), to.pid})
}
