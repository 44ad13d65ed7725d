package state

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The record is written and read by hand: encoding/json learns its shape by reflection anew in each process, 0.2 ms either way, and every
// command reads it. What comes from elsewhere (another runtime, an editor) is left to encoding/json.

// encoder appends JSON without white space.
type encoder struct{ b []byte }

func (r *Record) encode() []byte {
	e := &encoder{b: make([]byte, 0, 2048)}
	e.b = append(e.b, '{')
	e.int("version", int64(r.Version))
	e.text("id", r.ID)
	e.text("phase", string(r.Phase))
	e.int("init_process_pid", int64(r.InitPid))
	e.key("init_process_start")
	e.b = strconv.AppendUint(e.b, r.InitStart, 10)
	e.optional("boot_id", r.BootID)
	e.key("created")
	e.b = r.Created.AppendFormat(append(e.b, '"'), time.RFC3339Nano)
	e.b = append(e.b, '"')
	e.text("bundle", r.Bundle)
	e.text("oci_version", r.OCIVersion)
	if len(r.Annotations) > 0 {
		e.table("annotations", r.Annotations)
	}
	e.int("owner", int64(r.Owner))
	e.bool("rootless", r.Rootless)
	e.table("cgroup_paths", r.CgroupPaths)
	e.bool("cgroup_made", r.CgroupMade)
	e.optional("systemd_scope", r.SystemdScope)
	if r.RootBelow != 0 {
		e.key("root_below")
		e.b = strconv.AppendUint(e.b, r.RootBelow, 10)
	}
	e.table("namespace_paths", r.NamespacePaths)
	e.list("external_descriptors", r.ExternalDescriptors)
	e.optional("intel_rdt_path", r.IntelRdtPath)
	e.optional("intel_rdt_mon_path", r.IntelRdtMonPath)
	if r.IntelRdtOwn {
		e.bool("intel_rdt_own", true)
	}
	if r.IntelRdtMonMade {
		e.bool("intel_rdt_mon_made", true)
	}
	e.int("wait_op", int64(r.WaitOp))
	e.int("exec_op", int64(r.ExecOp))
	e.config(&r.Config)
	return append(e.b, '}')
}

func (e *encoder) config(c *Config) {
	e.key("config")
	e.b = append(e.b, '{')
	e.text("rootfs", c.Rootfs)
	e.namespaces(c.Namespaces)
	if c.Cgroups != nil {
		e.key("cgroups")
		e.b = append(e.b, '{')
		e.text("path", c.Cgroups.Path)
		e.b = append(e.b, '}')
	}
	e.list("labels", c.Labels)
	e.b = append(e.b, '}')
}

func (e *encoder) namespaces(list []Namespace) {
	e.key("namespaces")
	if list == nil {
		e.b = append(e.b, "null"...)
		return
	}
	e.b = append(e.b, '[')
	for i, ns := range list {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.b = append(e.b, '{')
		e.text("type", ns.Type)
		e.text("path", ns.Path)
		e.b = append(e.b, '}')
	}
	e.b = append(e.b, ']')
}

// key begins a member.
func (e *encoder) key(name string) {
	if e.b[len(e.b)-1] != '{' {
		e.b = append(e.b, ',')
	}
	e.string(name)
	e.b = append(e.b, ':')
}

func (e *encoder) string(s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	e.b = append(e.b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			e.b = append(e.b, '\\', c)
		case c < ' ':
			const hex = "0123456789abcdef"
			e.b = append(e.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			e.b = append(e.b, c)
		}
	}
	e.b = append(e.b, '"')
}

func (e *encoder) text(name, s string) {
	e.key(name)
	e.string(s)
}

func (e *encoder) optional(name, s string) {
	if s != "" {
		e.text(name, s)
	}
}

func (e *encoder) int(name string, n int64) {
	e.key(name)
	e.b = strconv.AppendInt(e.b, n, 10)
}

func (e *encoder) bool(name string, v bool) {
	e.key(name)
	e.b = strconv.AppendBool(e.b, v)
}

func (e *encoder) table(name string, m map[string]string) {
	e.key(name)
	if m == nil {
		e.b = append(e.b, "null"...)
		return
	}
	e.b = append(e.b, '{')
	for _, k := range slices.Sorted(maps.Keys(m)) {
		e.text(k, m[k])
	}
	e.b = append(e.b, '}')
}

// list writes a list that isn't empty.
func (e *encoder) list(name string, l []string) {
	if len(l) == 0 {
		return
	}
	e.key(name)
	e.b = append(e.b, '[')
	for i, s := range l {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.string(s)
	}
	e.b = append(e.b, ']')
}

// decoder reads what encoder writes; bad says that something else stands there.
type decoder struct {
	s   string
	bad bool
}

// decode reads a record of our own writing. ok is false for any other, of which r may have got a part.
func (r *Record) decode(text string) (ok bool) {
	// What json refuses in strings is refused here for the whole text: there is nothing of the kind between them either.
	d := &decoder{s: text, bad: !utf8.ValidString(text) || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' })}
	d.object(func(key string) {
		if !d.head(r, key) && !d.tail(r, key) {
			d.bad = true
		}
	})
	return !d.bad && d.s == ""
}

func (d *decoder) head(r *Record, key string) bool {
	switch key {
	case "version":
		r.Version = d.small()
	case "id":
		r.ID = d.string()
	case "phase":
		r.Phase = Phase(d.string())
	case "init_process_pid":
		r.InitPid = d.small()
	case "init_process_start":
		r.InitStart = d.number()
	case "boot_id":
		r.BootID = d.string()
	case "created":
		var err error
		r.Created, err = time.Parse(time.RFC3339Nano, d.string())
		d.bad = d.bad || err != nil
	case "bundle":
		r.Bundle = d.string()
	case "oci_version":
		r.OCIVersion = d.string()
	case "annotations":
		r.Annotations = d.table()
	case "owner":
		r.Owner = d.small()
	case "rootless":
		r.Rootless = d.boolean()
	default:
		return false
	}
	return true
}

func (d *decoder) tail(r *Record, key string) bool {
	switch key {
	case "cgroup_paths":
		r.CgroupPaths = d.table()
	case "cgroup_made":
		r.CgroupMade = d.boolean()
	case "systemd_scope":
		r.SystemdScope = d.string()
	case "root_below":
		r.RootBelow = d.number()
	case "namespace_paths":
		r.NamespacePaths = d.table()
	case "external_descriptors":
		d.list(func() { r.ExternalDescriptors = append(r.ExternalDescriptors, d.string()) })
	case "intel_rdt_path":
		r.IntelRdtPath = d.string()
	case "intel_rdt_mon_path":
		r.IntelRdtMonPath = d.string()
	case "intel_rdt_own":
		r.IntelRdtOwn = d.boolean()
	case "intel_rdt_mon_made":
		r.IntelRdtMonMade = d.boolean()
	case "wait_op":
		r.WaitOp = d.signed()
	case "exec_op":
		r.ExecOp = d.signed()
	case "config":
		d.object(func(key string) { d.config(&r.Config, key) })
	default:
		return false
	}
	return true
}

func (d *decoder) config(c *Config, key string) {
	switch key {
	case "rootfs":
		c.Rootfs = d.string()
	case "namespaces":
		d.list(func() {
			t := d.table()
			c.Namespaces = append(c.Namespaces, Namespace{Type: t["type"], Path: t["path"]})
		})
	case "cgroups":
		c.Cgroups = &Cgroups{Path: d.table()["path"]}
	case "labels":
		d.list(func() { c.Labels = append(c.Labels, d.string()) })
	default:
		d.bad = true
	}
}

// take reads a piece of text if it is next.
func (d *decoder) take(text string) bool {
	rest, ok := strings.CutPrefix(d.s, text)
	if ok {
		d.s = rest
	}
	return ok
}

func (d *decoder) want(text string) { d.bad = !d.take(text) || d.bad }

func (d *decoder) object(member func(key string)) {
	d.want("{")
	for first := true; !d.bad && !d.take("}"); first = false {
		if !first {
			d.want(",")
		}
		key := d.string()
		d.want(":")
		if !d.bad {
			member(key)
		}
	}
}

func (d *decoder) list(item func()) {
	if d.take("null") {
		return
	}
	d.want("[")
	for first := true; !d.bad && !d.take("]"); first = false {
		if !first {
			d.want(",")
		}
		if !d.bad {
			item()
		}
	}
}

func (d *decoder) table() map[string]string {
	if d.take("null") {
		return nil
	}
	m := make(map[string]string)
	d.object(func(key string) { m[key] = d.string() })
	return m
}

// string reads a text without escapes; one with them is too rare to care.
func (d *decoder) string() string {
	d.want(`"`)
	end := strings.IndexAny(d.s, `"\`)
	if d.bad || end < 0 || d.s[end] == '\\' {
		d.bad = true
		return ""
	}
	s := d.s[:end]
	d.s = d.s[end+1:]
	return s
}

func (d *decoder) number() uint64 {
	end := 0
	for end < len(d.s) && d.s[end] >= '0' && d.s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(d.s[:end], 10, 64)
	d.bad = d.bad || err != nil || d.s[0] == '0' && end > 1
	d.s = d.s[end:]
	return n
}

func (d *decoder) small() int {
	n := d.number()
	d.bad = d.bad || n > math.MaxInt
	return int(n)
}

func (d *decoder) signed() int {
	sign := 1
	if d.take("-") {
		sign = -1
	}
	return sign * d.small()
}

func (d *decoder) boolean() bool {
	if d.take("true") {
		return true
	}
	d.want("false")
	return false
}
