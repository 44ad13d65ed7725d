package load

import specs "github.com/opencontainers/runtime-spec/specs-go"

func decodeSpec(r *jsonReader, s *specs.Spec) {
	r.object(func(name string) bool {
		switch name {
		case "ociVersion":
			readString(r, &s.Version)
		case "process":
			readPtr(r, &s.Process, decodeProcess)
		case "root":
			readPtr(r, &s.Root, decodeRoot)
		case "hostname":
			readString(r, &s.Hostname)
		case "domainname":
			readString(r, &s.Domainname)
		case "mounts":
			readList(r, &s.Mounts, decodeMount)
		case "hooks":
			readPtr(r, &s.Hooks, decodeHooks)
		case "annotations":
			readMap(r, &s.Annotations, readString[string])
		case "linux":
			readPtr(r, &s.Linux, decodeLinux)
		default:
			return false
		}
		return true
	})
}

func decodeRoot(r *jsonReader, root *specs.Root) {
	r.object(func(name string) bool {
		switch name {
		case "path":
			readString(r, &root.Path)
		case "readonly":
			readBool(r, &root.Readonly)
		default:
			return false
		}
		return true
	})
}

func decodeMount(r *jsonReader, m *specs.Mount) {
	r.object(func(name string) bool {
		switch name {
		case "destination":
			readString(r, &m.Destination)
		case "type":
			readString(r, &m.Type)
		case "source":
			readString(r, &m.Source)
		case "options":
			readStrings(r, &m.Options)
		case "uidMappings":
			readList(r, &m.UIDMappings, decodeIDMapping)
		case "gidMappings":
			readList(r, &m.GIDMappings, decodeIDMapping)
		default:
			return false
		}
		return true
	})
}

func decodeHooks(r *jsonReader, h *specs.Hooks) {
	r.object(func(name string) bool {
		switch name {
		case "prestart":
			readList(r, &h.Prestart, decodeHook) //nolint:staticcheck // deprecated, and in use
		case "createRuntime":
			readList(r, &h.CreateRuntime, decodeHook)
		case "createContainer":
			readList(r, &h.CreateContainer, decodeHook)
		case "startContainer":
			readList(r, &h.StartContainer, decodeHook)
		case "poststart":
			readList(r, &h.Poststart, decodeHook)
		case "poststop":
			readList(r, &h.Poststop, decodeHook)
		default:
			return false
		}
		return true
	})
}

func decodeHook(r *jsonReader, h *specs.Hook) {
	r.object(func(name string) bool {
		switch name {
		case "path":
			readString(r, &h.Path)
		case "args":
			readStrings(r, &h.Args)
		case "env":
			readStrings(r, &h.Env)
		case "timeout":
			readPtr(r, &h.Timeout, readInt[int])
		default:
			return false
		}
		return true
	})
}
