// Package trace records what each step of a command cost, on the host and in the init, and writes
// it as a Chrome trace (which Perfetto opens, too) or as a table.
//
// A nil Recorder records nothing and costs nothing: callers need no condition.
package trace

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// Recorder collects spans of one command.
type Recorder struct {
	file   *os.File
	events []Event
}

// Event is a "complete event" of the Chrome trace format: times in microseconds of CLOCK_MONOTONIC.
type Event struct {
	Name  string  `json:"name"`
	Phase string  `json:"ph"`
	Start float64 `json:"ts"`
	Took  float64 `json:"dur"`
	Pid   int     `json:"pid"`
	Tid   int     `json:"tid"`
	Args  *Args   `json:"args,omitempty"`
}

// Args say where in config.json a step comes from, or name a row.
type Args struct {
	From string `json:"from,omitempty"`
	Name string `json:"name,omitempty"`
}

// Rows of the picture.
const (
	hostRow = 1
	initRow = 2
)

// Open starts a recorder that writes to path in the end, or none if path is empty. The file is
// opened at once, and replaced if there is one: that it can't be written has to be known before a
// program runs.
func Open(path string) (*Recorder, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--trace: %w", err)
	}
	return &Recorder{file: f}, nil
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
func (r *Recorder) Span(from, name string) (end func()) {
	if r == nil {
		return func() {}
	}
	start := now()
	return func() { r.add(hostRow, from, name, start, now()) }
}

// Part is a piece of work with a place in config.json and a name.
type Part struct {
	From, Name string
	Do         func() error
}

// Do does the parts in order, each in a span, until one fails.
func (r *Recorder) Do(parts ...Part) error {
	for i := range parts {
		end := r.Span(parts[i].From, parts[i].Name)
		err := parts[i].Do()
		end()
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Recorder) add(row int, from, name string, start, end float64) {
	r.events = append(r.events, Event{Name: name, Phase: "X", Start: start, Took: max(0, end-start), Pid: 1, Tid: row, Args: &Args{From: from}})
}

// Init adds the steps that the init has time-stamped on its progress page. The last one, execve,
// has no end: the page is gone with it.
func (r *Recorder) Init(p *plan.Plan, page []byte) {
	if r == nil {
		return
	}
	var last *plan.Step
	var start float64
	for i := range p.Steps {
		at := plan.PageTrace + 16*i
		if at+16 > len(page) {
			break
		}
		t := micros(int64(binary.NativeEndian.Uint64(page[at:])), int64(binary.NativeEndian.Uint64(page[at+8:])))
		if t == 0 {
			continue
		}
		if last != nil {
			r.add(initRow, last.From, last.What, start, t)
		}
		last, start = &p.Steps[i], t
	}
	if last != nil {
		r.add(initRow, last.From, last.What, start, start)
	}
}

// document is the file format.
type document struct {
	Events []Event `json:"traceEvents"`
	Unit   string  `json:"displayTimeUnit"`
}

// Close writes the trace, with times from the first span on.
func (r *Recorder) Close() error {
	if r == nil {
		return nil
	}
	defer r.file.Close()
	doc := document{Events: slices.Clone(r.events), Unit: "ms"}
	slices.SortFunc(doc.Events, func(a, b Event) int { return int(a.Start - b.Start) })
	if len(doc.Events) > 0 {
		first := doc.Events[0].Start
		for i := range doc.Events {
			doc.Events[i].Start -= first
		}
	}
	for i, name := range []string{"runtime on the host", "init of the container"} {
		doc.Events = append(doc.Events, Event{Name: "thread_name", Phase: "M", Pid: 1, Tid: hostRow + i, Args: &Args{Name: name}})
	}
	text, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return err
	}
	if _, err := r.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("--trace: %w", err)
	}
	return nil
}

// PrintTable prints a trace file as a table, the dearest step first.
func PrintTable(w io.Writer, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("--trace: %w", err)
	}
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("--trace: %s is not a trace: %w", path, err)
	}
	doc.Events = slices.DeleteFunc(doc.Events, func(e Event) bool { return e.Phase != "X" })
	slices.SortStableFunc(doc.Events, func(a, b Event) int { return int(1000 * (b.Took - a.Took)) })
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "µs\tbegan\twhere\t \n")
	for _, e := range doc.Events {
		row, from := "host", ""
		if e.Tid == initRow {
			row = "init"
		}
		if e.Args != nil && e.Args.From != "" && e.Args.From != "default" {
			from = " [" + e.Args.From + "]"
		}
		fmt.Fprintf(t, "%.1f\t%.1f\t%s\t %s%s\n", e.Took, e.Start, row, e.Name, from)
	}
	return t.Flush()
}
