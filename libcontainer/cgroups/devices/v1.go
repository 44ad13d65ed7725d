package devices

import (
	"errors"
	"fmt"
)

// Line is one write to a v1 devices cgroup.
type Line struct {
	File  string // devices.allow or devices.deny
	Value string // "a" or "c 1:3 rwm"
	From  string
}

// errNotV1 is wrapped by the errors of V1: the rules have a meaning, but cgroup v1 has no way to
// express it.
var errNotV1 = errors.New("cgroup v1 cannot make an exception inside a wider device rule")

// V1 returns the writes that make a childless v1 devices cgroup enforce the rules.
//
// The v1 controller does not keep rules in order. It has a behaviour (allow or deny everything) and
// exceptions from it, and a rule of the same kind as the behaviour only removes exceptions for the
// identical device. So the list is played through here, and only its outcome is written.
func V1(rules []Rule) ([]Line, error) {
	e := exceptions{from: "default"}
	for _, r := range rules {
		if r.Type != All {
			if err := e.apply(r); err != nil {
				return nil, err
			}
			continue
		}
		if r.Access == Full {
			e = exceptions{allow: r.Allow, from: r.From}
			continue
		}
		for _, t := range []Type{Block, Char} {
			r.Type = t
			if err := e.apply(r); err != nil {
				return nil, err
			}
		}
	}
	return e.lines(), nil
}

// exceptions is the state of a v1 devices cgroup.
type exceptions struct {
	allow bool // what holds for devices that are not in list
	from  string
	list  []Rule // all of them with Allow == !allow
}

func (e *exceptions) apply(r Rule) error {
	if r.Allow != e.allow {
		e.add(r)
		return nil
	}
	kept := e.list[:0]
	for _, x := range e.list {
		switch {
		case r.covers(x):
			x.Access &^= r.Access
		case r.overlaps(x) && x.Access&r.Access != 0:
			return fmt.Errorf("%s: %s after %s (%s): %w", r.From, r, x, x.From, errNotV1)
		}
		if x.Access != 0 {
			kept = append(kept, x)
		}
	}
	e.list = kept
	return nil
}

func (e *exceptions) add(r Rule) {
	for i := range e.list {
		if e.list[i].sameDevice(r) {
			e.list[i].Access |= r.Access
			return
		}
	}
	e.list = append(e.list, r)
}

func (e *exceptions) lines() []Line {
	base, other := "devices.deny", "devices.allow"
	if e.allow {
		base, other = other, base
	}
	// "a" also wipes what the new cgroup has inherited from its parent.
	lines := make([]Line, 0, 1+len(e.list))
	lines = append(lines, Line{File: base, Value: "a", From: e.from})
	for _, x := range e.list {
		lines = append(lines, Line{File: other, Value: x.device(), From: x.From})
	}
	return lines
}
