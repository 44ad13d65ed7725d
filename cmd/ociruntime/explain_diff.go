package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/ociruntime/ociruntime/libcontainer/plan/diff"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// printDiff prints what the second of two bundles or containers has that the first lacks, and the
// other way round.
func (x *explainFlags) printDiff(a *app, names []string) error {
	if x.execGiven {
		return errors.New("--diff: compares bundles and containers, not processes of exec")
	}
	if len(names) != 2 {
		return errors.New("--diff: needs two bundles or containers to compare")
	}
	var sides [2]diff.Side
	for i, name := range names {
		x.notes = nil
		s, err := x.named(a, name)
		for _, note := range x.notes {
			a.log.people = true
			a.log.warn(name + ": " + note)
		}
		if err == nil {
			sides[i], err = s.side(name)
		}
		if err != nil {
			return fmt.Errorf("--diff: %s: %w", name, err)
		}
	}
	d := diff.Of(sides[0], sides[1])
	if x.asJSON {
		data, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}
		return a.print(string(data) + "\n")
	}
	return diff.Print(os.Stdout, d, diff.PrintOptions{Options: terminal(), Calls: !x.brief})
}

func (s *subject) side(name string) (diff.Side, error) {
	filter, err := compile.SeccompFilter(s.spec)
	return diff.Side{Name: name, Plan: s.plan, Filter: filter, Own: []string{s.bundle, s.id}}, err
}
