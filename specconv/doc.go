// Package specconv turns a bundle's config.json into what the rest of the
// runtime works with: Load and Parse read it, Check says everything that is
// wrong with it, and the compiler makes a plan of it. Example and Features
// write the documents of the spec and features commands.
//
// What may come in: pure functions from the OCI runtime specification's types to
// data, one small file for each section of config.json. Only Load and
// LoadProcess touch the file system, to read one file. Nothing here asks the
// kernel, the cgroup tree or the root file system anything: such knowledge
// comes in as data.
package specconv
