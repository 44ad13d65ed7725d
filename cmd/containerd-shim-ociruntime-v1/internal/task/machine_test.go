package task

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// recorder is a task whose events are written down in short.
type recorder struct {
	*Machine
	events []string
}

func newRecorder() *recorder {
	r := &recorder{}
	r.begin(1)
	return r
}

// begin is with 0 for a container that its start restores.
func (r *recorder) begin(pid int) {
	r.events = nil
	r.Machine = New(pid, r.note)
}

func (r *recorder) note(e Event) {
	names := []string{"", "create", "start", "exit", "delete", "exec-added", "exec-started", "paused", "resumed", "oom", "checkpointed"}
	s := names[e.Kind] + " " + e.ExecID
	if e.Kind == Exit || e.Kind == Delete {
		s += fmt.Sprint("=", e.End.Status)
	}
	r.events = append(r.events, s)
}

func (r *recorder) start(t *testing.T, id string, pid int) {
	t.Helper()
	if err := r.Start(id); err != nil {
		t.Fatal(err)
	}
	r.Started(id, pid, true)
}

func kind(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// Every call in every state of an init, and of a further process, whose init runs.
func TestCalls(t *testing.T) {
	const ok Kind = 0
	type want struct{ start, kill, remove, pause, resume, exec, checkpoint Kind }
	failed := FailedPrecondition
	for name, c := range map[string]struct {
		into func(*testing.T, *recorder)
		id   string
		want
	}{
		"created":  {func(*testing.T, *recorder) {}, "", want{ok, ok, ok, failed, failed, ok, failed}},
		"starting": {func(_ *testing.T, r *recorder) { _ = r.Start("") }, "", want{failed, ok, failed, failed, failed, ok, failed}},
		"running":  {func(t *testing.T, r *recorder) { r.start(t, "", 1) }, "", want{failed, ok, failed, ok, failed, ok, ok}},
		"pausing":  {func(t *testing.T, r *recorder) { r.start(t, "", 1); _ = r.Pause() }, "", want{failed, ok, failed, failed, failed, ok, failed}},
		"paused":   {func(t *testing.T, r *recorder) { r.start(t, "", 1); _ = r.Pause(); r.Paused(true) }, "", want{failed, ok, failed, failed, ok, ok, ok}},
		"stopped":  {func(t *testing.T, r *recorder) { r.start(t, "", 1); r.Ended("", End{}) }, "", want{failed, NotFound, ok, failed, failed, failed, failed}},
		"died unstarted": {func(_ *testing.T, r *recorder) { r.Ended("", End{}) }, "",
			want{failed, NotFound, ok, failed, failed, failed, failed}},
		"deleting": {func(_ *testing.T, r *recorder) { r.Ended("", End{}); _ = r.Delete("") }, "",
			want{failed, NotFound, failed, failed, failed, failed, failed}},

		"restoring later": {func(_ *testing.T, r *recorder) { r.begin(0) }, "", want{ok, failed, ok, failed, failed, ok, failed}},
		"not restored": {func(_ *testing.T, r *recorder) { r.begin(0); _ = r.Start(""); r.Started("", 0, false) }, "",
			want{failed, NotFound, ok, failed, failed, failed, failed}},
		"checkpointing": {func(t *testing.T, r *recorder) { r.start(t, "", 1); _ = r.Checkpoint() }, "",
			want{failed, ok, failed, ok, failed, ok, failed}},

		"exec added": {func(t *testing.T, r *recorder) { r.start(t, "", 1); _ = r.AddExec("e") }, "e",
			want{ok, failed, ok, ok, failed, AlreadyExists, ok}},
		"exec starting": {func(t *testing.T, r *recorder) { r.start(t, "", 1); _ = r.AddExec("e"); _ = r.Start("e") }, "e",
			want{failed, failed, failed, ok, failed, AlreadyExists, ok}},
		"exec running": {func(t *testing.T, r *recorder) { r.start(t, "", 1); _ = r.AddExec("e"); r.start(t, "e", 2) }, "e",
			want{failed, ok, failed, ok, failed, AlreadyExists, ok}},
		"exec ended": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.AddExec("e")
			r.start(t, "e", 2)
			r.Ended("e", End{})
		}, "e", want{failed, NotFound, ok, ok, failed, AlreadyExists, ok}},
		"exec failed": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.AddExec("e")
			_ = r.Start("e")
			r.Started("e", 0, false)
		}, "e", want{failed, NotFound, ok, ok, failed, AlreadyExists, ok}},
		"exec added, then paused": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.AddExec("e")
			_ = r.Pause()
			r.Paused(true)
		}, "e", want{failed, failed, ok, failed, ok, AlreadyExists, ok}},
		"exec added, then stopped": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.AddExec("e")
			r.Ended("", End{})
		}, "e", want{failed, NotFound, ok, failed, failed, AlreadyExists, failed}},
		"unknown": {func(t *testing.T, r *recorder) { r.start(t, "", 1) }, "x", want{NotFound, NotFound, NotFound, ok, failed, ok, ok}},
	} {
		calls := []struct {
			name string
			do   func(*recorder) error
			want Kind
		}{
			{"start", func(r *recorder) error { return r.Start(c.id) }, c.start},
			{"kill", func(r *recorder) error { return r.Kill(c.id) }, c.kill},
			{"delete", func(r *recorder) error { return r.Delete(c.id) }, c.remove},
			{"pause", func(r *recorder) error { return r.Pause() }, c.pause},
			{"resume", func(r *recorder) error { return r.Resume() }, c.resume},
			{"exec", func(r *recorder) error { return r.AddExec("e") }, c.exec},
			{"checkpoint", func(r *recorder) error { return r.Machine.Checkpoint() }, c.checkpoint},
		}
		for _, call := range calls {
			r := newRecorder()
			c.into(t, r)
			if got := kind(call.do(r)); got != call.want {
				t.Errorf("%s: %s: error of kind %d, not %d", name, call.name, got, call.want)
			}
		}
	}
}

func TestOrderOfEvents(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*testing.T, *recorder)
		want []string
	}{
		"a life": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			r.Ended("", End{Status: 3})
			_ = r.Delete("")
			r.Deleted("", true)
		}, []string{"create ", "start ", "exit =3", "delete =3"}},
		"an end before the start is answered for": {func(_ *testing.T, r *recorder) {
			_ = r.Start("")
			r.Ended("", End{Status: 1})
			r.Started("", 1, true)
		}, []string{"create ", "start ", "exit =1"}},
		"a start that fails": {func(_ *testing.T, r *recorder) {
			_ = r.Start("")
			r.Started("", 1, false)
			r.Ended("", End{Status: 127})
		}, []string{"create ", "exit =127"}},
		"the init ends first": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.AddExec("e")
			r.start(t, "e", 2)
			r.Ended("", End{Status: 137})
			r.Ended("e", End{Status: 137})
		}, []string{"create ", "start ", "exec-added e", "exec-started e", "exit e=137", "exit =137"}},
		"the init ends while a process is started": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.AddExec("e")
			_ = r.Start("e")
			r.Ended("", End{})
			r.Started("e", 0, false)
		}, []string{"create ", "start ", "exec-added e", "exit =0"}},
		"a process does not end": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.AddExec("e")
			r.start(t, "e", 2)
			r.Ended("", End{})
			r.GiveUp()
			r.Ended("e", End{Status: 1})
		}, []string{"create ", "start ", "exec-added e", "exec-started e", "exit =0", "exit e=1"}},
		"paused, out of memory, resumed too late": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.Pause()
			r.Paused(true)
			r.OutOfMemory()
			r.Ended("", End{Status: 137})
			r.Resumed()
			r.OutOfMemory()
		}, []string{"create ", "start ", "paused ", "oom ", "exit =137"}},
		"a pause that fails": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.Pause()
			r.Paused(false)
		}, []string{"create ", "start "}},
		"a checkpoint that goes on": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.Checkpoint()
			r.Checkpointed("/i", true)
			_ = r.Checkpoint()
			r.Checkpointed("/i", false)
			r.Ended("", End{})
		}, []string{"create ", "start ", "checkpointed ", "exit =0"}},
		"a checkpoint that ends it": {func(t *testing.T, r *recorder) {
			r.start(t, "", 1)
			_ = r.Checkpoint()
			r.Ended("", End{Status: 137})
			r.Checkpointed("/i", true)
		}, []string{"create ", "start ", "checkpointed ", "exit =137"}},
		"a restored life": {func(t *testing.T, r *recorder) {
			r.begin(0)
			r.start(t, "", 5)
			r.Ended("", End{Status: 3})
			_ = r.Delete("")
			r.Deleted("", true)
		}, []string{"create ", "start ", "exit =3", "delete =3"}},
		"a restore that fails": {func(_ *testing.T, r *recorder) {
			r.begin(0)
			_ = r.Start("")
			r.Started("", 0, false)
			_ = r.Delete("")
			r.Deleted("", true)
		}, []string{"create ", "delete =255"}},
	} {
		r := newRecorder()
		c.do(t, r)
		if !slices.Equal(r.events, c.want) {
			t.Errorf("%s: %q, not %q", name, r.events, c.want)
		}
	}
}

// Who waits for a container that is removed before it was restored does not wait for ever.
func TestNeverRestored(t *testing.T) {
	r := newRecorder()
	r.begin(0)
	over, err := r.Over("")
	if err != nil || r.Delete("") != nil {
		t.Fatal(err)
	}
	r.Deleted("", true)
	<-over
	if want := []string{"create ", "delete =255"}; !slices.Equal(r.events, want) {
		t.Errorf("%q, not %q", r.events, want)
	}
}

func TestStateAndWait(t *testing.T) {
	r := newRecorder()
	r.start(t, "", 7)
	over, err := r.Over("")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-over:
		t.Error("it is over before it has ended")
	default:
	}
	end := End{Status: 9, At: time.Unix(5, 0)}
	r.Ended("", end)
	r.Ended("", End{Status: 1}) // nobody ends twice
	<-over
	if v, err := r.State(""); err != nil || v != (View{7, Stopped, end}) {
		t.Errorf("state %v, %v", v, err)
	}
	if _, err := r.State("x"); kind(err) != NotFound {
		t.Errorf("state of an unknown process: %v", err)
	}
}

// TestRandomOrder lets processes begin and end in any order: the rules hold for all of them.
func TestRandomOrder(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := newRecorder()
		ids := []string{"", "a", "b", "c"}
		begun := map[string]bool{}
		for range 60 {
			id := ids[random.IntN(len(ids))]
			switch random.IntN(4) {
			case 0:
				_ = r.AddExec(id)
			case 1:
				if r.Start(id) == nil {
					begun[id] = true
				}
			case 2:
				if begun[id] {
					r.Started(id, 1, true)
					begun[id] = false
				}
			case 3:
				if v, err := r.State(id); err == nil && (v.Status == Running || begun[id]) {
					r.Ended(id, End{})
				}
			}
		}
		checkOrder(t, seed, r.events)
	}
}

func checkOrder(t *testing.T, seed uint64, events []string) {
	t.Helper()
	count := func(e string) (n int) {
		for _, x := range events {
			if x == e {
				n++
			}
		}
		return n
	}
	initExit := slices.Index(events, "exit =0")
	for _, id := range []string{"", "a", "b", "c"} {
		begin := "exec-started " + id
		if id == "" {
			begin = "start "
		}
		from, to := slices.Index(events, begin), slices.Index(events, "exit "+id+"=0")
		if count(begin) > 1 || count("exit "+id+"=0") > 1 || to >= 0 && (from < 0 || from > to) || initExit >= 0 && to > initExit {
			t.Errorf("seed %d: %q", seed, events)
		}
	}
}

// A process that was not started before its init has ended is waited for in vain no longer, and
// nobody hears of it.
func TestUnstartedExecEndsWithInit(t *testing.T) {
	r := newRecorder()
	r.start(t, "", 1)
	if err := r.AddExec("e"); err != nil {
		t.Fatal(err)
	}
	r.Ended("", End{})
	over, err := r.Over("e")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-over:
	default:
		t.Error("it is not over")
	}
	if v, err := r.State("e"); err != nil || v.Status != Stopped || v.End.Status != FailedExec {
		t.Errorf("%+v, %v", v, err)
	}
	if want := []string{"create ", "start ", "exec-added e", "exit =0"}; !slices.Equal(r.events, want) {
		t.Errorf("%q, not %q", r.events, want)
	}
}
