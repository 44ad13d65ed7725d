package intelrdt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// line is a line of a schemata file and the place in config.json that it comes from.
type line struct{ text, from string }

// lines are what a configuration asks for, in the order in which it counts: l3CacheSchema and
// memBwSchema are compared with a class that exists, schemata is always written.
func lines(cfg *specs.LinuxIntelRdt) (classic, schemata []line) {
	const place = "linux.intelRdt."
	for text := range strings.SplitSeq(cfg.L3CacheSchema, "\n") {
		text = strings.TrimSpace(text)
		// memBwSchema takes the place of what was once written here.
		if text != "" && (cfg.MemBwSchema == "" || !strings.HasPrefix(text, "MB:")) {
			classic = append(classic, line{text, place + "l3CacheSchema"})
		}
	}
	if cfg.MemBwSchema != "" {
		classic = append(classic, line{cfg.MemBwSchema, place + "memBwSchema"})
	}
	for i, text := range cfg.Schemata {
		schemata = append(schemata, line{text, fmt.Sprintf("%sschemata[%d]", place, i)})
	}
	return classic, schemata
}

// schema is a schemata file, or some lines of one: resource, domain, value.
type schema map[string]map[string]string

// parseSchema reads lines such as "    L3:0=00ff;1=f0". Numbers lose their leading zeros.
func parseSchema(text string) schema {
	s := schema{}
	for l := range strings.SplitSeq(text, "\n") {
		resource, domains, ok := strings.Cut(strings.TrimSpace(l), ":")
		if !ok {
			continue
		}
		if s[resource] == nil {
			s[resource] = map[string]string{}
		}
		for d := range strings.SplitSeq(domains, ";") {
			id, value, _ := strings.Cut(d, "=")
			s[resource][plain(id)] = plain(value)
		}
	}
	return s
}

func plain(number string) string {
	number = strings.ToLower(strings.TrimSpace(number))
	if short := strings.TrimLeft(number, "0"); short != "" || number == "" {
		return short
	}
	return "0"
}

// conflict compares a line with what is in force, and says what differs. Domains that the line
// leaves out may be anything.
func (s schema) conflict(text string, gran uint64) string {
	for resource, domains := range parseSchema(text) {
		have, ok := s[resource]
		if !ok {
			return "it has no " + resource
		}
		for _, id := range sortedKeys(domains) {
			if want := domains[id]; have[id] != want && (resource != "MB" || have[id] != roundUp(want, gran)) {
				return fmt.Sprintf("it has %s:%s=%s", resource, id, have[id])
			}
		}
	}
	return ""
}

// roundUp is what the kernel makes of a memory bandwidth: the next step that the hardware has.
func roundUp(value string, step uint64) string {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || step == 0 {
		return value
	}
	return strconv.FormatUint((n+step-1)/step*step, 10)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
