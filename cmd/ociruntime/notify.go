package main

import (
	"os"
	"time"

	"github.com/ociruntime/ociruntime/libcontainer/sdnotify"
)

// notifySocket is the address at which a service manager waits to hear that we are ready, or empty.
// One that is not a unix socket's is as good as none: it was left to us by somebody who runs in a
// virtual machine.
func (a *app) notifySocket() string {
	if s := os.Getenv("NOTIFY_SOCKET"); sdnotify.Valid(s) {
		return s
	}
	return ""
}

// readyTold waits for what has come of telling the service manager, now that the program has ended.
func (a *app) readyTold(told <-chan error) {
	select {
	case err := <-told:
		if err != nil {
			a.log.warn(err.Error())
		}
	case <-time.After(time.Second): // it does not read
	}
}
