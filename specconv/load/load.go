// Package load reads the documents that describe a container: config.json, the process of exec and
// the resources of update. It says everything that is of a wrong type at once, each with its place.
// Whether the values make sense is for package check to say.
package load

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ociruntime/ociruntime/specconv/problem"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ConfigName is the name of the configuration in a bundle.
const ConfigName = "config.json"

// Bundle reads and decodes config.json of the bundle, the path of a directory.
// It does not check what it says: see Check.
func Bundle(bundle string) (*specs.Spec, problem.Warnings, error) {
	data, err := os.ReadFile(filepath.Join(bundle, ConfigName))
	if err != nil {
		return nil, nil, fmt.Errorf("read the bundle's configuration: %w", err)
	}
	spec, warnings, err := Parse(data)
	if err == nil {
		err = StripRoot(spec, bundle)
	}
	return spec, warnings, err
}

// StripRoot takes the root file system's own path off destinations of mounts that begin with it:
// they are meant inside. It comes before package check, which knows paths of the container alone.
func StripRoot(spec *specs.Spec, bundle string) error {
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

// Process reads and decodes the file that describes a process for exec,
// as process in config.json. Places in warnings and errors begin with
// "process".
func Process(path string) (*specs.Process, problem.Warnings, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the process: %w", err)
	}
	process := &specs.Process{}
	warnings, err := decodeDocument(data, filepath.Base(path), "process", func(r *jsonReader) { decodeProcess(r, process) })
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
