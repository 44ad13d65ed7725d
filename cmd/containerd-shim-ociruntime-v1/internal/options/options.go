// Package options reads what containerd's clients and CRI have to say about a runtime.
package options

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/cri"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/runc"
)

// Options are what is honoured of runc's options.
type Options struct {
	NoPivot      bool
	NoNewKeyring bool
	// UID and GID own the streams.
	UID, GID uint32
	// Root is where the namespaces' directories of containers are; empty is the default.
	Root          string
	SystemdCgroup bool
	// ShimCgroup is where the daemon belongs.
	ShimCgroup string
	// CRIUWork is a directory for criu's log when a container is restored.
	CRIUWork string
	// Ignored are the names of those that were given and have no effect.
	Ignored []string
}

// Decode reads the options of a request, which may be nil. The kinds are runc's own, and the one
// that CRI sends for a runtime it does not know.
func Decode(a *api.Any) (Options, error) {
	switch name := a.MessageName(); name {
	case "":
		return Options{}, nil
	case "containerd.runc.v1.Options":
		var o runc.Options
		if err := o.UnmarshalVT(a.GetValue()); err != nil {
			return Options{}, fmt.Errorf("options: %w", err)
		}
		return fromRunc(&o), nil
	case "runtimeoptions.v1.Options":
		var o cri.Options
		if err := o.UnmarshalVT(a.GetValue()); err != nil {
			return Options{}, fmt.Errorf("options: %w", err)
		}
		return fromCRI(&o)
	default:
		return Options{Ignored: []string{"options of type " + name}}, nil
	}
}

func fromRunc(o *runc.Options) Options {
	r := Options{
		NoPivot: o.GetNoPivotRoot(), NoNewKeyring: o.GetNoNewKeyring(),
		UID: o.GetIoUid(), GID: o.GetIoGid(), Root: o.GetRoot(), SystemdCgroup: o.GetSystemdCgroup(),
		ShimCgroup: o.GetShimCgroup(), CRIUWork: o.GetCriuWorkPath(),
	}
	for _, o := range []struct{ name, given string }{
		{"BinaryName", o.GetBinaryName()}, {"CriuImagePath", o.GetCriuImagePath()},
	} {
		if o.given != "" {
			r.Ignored = append(r.Ignored, o.name)
		}
	}
	return r
}

func fromCRI(o *cri.Options) (Options, error) {
	r, err := parseTable(string(o.GetConfigBody()))
	if o.GetConfigPath() != "" && len(o.GetConfigBody()) == 0 {
		r.Ignored = append(r.Ignored, "ConfigPath")
	}
	return r, err
}

// parseTable reads the table of options as containerd writes it: `key = value` in TOML, without
// tables below it.
func parseTable(text string) (Options, error) {
	var o Options
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return o, fmt.Errorf("options: %q is not key = value", line)
		}
		key = strings.Trim(strings.TrimSpace(key), `"'`)
		if err := o.set(key, strings.TrimSpace(value)); err != nil {
			return o, fmt.Errorf("options: %s: %w", key, err)
		}
	}
	return o, nil
}

func (o *Options) set(key, value string) (err error) {
	switch key {
	case "NoPivotRoot":
		o.NoPivot, err = strconv.ParseBool(value)
	case "NoNewKeyring":
		o.NoNewKeyring, err = strconv.ParseBool(value)
	case "SystemdCgroup":
		o.SystemdCgroup, err = strconv.ParseBool(value)
	case "ShimCgroup":
		o.ShimCgroup, err = unquote(value)
	case "Root":
		o.Root, err = unquote(value)
	case "CriuWorkPath":
		o.CRIUWork, err = unquote(value)
	case "IoUid":
		o.UID, err = number(value)
	case "IoGid":
		o.GID, err = number(value)
	default:
		if value != `""` && value != "false" && value != "0" {
			o.Ignored = append(o.Ignored, key)
		}
	}
	return err
}

// unquote reads one of TOML's two kinds of strings; the escapes of the one are also Go's.
func unquote(value string) (string, error) {
	if n := len(value); n >= 2 && value[0] == '\'' && value[n-1] == '\'' {
		return value[1 : n-1], nil
	}
	return strconv.Unquote(value)
}

func number(value string) (uint32, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	return uint32(n), err
}
