package load

import (
	"github.com/ociruntime/ociruntime/specconv/problem"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func decodeSpec(r *jsonReader, s *specs.Spec) {
	r.object(fields{
		{"ociVersion", func() { readString(r, &s.Version) }},
		{"process", func() { readPtr(r, &s.Process, decodeProcess) }},
		{"root", func() { readPtr(r, &s.Root, decodeRoot) }},
		{"hostname", func() { readString(r, &s.Hostname) }},
		{"domainname", func() { readString(r, &s.Domainname) }},
		{"mounts", func() { readList(r, &s.Mounts, decodeMount) }},
		{"hooks", func() { readPtr(r, &s.Hooks, decodeHooks) }},
		{"annotations", func() { readMap(r, &s.Annotations, readString[string]) }},
		{"linux", func() { readPtr(r, &s.Linux, decodeLinux) }},
		{"vm", func() { decodeVM(r) }},
		// other platforms'
		{"windows", r.skip}, {"solaris", r.skip}, {"zos", r.skip}, {"freebsd", r.skip},
	})
}

// decodeVM says that nothing is made of what asks for more isolation than a container has.
func decodeVM(r *jsonReader) {
	if r.null() {
		return
	}
	const msg = "ignored: a container shares the host's kernel, and no virtual machine is made"
	r.warnings = append(r.warnings, problem.Problem{Path: r.where(), Msg: msg})
	r.skip()
}

func decodeRoot(r *jsonReader, root *specs.Root) {
	r.object(fields{
		{"path", func() { readString(r, &root.Path) }},
		{"readonly", func() { readBool(r, &root.Readonly) }},
	})
}

func decodeMount(r *jsonReader, m *specs.Mount) {
	r.object(fields{
		{"destination", func() { readString(r, &m.Destination) }},
		{"type", func() { readString(r, &m.Type) }},
		{"source", func() { readString(r, &m.Source) }},
		{"options", func() { readStrings(r, &m.Options) }},
		{"uidMappings", func() { readList(r, &m.UIDMappings, decodeIDMapping) }},
		{"gidMappings", func() { readList(r, &m.GIDMappings, decodeIDMapping) }},
	})
}

func decodeHooks(r *jsonReader, h *specs.Hooks) {
	r.object(fields{
		{"prestart", func() { readList(r, &h.Prestart, decodeHook) }}, //nolint:staticcheck // deprecated, and in use
		{"createRuntime", func() { readList(r, &h.CreateRuntime, decodeHook) }},
		{"createContainer", func() { readList(r, &h.CreateContainer, decodeHook) }},
		{"startContainer", func() { readList(r, &h.StartContainer, decodeHook) }},
		{"poststart", func() { readList(r, &h.Poststart, decodeHook) }},
		{"poststop", func() { readList(r, &h.Poststop, decodeHook) }},
	})
}

func decodeHook(r *jsonReader, h *specs.Hook) {
	r.object(fields{
		{"path", func() { readString(r, &h.Path) }},
		{"args", func() { readStrings(r, &h.Args) }},
		{"env", func() { readStrings(r, &h.Env) }},
		{"timeout", func() { readPtr(r, &h.Timeout, readInt[int]) }},
	})
}
