// Package load reads the documents that describe a container: config.json, the process of exec and
// the resources of update. It says everything that is of a wrong type at once, each with its place.
// Whether the values make sense is for package check to say.
package load

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ociruntime/ociruntime/specconv/problem"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ConfigName is the name of the configuration in a bundle.
const ConfigName = "config.json"

// Bundle reads and decodes config.json of the bundle, the path of a directory, and gives its text
// as well. It does not check what it says. A bundle without one is an error that is fs.ErrNotExist.
func Bundle(bundle string) (spec *specs.Spec, text []byte, warnings problem.Warnings, err error) {
	text, err = os.ReadFile(filepath.Join(bundle, ConfigName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil, noConfig(bundle)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if spec, warnings, err = Parse(text); err == nil {
		err = stripRoot(spec, bundle)
	}
	return spec, text, warnings, err
}

// noConfig is the error of a directory without config.json. It does without the kernel's words,
// which engines take for a program that is missing.
type noConfig string

func (dir noConfig) Error() string { return "there is no " + ConfigName + " in " + string(dir) }

func (noConfig) Is(target error) bool { return target == fs.ErrNotExist }

// stripRoot takes the root file system's own path off destinations of mounts that begin with it:
// they are meant inside. It comes before package check, which knows paths of the container alone.
func stripRoot(spec *specs.Spec, bundle string) error {
	if spec.Root == nil || spec.Root.Path == "" {
		return nil
	}
	root := spec.Root.Path
	if !filepath.IsAbs(root) {
		root = filepath.Join(bundle, root)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	for i := range spec.Mounts {
		dest := filepath.Clean(spec.Mounts[i].Destination)
		if inside, ok := strings.CutPrefix(dest, root); ok && root != "/" && (inside == "" || inside[0] == '/') {
			spec.Mounts[i].Destination = "/" + strings.TrimPrefix(inside, "/")
		}
	}
	return nil
}

// Parse decodes a config.json.
//
// Unknown properties are ignored, and so are the sections for other platforms
// and virtual machines (windows, solaris, zos, freebsd, vm). A property whose
// name is right but for upper and lower case is taken, as runtimes written in
// Go do, with a warning. Of several members with one name the last one counts,
// with a warning. A null leaves its property unset.
//
// The error is a Problems with one entry for each value of a wrong type, or
// for the first place that is not JSON in UTF-8.
func Parse(data []byte) (*specs.Spec, problem.Warnings, error) {
	spec := &specs.Spec{}
	warnings, err := decodeDocument(data, ConfigName, "", func(r *jsonReader) { decodeSpec(r, spec) })
	if err != nil {
		return nil, warnings, err
	}
	return spec, warnings, nil
}

// Unknown names the properties of a config.json that [Parse] ignores because nobody here knows
// them, each with the one that may have been meant. It is for people who look for a mistake: a
// document for a later version of the specification may have such, too.
func Unknown(data []byte) problem.Warnings {
	var unknown problem.Warnings
	r := newReader(data)
	r.unknown = &unknown
	r.document(func(r *jsonReader) { decodeSpec(r, &specs.Spec{}) })
	return unknown
}

// Process reads and decodes the file that describes a process for exec,
// as process in config.json. Places in warnings and errors begin with
// "process".
func Process(path string) (*specs.Process, problem.Warnings, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the process: %w", err)
	}
	return decodeProcessDocument(data, filepath.Base(path))
}

// ParseProcess decodes such a description for a program that has it in hand.
func ParseProcess(data []byte) (*specs.Process, problem.Warnings, error) {
	return decodeProcessDocument(data, "process")
}

func decodeProcessDocument(data []byte, name string) (*specs.Process, problem.Warnings, error) {
	process := &specs.Process{}
	warnings, err := decodeDocument(data, name, "process", func(r *jsonReader) { decodeProcess(r, process) })
	if err != nil {
		return nil, warnings, err
	}
	return process, warnings, nil
}

// Resources decodes resources as they stand in linux.resources of
// config.json; the update command gets them in a file. Places in warnings and
// errors begin with "resources".
func Resources(data []byte) (*specs.LinuxResources, problem.Warnings, error) {
	resources := &specs.LinuxResources{}
	warnings, err := decodeDocument(data, "resources", "resources", func(r *jsonReader) { decodeResources(r, resources) })
	if err != nil {
		return nil, warnings, err
	}
	return resources, warnings, nil
}
