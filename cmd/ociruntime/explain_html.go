package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ociruntime/ociruntime/libcontainer/plan/page"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
	"github.com/ociruntime/ociruntime/specconv/compile"
)

// writeHTML writes what is explained as a page, with the times of --trace.
func (x *explainFlags) writeHTML(s *subject) error {
	p := &page.Page{Title: s.title(), Subtitle: s.bundle, Plan: s.plan, Spec: s.spec, Exec: s.exec, Notes: x.notes}
	filter, err := compile.SeccompFilter(s.spec)
	if err != nil {
		return err
	}
	if filter != nil {
		var text strings.Builder
		if err := filter.WriteDecisions(&text); err != nil {
			return err
		}
		p.Filter = text.String()
	}
	if x.trace != "" {
		if p.Spans, err = trace.Read(x.trace); err != nil {
			return err
		}
	}
	return writeFile(x.html, func(f *os.File) error { return page.Write(f, p) })
}

// writeFile makes a file, or writes to standard output for "-".
func writeFile(path string, write func(*os.File) error) error {
	if path == "-" {
		return write(os.Stdout)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	return nil
}

func (s *subject) title() string {
	switch {
	case s.exec:
		return "exec in " + s.id
	case s.id == noID:
		return filepath.Base(s.bundle)
	}
	return s.id
}
