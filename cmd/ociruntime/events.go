package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// eventsCommand prints statistics and notices.
func eventsCommand() *command {
	var once bool
	interval := 5 * time.Second
	return &command{
		name: "events", args: "ID", min: 1, max: 1,
		summary: "print statistics of a container, and when it lacks memory",
		about: `Prints what a container uses, as a line of JSON at each interval, and a line each
time it has run out of memory, until it ends.`,
		flags: func(f *flags) {
			f.bool(&once, "stats", "print the statistics once and return")
			f.each(func(text string) (err error) {
				if interval, err = time.ParseDuration(text); err != nil {
					err = errors.New("not a duration as in 500ms or 10s")
				}
				return err
			}, "interval", "TIME", "time between statistics (default: 5s)")
		},
		run: func(a *app, args []string) (int, error) {
			if interval <= 0 {
				return 0, errors.New("--interval: duration interval must be greater than 0")
			}
			c, err := a.runtime().Load(args[0])
			if err != nil {
				return 0, err
			}
			if !once {
				return 0, c.Events(context.Background(), interval, a.printEvent)
			}
			e, err := c.Stats()
			if err != nil {
				return 0, err
			}
			return 0, a.printEvent(e)
		},
	}
}

func (a *app) printEvent(e *libcontainer.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return a.print(string(data) + "\n")
}
