package plan

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan/layout"
)

// Fake is a kernel for tests of plans: it says yes to everything but for the scripted answers, and
// writes down what it was asked. The zero value is ready to use.
type Fake struct {
	// Answers are tried in order; the first that matches is given.
	Answers []Answer
	// Trace is one line a call, as strace prints it: `openat2(rootfs, "dev/pts", {…}) = 101`.
	Trace []string

	made int
}

// Answer is what a [Fake] says to the calls that it matches.
type Answer struct {
	Call Call
	Has  string // text that the printed call must contain, e.g. `"proc/kcore"`
	Only int    // how many times it is given; 0 means always

	Result uint64
	Errno  unix.Errno
	Data   string // what the call fills its buffer with

	given int
}

// FirstFD is the number of the first descriptor that a [Fake] gives away.
const FirstFD = 100

// Call implements [Kernel].
func (f *Fake) Call(o *Op, args []Value) (uint64, unix.Errno) {
	texts := make([]string, len(args))
	for i := range args {
		texts[i] = args[i].Text
	}
	text := strings.ReplaceAll(callText(o.Call, texts), layout.Glue, " ")
	result, errno := f.answer(o, args, text)
	if errno != 0 {
		text += " = " + errnoName(errno)
	} else {
		text += fmt.Sprint(" = ", int64(result))
	}
	f.Trace = append(f.Trace, text)
	return result, errno
}

func (f *Fake) answer(o *Op, args []Value, text string) (uint64, unix.Errno) {
	for i := range f.Answers {
		a := &f.Answers[i]
		if a.Call != o.Call || !strings.Contains(text, a.Has) || a.Only > 0 && a.given >= a.Only {
			continue
		}
		a.given++
		if info := &callTable[o.Call]; info.writes && a.Data != "" {
			copy(args[info.addr-1].Mem, a.Data)
		}
		return a.Result, a.Errno
	}
	switch o.Call {
	case SysGetcwd:
		copy(args[0].Mem, "/\x00")
		return 2, 0
	case SysSendto, SysRecvfrom, SysWrite:
		return args[2].Word, 0
	case SysSendmsg:
		return 1, 0
	case Spawn:
		return 4242, 0
	}
	if o.makesFD() {
		f.made++
		return FirstFD + uint64(f.made) - 1, 0
	}
	return 0, 0
}
