package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// webServer stands in for nginx or Apache: it calls itself a master process as they do, leaves its
// pid in a file, logs a line, and answers on the port that it is given.
func webServer(name, self string, args []string) error {
	const words = 2
	if len(args) != words {
		return errors.New("usage: " + name + " PORT")
	}
	if title := name + ": master process " + self; !strings.HasPrefix(args[0], title) {
		return unix.Exec(self, []string{title, args[1]}, os.Environ())
	}
	err := os.WriteFile("/var/run/"+name+".pid", []byte(strconv.Itoa(os.Getpid())), 0o644)
	if err != nil {
		return err
	}
	fmt.Println(name, "listens on port", args[1])
	return http.ListenAndServe(":"+args[1], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "It works!")
	}))
}
