package libcontainer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
)

// A container is created from a bundle, started, joined by a second process, waited for and
// deleted. It takes root, and a bundle: a directory with config.json and a root file system.
func ExampleRuntime_Create() {
	ctx := context.Background()
	rt := &libcontainer.Runtime{Root: "/run/example", Warn: func(msg string) { log.Print(msg) }}

	const bundle = "/var/lib/example/bundle"
	spec, config, _, err := specconv.LoadBundle(bundle, func(*specs.Spec) check.Options { return check.Options{} })
	if err != nil {
		log.Fatal(err)
	}
	spec.Process.Terminal = false // stdio is what we hand over
	given := libcontainer.ProcessOptions{Stdio: [3]*os.File{os.Stdin, os.Stdout, os.Stderr}}
	c, init, err := rt.Create(ctx, "example", &libcontainer.CreateOptions{
		ProcessOptions: given, Bundle: bundle, Spec: spec, Config: config,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Start(ctx, ""); err != nil {
		log.Fatal(err)
	}

	second := *spec.Process
	second.Args = []string{"ps"}
	p, err := c.Exec(ctx, &libcontainer.ExecOptions{ProcessOptions: given, Process: &second})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		log.Fatal(err)
	}

	status, err := init.Wait()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ended with", status.ExitStatus())
	if err := c.Delete(ctx, false); err != nil {
		log.Fatal(err)
	}
}

// The plan of a bundle says what would happen, and nothing does.
func ExampleRuntime_Explain() {
	rt := &libcontainer.Runtime{Root: "/run/example"}
	const bundle = "/var/lib/example/bundle"
	spec, _, _, err := specconv.LoadBundle(bundle, func(*specs.Spec) check.Options { return check.Options{} })
	if err != nil {
		log.Fatal(err)
	}
	plan, err := rt.Explain("example", bundle, spec)
	if err != nil {
		log.Fatal(err)
	}
	for i := range plan.Steps {
		fmt.Printf("%s [%s]\n", plan.Steps[i].What, plan.Steps[i].From)
	}
}

// A program with many containers waits for all of them, and for their lack of memory, without a
// thread for each.
func ExampleProcess_WaitContext() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	rt := &libcontainer.Runtime{Root: "/run/example", Resident: true}
	c, init := create(rt, "example")

	lacks, err := c.WatchOOM(ctx)
	if err != nil {
		log.Print(err) // as without a memory controller
	}
	go func() {
		for range lacks {
			fmt.Println("out of memory")
		}
	}()
	if err := c.Start(ctx, ""); err != nil {
		log.Fatal(err)
	}
	status, err := init.WaitContext(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		// It runs on, and can be signalled without the danger that its pid is another process's.
		if err := init.Signal(unix.SIGTERM); err != nil {
			log.Fatal(err)
		}
	case err != nil:
		log.Fatal(err)
	case status.Signaled():
		fmt.Println("killed by", status.Signal())
	}
	// Of the last lack of memory the notice may not have come yet.
	if killed, err := c.OOMKilled(); err == nil && killed {
		fmt.Println("a process was killed for its memory")
	}
}

// Several processes are executed at once, each by an object of its own, and the configuration is
// read once for all.
func ExampleContainer_Exec() {
	ctx := context.Background()
	rt := &libcontainer.Runtime{Root: "/run/example", Resident: true}
	c, err := rt.Load("example")
	if err != nil {
		log.Fatal(err)
	}
	config, err := c.Config()
	if err != nil {
		log.Fatal(err)
	}
	var all sync.WaitGroup
	for _, program := range []string{"id", "uptime"} {
		all.Go(func() {
			c, err := rt.Load("example")
			if err != nil {
				log.Fatal(err)
			}
			process := *config.Process
			process.Args, process.Terminal = []string{program}, false
			p, err := c.Exec(ctx, &libcontainer.ExecOptions{
				ProcessOptions: libcontainer.ProcessOptions{Stdio: [3]*os.File{os.Stdin, os.Stdout, os.Stderr}},
				Process:        &process, Config: config,
			})
			switch {
			case errors.Is(err, libcontainer.ErrNotRunning), errors.Is(err, libcontainer.ErrPaused):
				fmt.Println("not now:", err)
				return
			case err != nil:
				log.Fatal(err)
			}
			if _, err := p.WaitContext(ctx); err != nil {
				log.Fatal(err)
			}
		})
	}
	all.Wait()
}

// Limits change while the container runs, and statistics show what it has used of them.
func ExampleContainer_Update() {
	rt := &libcontainer.Runtime{Root: "/run/example"}
	c, err := rt.Load("example")
	if err != nil {
		log.Fatal(err)
	}
	resources, _, err := load.Resources([]byte(`{"memory":{"limit":67108864},"pids":{"limit":100}}`))
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Update(&libcontainer.UpdateOptions{Resources: resources}); err != nil {
		log.Fatal(err)
	}
	event, err := c.Stats()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Data.Memory.Usage.Usage, "of", event.Data.Memory.Usage.Limit, "bytes")
	pids, err := c.Pids()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("processes", pids)
}

// A container is paused, goes on, and is ended with everything in it.
func ExampleContainer_Kill() {
	rt := &libcontainer.Runtime{Root: "/run/example"}
	c, err := rt.Load("example")
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Pause(); err != nil {
		log.Fatal(err)
	}
	if err := c.Resume(); err != nil {
		log.Fatal(err)
	}
	const all = true
	if err := c.Kill(unix.SIGKILL, all); err != nil {
		log.Fatal(err)
	}
	if err := c.Delete(context.Background(), false); err != nil {
		log.Fatal(err)
	}
}

// create makes a container from a bundle.
func create(rt *libcontainer.Runtime, id string) (*libcontainer.Container, *libcontainer.Process) {
	const bundle = "/var/lib/example/bundle"
	spec, config, _, err := specconv.LoadBundle(bundle, func(*specs.Spec) check.Options { return check.Options{} })
	if err != nil {
		log.Fatal(err)
	}
	spec.Process.Terminal = false
	c, init, err := rt.Create(context.Background(), id, &libcontainer.CreateOptions{
		ProcessOptions: libcontainer.ProcessOptions{Stdio: [3]*os.File{os.Stdin, os.Stdout, os.Stderr}},
		Bundle:         bundle, Spec: spec, Config: config,
	})
	if err != nil {
		log.Fatal(err)
	}
	return c, init
}
