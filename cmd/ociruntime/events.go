package main

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// eventsCommand prints statistics and notices.
func eventsCommand(a *app) *cli.Command {
	var once bool
	interval := 5 * time.Second
	return &cli.Command{
		Name: "events", ArgsUsage: "ID",
		Usage: "print statistics of a container, and when it lacks memory",
		Description: `Prints what a container uses, as a line of JSON at each interval, and a line each
time it has run out of memory, until it ends.`,
		Flags: []cli.Flag{
			boolean(&once, "stats", "print the statistics once and return"),
			each(func(text string) (err error) {
				if interval, err = time.ParseDuration(text); err != nil {
					err = errors.New("not a duration as in 500ms or 10s")
				}
				return err
			}, "interval", "`TIME` between statistics (default: 5s)"),
		},
		Action: a.action(1, 1, func(c *cli.Context) error {
			if interval <= 0 {
				return errors.New("--interval: duration interval must be greater than 0")
			}
			container, err := a.runtime().Load(c.Args().First())
			if err != nil {
				return err
			}
			if !once {
				return container.Events(c.Context, interval, a.printEvent)
			}
			e, err := container.Stats()
			if err != nil {
				return err
			}
			return a.printEvent(e)
		}),
	}
}

func (a *app) printEvent(e *libcontainer.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return a.print(string(data) + "\n")
}
