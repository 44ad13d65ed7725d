package check

import (
	"strings"

	"github.com/ociruntime/ociruntime/specconv/names"
	"github.com/ociruntime/ociruntime/specconv/problem"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// version takes any Semantic Version 2.0.0 with the major 1. A higher minor
// than ours is no reason to refuse: engines run ahead of runtimes.
func (c *checker) version(v string) {
	switch {
	case v == "":
		c.bad("ociVersion", "must be set")
	case !semanticVersion(v):
		c.bad("ociVersion", "must be a semantic version as in \"1.2.0\", not %q", v)
	case !strings.HasPrefix(v, "1."):
		c.bad("ociVersion", "must be 1.x, not %q", v)
	}
}

// semanticVersion says whether v is one, by the grammar of semver.org.
func semanticVersion(v string) bool {
	v, build, hasBuild := strings.Cut(v, "+")
	core, pre, hasPre := strings.Cut(v, "-")
	if hasBuild && !semanticParts(build, false) || hasPre && !semanticParts(pre, true) {
		return false
	}
	numbers := 0
	for number := range strings.SplitSeq(core, ".") {
		numbers++
		if strings.Trim(number, "0123456789") != "" || !semanticParts(number, true) {
			return false
		}
	}
	return numbers == 3
}

// semanticParts checks identifiers joined by dots; numbers among them must not
// begin with zero where they count for the order.
func semanticParts(s string, ordered bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		number := true
		for _, r := range []byte(part) {
			digit := r >= '0' && r <= '9'
			if !digit && !(r|0x20 >= 'a' && r|0x20 <= 'z') && r != '-' {
				return false
			}
			number = number && digit
		}
		if part == "" || ordered && number && len(part) > 1 && part[0] == '0' {
			return false
		}
	}
	return true
}

func (c *checker) hostnames(spec *specs.Spec) {
	c.hostname("hostname", spec.Hostname)
	c.hostname("domainname", spec.Domainname)
}

func (c *checker) hostname(place, name string) {
	const most = 64 // __NEW_UTS_LEN
	switch {
	case name == "":
		return
	case c.lacks(specs.UTSNamespace) != "":
		c.bad(place, "%s", c.lacks(specs.UTSNamespace))
	case nul(name):
		c.bad(place, hasNUL)
	case len(name) > most:
		c.bad(place, "must not be longer than %d bytes: %q", most, name)
	}
}

func (c *checker) hooks(h *specs.Hooks) {
	if h == nil {
		return
	}
	c.hookList("hooks.prestart", h.Prestart) //nolint:staticcheck // deprecated, and in use
	c.hookList("hooks.createRuntime", h.CreateRuntime)
	c.hookList("hooks.createContainer", h.CreateContainer)
	c.hookList("hooks.startContainer", h.StartContainer)
	c.hookList("hooks.poststart", h.Poststart)
	c.hookList("hooks.poststop", h.Poststop)
}

func (c *checker) hookList(list string, hooks []specs.Hook) {
	for i := range hooks {
		h := &hooks[i]
		if h.Path == "" || h.Path[0] != '/' || nul(h.Path) {
			c.absolute(at(list, i)+".path", h.Path)
		}
		for j, arg := range h.Args {
			if nul(arg) {
				c.bad(at(at(list, i)+".args", j), hasNUL)
			}
		}
		for j, entry := range h.Env {
			if nul(entry) {
				c.bad(at(at(list, i)+".env", j), hasNUL)
			}
		}
		if h.Timeout != nil && *h.Timeout <= 0 {
			c.bad(at(list, i)+".timeout", "must be more than 0 seconds, not %d", *h.Timeout)
		}
	}
}

func (c *checker) annotations(annotations map[string]string) {
	for _, key := range problem.OrderedKeys(annotations) {
		if key == "" {
			c.bad(problem.MemberPath("annotations", key), "a key must not be empty")
		}
		switch {
		case key == names.Handler && annotations[key] != "":
			c.bad(problem.MemberPath("annotations", key), "%q is not supported: containers are run by the host's kernel alone", annotations[key])
		case key != names.Handler && names.IgnoredAnnotation(key):
			c.warn(problem.MemberPath("annotations", key), "ignored: this runtime does not know it")
		}
		property, ok := strings.CutPrefix(key, names.SystemdProperty)
		if ok && (len(property) < 3 || !onlyLetters(property)) {
			c.bad(problem.MemberPath("annotations", key), "%q is not the name of a systemd property: three or more letters", property)
		}
	}
}

func onlyLetters(s string) bool {
	for _, r := range []byte(s) {
		if !(r|0x20 >= 'a' && r|0x20 <= 'z') {
			return false
		}
	}
	return true
}

func (c *checker) intelRdt() {
	rdt := c.linux.IntelRdt
	if rdt == nil {
		return
	}
	const place = "linux.intelRdt"
	if id := rdt.ClosID; id != "/" && (id == "." || id == ".." || strings.ContainsAny(id, "/\n\x00")) {
		c.bad(place+".closID", "must be / or the name of one directory, not %q", id)
	}
	if s := rdt.L3CacheSchema; s != "" && (!strings.HasPrefix(s, "L3:") || strings.Contains(s, "\n")) {
		c.warn(place+".l3CacheSchema", "should be one line that begins with L3: %q", s)
	}
	if s := rdt.MemBwSchema; s != "" && (!strings.HasPrefix(s, "MB:") || strings.Contains(s, "\n")) {
		c.bad(place+".memBwSchema", "must be one line that begins with MB: %q", s)
	}
	for i, s := range rdt.Schemata {
		if s == "" || strings.Contains(s, "\n") {
			c.bad(at(place+".schemata", i), "must be one line: %q", s)
		}
	}
}

// memoryPolicy knows what set_mempolicy(2) answers with EINVAL on any machine.
func (c *checker) memoryPolicy() {
	policy := c.linux.MemoryPolicy
	if policy == nil {
		return
	}
	const place = "linux.memoryPolicy"
	if _, ok := names.MemoryPolicyMode(policy.Mode); !ok {
		c.bad(place+".mode", "unknown memory policy %q", policy.Mode)
	}
	c.numberList(place+".nodes", policy.Nodes)
	switch policy.Mode {
	case specs.MpolDefault, specs.MpolLocal:
		if policy.Nodes != "" {
			c.bad(place+".nodes", "must be empty for %s, not %q", policy.Mode, policy.Nodes)
		}
	case specs.MpolBind, specs.MpolInterleave, specs.MpolWeightedInterleave, specs.MpolPreferredMany:
		if policy.Nodes == "" {
			c.bad(place+".nodes", "must not be empty for %s", policy.Mode)
		}
	}
	var static, relative bool
	for i, flag := range policy.Flags {
		if _, ok := names.MemoryPolicyFlag(flag); !ok {
			c.bad(at(place+".flags", i), "unknown memory policy flag %q", flag)
		}
		static = static || flag == specs.MpolFStaticNodes
		relative = relative || flag == specs.MpolFRelativeNodes
	}
	if static && relative {
		c.bad(place+".flags", "must not have both %s and %s", specs.MpolFStaticNodes, specs.MpolFRelativeNodes)
	}
}

func (c *checker) personality() {
	p := c.linux.Personality
	if p == nil {
		return
	}
	if p.Domain != specs.PerLinux && p.Domain != specs.PerLinux32 {
		c.bad("linux.personality.domain", "must be LINUX or LINUX32, not %q", p.Domain)
	}
	if len(p.Flags) > 0 {
		c.bad("linux.personality.flags", "must be empty: no flags are supported")
	}
}
