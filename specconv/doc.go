// Package specconv writes the documents of the spec and features commands. Its packages turn a
// bundle's config.json into a plan:
//
//	spec, text, warnings, err := load.Bundle(dir)                     // config.json → spec
//	warnings, err = check.Spec(spec, check.Options{})                 // everything wrong with it
//	plan, err := compile.Create(&compile.Input{Spec: spec, Facts: …}) // spec + facts → plan
//
// [LoadBundle] does the first two.
//
// All of them are pure functions from the types of the OCI runtime specification to data, but for
// the reading of one file. Nothing here asks the kernel, the cgroup tree or the root file system
// anything: such knowledge comes in as data (package facts).
package specconv
