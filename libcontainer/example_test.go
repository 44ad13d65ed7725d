package libcontainer_test

import (
	"context"
	"fmt"
	"log"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer"
	"github.com/ociruntime/ociruntime/specconv"
	"github.com/ociruntime/ociruntime/specconv/check"
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
