package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// measure goes through the scenarios.
func (e *env) measure() (*table, error) {
	t := &table{}
	for _, r := range e.runtimes {
		t.names = append(t.names, r.name)
	}
	t.notes = append(t.notes, e.buildMarks(t)...)
	for _, s := range scenarios() {
		if !strings.Contains(s.name, e.only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", s.name)
		if err := e.scenario(t, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if strings.Contains("memory", e.only) {
		fmt.Fprintln(os.Stderr, "bench: memory")
		if err := e.memory(t); err != nil {
			return nil, fmt.Errorf("memory: %w", err)
		}
		t.notes = append(t.notes, e.packageInit()...)
	}
	return t, nil
}

// scenario measures one; a first round warms up and does not count.
func (e *env) scenario(t *table, s *scenario) (err error) {
	on := func(once measured) ([]cost, error) { return once() }
	if s.v2 != nil {
		r, why, err := newV2Room(s.v2)
		if err != nil || why != "" {
			t.notes = append(t.notes, s.name+": left out: "+why)
			return err
		}
		defer r.close()
		on = r.do
	}
	ids := make([][]string, len(e.runtimes))
	defer func() {
		for i, r := range e.runtimes {
			if s.teardown != nil && ids[i] != nil {
				if tearErr := s.teardown(e, r, ids[i]); err == nil {
					err = tearErr
				}
			}
		}
	}()
	for i, r := range e.runtimes {
		if s.setup == nil {
			continue
		}
		if ids[i], err = s.setup(e, r); err != nil {
			return err
		}
	}
	var turns []turn
	for i, r := range e.runtimes {
		turns = append(turns, turn{r.name, func() ([]cost, error) {
			return on(func() ([]cost, error) { return s.once(e, r, ids[i]) })
		}})
	}
	marks, notes, err := e.marks(s, on)
	if err != nil {
		return err
	}
	t.notes = append(t.notes, notes...)
	samples, notes, err := e.interleave(s, append(turns, marks...))
	t.notes = append(t.notes, notes...)
	if err != nil {
		return err
	}
	for i := range s.rows {
		t.addTimes(&s.rows[i], samples, i)
	}
	return nil
}

// turn is one program's part of a round.
type turn struct {
	name string // of its column
	once measured
}

// measured does something once, and says what it has cost, row by row.
type measured func() ([]cost, error)

// settle is the pause before each command. What ends leaves the kernel work to do (cgroups, mounts,
// device programs), some of it behind locks that the next command needs: whoever came behind the
// quickest of them would pay for it.
const settle = 20 * time.Millisecond

// interleave measures the programs in turns, in an order that changes from round to round, and
// gives for each its costs by round and row. One that can't do it, other than ours, is left out,
// and the notes say why.
func (e *env) interleave(s *scenario, turns []turn) (samples map[string][][]cost, notes []string, err error) {
	able := make([]turn, 0, len(turns))
	for i, turn := range turns {
		switch _, err := turn.once(); {
		case err == nil:
			able = append(able, turn)
		case i == 0 || errors.As(err, new(*stoppedError)):
			return nil, notes, err
		default:
			notes = append(notes, fmt.Sprintf("%s: without %s: %v", s.name, turn.name, err))
		}
	}
	samples = make(map[string][][]cost)
	random := rand.New(rand.NewPCG(1, 2)) // the same order in each run
	for range max(e.rounds/max(s.few, 1), min(e.rounds, 3)) {
		random.Shuffle(len(able), func(i, j int) { able[i], able[j] = able[j], able[i] })
		for _, turn := range able {
			time.Sleep(settle)
			costs, err := turn.once()
			if err != nil {
				return nil, notes, err
			}
			samples[turn.name] = append(samples[turn.name], costs)
		}
	}
	return samples, notes, nil
}

// memory measures sizes: of the command, of the process that waits for start, and the smallest
// limit under which a container runs.
func (e *env) memory(t *table) error {
	dir, err := e.bundle(docker, 0, "true")
	if err != nil {
		return err
	}
	var peaks, resident, charged, limits []float64
	for _, r := range e.runtimes {
		peak, err := e.peak(r, "run", "--bundle", dir, e.newID(r))
		if err != nil {
			return err
		}
		rss, charge, err := e.waiting(r, dir)
		if err != nil {
			return err
		}
		resident, charged = append(resident, float64(rss)), append(charged, float64(charge))
		limit, err := e.smallestLimit(r)
		if err != nil {
			return err
		}
		peaks, limits = append(peaks, float64(peak)), append(limits, float64(limit))
	}
	t.addSizes(&row{name: "peak memory of run, Docker-like"}, peaks)
	t.addSizes(&row{name: "resident memory of the waiting init"}, resident)
	t.addSizes(&row{"cgroup charge of the waiting init", targets{runc: 0.10, crun: 1}}, charged)
	t.addSizes(&row{name: "smallest memory limit for run true"}, limits)
	return nil
}

// waiting is the memory of the process that waits for start, in KiB: what is resident, and what is
// charged to its cgroup. To the latter, the kernel adds a stock of 64 pages for each processor that
// it has been charged on, by chance more or less: the least of nine counts.
func (e *env) waiting(r *runtime, dir string) (rss, charge int, err error) {
	for i := range 9 {
		_, w, err := e.create(r, dir)
		if err != nil {
			return 0, 0, err
		}
		time.Sleep(100 * time.Millisecond) // what the runtime's processes leave is freed late
		rss = statusKiB(w.pid, "VmRSS")
		if now := chargeKiB(w.pid); i == 0 || now < charge {
			charge = now
		}
		if err := deleteAll(e, r, []string{w.id}); err != nil {
			return 0, 0, err
		}
	}
	return rss, charge, nil
}

// smallestLimit finds the smallest memory limit, in steps of 64 KiB, under which a container runs
// twice.
func (e *env) smallestLimit(r *runtime) (kib int64, err error) {
	const step, most = 64, 256
	low, high := int64(0), int64(most) // low fails
	for high-low > 1 {
		middle := (low + high) / 2
		dir, err := e.bundle(plain, middle*step<<10, "true")
		if err != nil {
			return 0, err
		}
		fits := true
		for range 2 {
			id := e.newID(r)
			_, err := e.run(r, "run", "--bundle", dir, id)
			if err != nil {
				_, _ = e.run(r, "delete", "--force", id)
			}
			fits = fits && err == nil
		}
		if fits {
			high = middle
		} else {
			low = middle
		}
	}
	return high * step, nil
}

// packageInit is what Go programs among the runtimes spend in package initialisation, as the Go
// runtime says (GODEBUG=inittrace=1).
func (e *env) packageInit() (notes []string) {
	for _, r := range e.runtimes {
		cmd := exec.Command(r.path, "--version")
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		var out bytes.Buffer
		cmd.Stderr = &out
		if err := cmd.Run(); err != nil {
			continue
		}
		packages, ms, allocs := 0, 0.0, 0
		for line := range strings.Lines(out.String()) {
			var name string
			var at, clock float64
			var size, count int
			if n, _ := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &name, &at, &clock, &size, &count); n == 5 {
				packages, ms, allocs = packages+1, ms+clock, allocs+count
			}
		}
		if packages > 0 {
			notes = append(notes, fmt.Sprintf("%s: package initialisation %.2f ms in %d packages, %d allocations", r.name, ms, packages, allocs))
		}
	}
	return notes
}

// machine says where and what is measured.
func machine(o *options) string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	var b strings.Builder
	fmt.Fprintf(&b, "%s, Linux %s, %d CPUs (%s), %d rounds; load %s\n", time.Now().UTC().Format(time.DateOnly),
		unix.ByteSliceToString(u.Release[:]), goruntime.NumCPU(), cpuModel(), o.rounds, load())
	for _, r := range o.runtimes {
		out, _ := exec.Command(r.path, "--version").Output()
		first, _, _ := strings.Cut(string(out), "\n")
		r.version = strings.TrimSpace(first)
		fmt.Fprintf(&b, "%s: %s\n", r.name, r.version)
	}
	return b.String()
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(name, "model name") {
			return strings.TrimSpace(value)
		}
	}
	return goruntime.GOARCH
}

func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(text))
	return strings.Join(f[:min(len(f), 3)], " ")
}

// quartiles are the lower quartile, the median and the upper one.
func quartiles(v []float64) (q [3]float64) {
	s := slices.Sorted(slices.Values(v))
	for i := range q {
		at := float64(len(s)-1) * float64(i+1) / 4
		low := int(at)
		high := min(low+1, len(s)-1)
		q[i] = s[low] + (s[high]-s[low])*(at-float64(low))
	}
	return q
}
