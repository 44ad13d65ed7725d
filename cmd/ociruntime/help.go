package main

import (
	"fmt"
	"strings"
)

// helpCommand shows the help, whole or of one command.
func helpCommand() *command {
	return &command{
		name: "help", args: "[COMMAND]", max: 1,
		summary: "show this help, or a command's",
		about:   "Shows what the program or one of its commands does, and its flags.",
		run: func(a *app, args []string) (int, error) {
			if len(args) == 0 {
				return 0, a.print(globalHelp())
			}
			c := lookup(args[0])
			if c == nil {
				return 0, unknownCommand(args[0])
			}
			return 0, a.print(commandHelp(c))
		},
	}
}

// unknownCommand is the error of a word that is no command. Its text and exit code are what scripts written for runc look for.
type unknownCommand string

func (u unknownCommand) Error() string {
	switch u {
	case "checkpoint", "restore":
		return string(u) + ": not supported: " + name + " neither checkpoints nor restores containers"
	}
	return "No help topic for '" + string(u) + "'"
}

// globalHelp is the help of the program.
func globalHelp() string {
	var b strings.Builder
	b.WriteString(name + " runs containers from bundles of the Open Container Initiative.\n\n" +
		"A bundle is a directory with a config.json and a root filesystem. \"" + name + " spec\"\n" +
		"writes a config.json to start from, and \"" + name + " run ID\" runs the bundle in the\ncurrent directory.\n\n" +
		"Usage: " + name + " [global flags] COMMAND [flags] [arguments]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.summary)
	}
	b.WriteString("\nGlobal flags:\n")
	writeFlags(&b, newFlags((&globals{}).define).docs)
	b.WriteString("\n\"" + name + " help COMMAND\" says more about a command.\n")
	return b.String()
}

// commandHelp is the help of a command.
func commandHelp(c *command) string {
	var b strings.Builder
	b.WriteString("Usage: " + name + " " + c.name + " [flags]")
	if c.args != "" {
		b.WriteString(" " + c.args)
	}
	b.WriteString("\n\n" + c.about + "\n\nFlags:\n")
	writeFlags(&b, newFlags(c.flags).docs)
	return b.String()
}

// writeFlags writes a flag a line, aligned.
func writeFlags(b *strings.Builder, docs []flagDoc) {
	width := 0
	for _, d := range docs {
		if d.usage != "" {
			width = max(width, len(d.spelling()))
		}
	}
	for _, d := range docs {
		if d.usage != "" {
			fmt.Fprintf(b, "  %-*s  %s\n", width, d.spelling(), d.usage)
		}
	}
}

// spelling is a flag as the help writes it: "-b, --bundle DIR".
func (d flagDoc) spelling() string {
	s := "    --" + d.long
	if d.short != "" {
		s = "-" + d.short + ", --" + d.long
	}
	if d.arg != "" {
		s += " " + d.arg
	}
	return s
}
