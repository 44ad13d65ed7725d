package specconv

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/specconv/check"
	"github.com/ociruntime/ociruntime/specconv/load"
	"github.com/ociruntime/ociruntime/specconv/problem"
)

// LoadBundle reads config.json of the bundle dir, the path of a directory, and says everything that
// is wrong with it: an error that is a [problem.Problems], or whatever has kept it from being read.
// The options are asked for when the document has been read, as they may depend on it. The text is
// for libcontainer.CreateOptions.
func LoadBundle(dir string, options func(*specs.Spec) check.Options) (*specs.Spec, []byte, problem.Warnings, error) {
	spec, text, warnings, err := load.Bundle(dir)
	if err != nil {
		return nil, nil, warnings, err
	}
	more, err := check.Spec(spec, options(spec))
	return spec, text, append(warnings, more...), err
}
