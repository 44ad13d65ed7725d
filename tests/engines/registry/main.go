// Command registry is a container registry for tests on machines without one: it makes the images
// that critest asks for out of busybox and of itself, and serves them by HTTP.
//
//	registry ADDRESS ARCHIVE
//
// ARCHIVE is what tests/engines/image writes. Images are found by the last parts of their names,
// whatever registry they are said to be from.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	self, err := os.Executable()
	if err == nil {
		switch name := filepath.Base(self); name {
		case "nginx", "httpd":
			err = webServer(name, self, os.Args)
		case "nnp":
			fmt.Printf("Effective uid: %d\n", os.Geteuid())
		default:
			err = registry(self, os.Args)
		}
	}
	if err != nil {
		log.Fatal("registry: ", err)
	}
}

func registry(self string, args []string) error {
	const words = 3
	if len(args) != words {
		return fmt.Errorf("usage: registry ADDRESS ARCHIVE")
	}
	base, err := baseLayer(args[2])
	if err != nil {
		return err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	s := newStore()
	if err := s.addAll(base, program); err != nil {
		return err
	}
	return http.ListenAndServe(args[1], s)
}
