// Command client runs one command in a running test machine, over the sockets in its run directory:
//
//	client -run DIR [-u USER] [-C DIR] [-e NAME=VALUE] [-t TIME] [-n] CMD [ARG...]
//
// Its exit status is the command's; 124 means that the time ran out, 125 that the machine could not
// be used. With -qmp it talks to the emulator itself: client -qmp SOCKET COMMAND [JSON]...
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/ociruntime/ociruntime/tests/vm/wire"
)

// Exit codes of the client's own.
const (
	exitTimeout = 124
	exitMachine = 125
)

type list []string

func (l *list) String() string     { return "" }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	run := flag.String("run", "", "run directory of the machine")
	limit := flag.Duration("t", 0, "time limit of the command")
	patience := flag.Duration("wait", 2*time.Minute, "time limit for the machine to answer")
	noInput := flag.Bool("n", false, "no standard input")
	qmp := flag.String("qmp", "", "socket of the emulator: send it commands in place of the guest")
	rq := &wire.Request{}
	flag.StringVar(&rq.User, "u", "", "user in the guest")
	flag.StringVar(&rq.Dir, "C", "", "working directory in the guest")
	flag.StringVar(&rq.ShareAt, "share", "/host", "where the guest mounts the host's folder, empty for nowhere")
	flag.Var((*list)(&rq.Env), "e", "NAME=VALUE for the command, repeatable")
	flag.Parse()
	rq.Args = flag.Args()
	if rq.ShareAt != "" {
		rq.Share = "share"
	}
	code, err := exitMachine, error(nil)
	switch {
	case len(rq.Args) == 0:
		err = fmt.Errorf("no command")
	case *qmp != "":
		if err = control(*qmp, rq.Args); err == nil {
			code = 0
		}
	default:
		var c *conn
		if c, err = dial(*run, rq, time.Now().Add(*patience)); err == nil {
			code, err = c.run(*limit, *noInput)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
	}
	os.Exit(code)
}
