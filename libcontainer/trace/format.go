package trace

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// event is one of the Chrome trace format ("Trace Event Format", as chrome://tracing and
// ui.perfetto.dev read it). Times are microseconds.
type event struct {
	Name     string   `json:"name"`
	Category string   `json:"cat,omitempty"`
	Phase    string   `json:"ph"`
	Start    float64  `json:"ts"`
	Took     *float64 `json:"dur,omitempty"`
	Pid      int      `json:"pid"`
	Tid      int      `json:"tid"`
	ID       int      `json:"id,omitempty"` // of a flow
	Bind     string   `json:"bp,omitempty"`
	Args     *args    `json:"args,omitempty"`
}

// args say where in config.json a step comes from and which of the plan it is, or name a process.
type args struct {
	From  string `json:"from,omitempty"`
	Step  int    `json:"step,omitempty"`
	Name  string `json:"name,omitempty"`
	Index *int   `json:"sort_index,omitempty"`
}

// document is the file format.
type document struct {
	Events []event `json:"traceEvents"`
	Unit   string  `json:"displayTimeUnit"`
}

// Categories. A span has that of its side, that of the group of its step, and waiting if it waits
// for the other side.
const (
	onHost  = "host"
	inInit  = "init"
	waiting = "waiting"
	meeting = "rendezvous"
)

// Close writes the trace, with times from the first span on.
func (r *Recorder) Close() error {
	if r == nil {
		return nil
	}
	defer r.file.Close()
	text, err := json.MarshalIndent(r.document(os.Getpid()), "", " ")
	if err != nil {
		return err
	}
	if _, err := r.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("--trace: %w", err)
	}
	return nil
}

// document is what was recorded in the process with that pid.
func (r *Recorder) document(own int) document {
	pidOf := func(pid int) int { return cmp.Or(pid, own) }
	doc := document{Unit: "ms", Events: names(r.name, own, r.inits)}
	head := len(doc.Events)
	for i := range r.spans {
		s := &r.spans[i]
		took := round(s.end - s.start)
		pid := pidOf(s.pid)
		doc.Events = append(doc.Events, event{
			Name: s.name, Category: s.category(), Phase: "X", Start: s.start, Took: &took, Pid: pid, Tid: pid,
			Args: &args{From: s.from, Step: s.number},
		})
	}
	for i, f := range r.flows {
		for _, e := range []event{
			{Phase: "s", Start: f.fromAt, Pid: pidOf(f.fromPid)},
			{Phase: "f", Start: f.toAt, Pid: pidOf(f.toPid), Bind: "e"},
		} {
			e.Name, e.Category, e.ID, e.Tid = f.name, meeting, i+1, e.Pid
			doc.Events = append(doc.Events, e)
		}
	}
	timed := doc.Events[head:]
	slices.SortStableFunc(timed, func(a, b event) int { return cmp.Compare(a.Start, b.Start) })
	if len(timed) > 0 {
		first := timed[0].Start
		for i := range timed {
			timed[i].Start = round(timed[i].Start - first)
		}
	}
	return doc
}

// round leaves nanoseconds, which is what the clock has.
func round(micros float64) float64 { return math.Round(micros*1e3) / 1e3 }

func (s *span) category() string {
	all := []string{onHost}
	if s.pid != 0 {
		all[0] = inInit
	}
	if s.group != "" {
		all = append(all, string(s.group))
	}
	if s.waits {
		all = append(all, waiting)
	}
	return strings.Join(all, ",")
}

// names are the events that name processes, each with one thread, the runtime's first.
func names(runtime string, own int, inits []int) (events []event) {
	add := func(index, pid int, process, thread string) {
		note := func(kind string, a *args) {
			events = append(events, event{Name: kind, Phase: "M", Pid: pid, Tid: pid, Args: a})
		}
		note("process_name", &args{Name: process})
		note("process_sort_index", &args{Index: &index})
		note("thread_name", &args{Name: thread})
	}
	add(0, own, "ociruntime "+runtime, "runtime on the host")
	for i, pid := range inits {
		process := "container"
		if i == 0 && len(inits) > 1 {
			process = "container, before its first process"
		}
		add(i+1, pid, process, "init image")
	}
	return events
}
