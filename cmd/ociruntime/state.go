package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ociruntime/ociruntime/libcontainer"
)

// stateCommand prints a container's state. Engines read it with standard error mixed in.
func stateCommand(a *app) *cli.Command {
	return &cli.Command{
		Name: "state", ArgsUsage: "ID",
		Usage: "print a container's state, as JSON",
		Description: `Prints the state of a container as the runtime specification defines it. The status
is one of creating, created, running, paused and stopped; pid is 0 when the
container has stopped.`,
		Action: a.action(1, 1, a.container(func(c *libcontainer.Container) error {
			state, err := c.State()
			if err != nil {
				return err
			}
			return a.print(stateText(state)) // without a newline at the end, as runc
		})),
	}
}

// stateText is json.MarshalIndent of a state with two spaces. Engines ask for states all the time,
// and encoding/json would learn the shape of this one by reflection each time: 0.1 ms.
func stateText(s *libcontainer.State) string {
	var b strings.Builder
	member := func(name, value string) { b.WriteString(",\n  \"" + name + "\": " + value) }
	b.WriteString("{\n  \"ociVersion\": " + quote(s.Version))
	member("id", quote(s.ID))
	member("pid", strconv.Itoa(s.Pid))
	member("status", quote(string(s.Status)))
	member("bundle", quote(s.Bundle))
	member("rootfs", quote(s.Rootfs))
	member("created", quote(s.Created.Format(time.RFC3339Nano)))
	if len(s.Annotations) > 0 {
		var lines []string
		for _, key := range slices.Sorted(maps.Keys(s.Annotations)) {
			lines = append(lines, "    "+quote(key)+": "+quote(s.Annotations[key]))
		}
		member("annotations", "{\n"+strings.Join(lines, ",\n")+"\n  }")
	}
	member("owner", quote(s.Owner))
	return b.String() + "\n}"
}

// quote is a JSON string; the common kind needs no escapes.
func quote(s string) string {
	plain := func(c rune) bool { return c >= ' ' && c < 0x7f && !strings.ContainsRune(`"\<>&`, c) }
	if strings.IndexFunc(s, func(c rune) bool { return !plain(c) }) < 0 {
		return `"` + s + `"`
	}
	text, _ := json.Marshal(s) // can't fail for a string
	return string(text)
}
