package compile

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/facts"
	"github.com/ociruntime/ociruntime/libcontainer/initimage"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/specconv/internal/configs"
)

// fuzzInput makes an input of 16 bits: kinds of hosts and of commands.
func fuzzInput(bits uint16, mounts int) *input {
	in := ordinaryInput()
	f, bit := in.Facts, func(n int) bool { return bits>>n&1 != 0 }
	in.Run, in.NoPivot, in.NoNewKeyring, in.Exec = bit(0), bit(1), bit(2), bit(3)
	if bit(5) {
		f.Privileged, f.OwnsMounts, in.Rootless, f.EUID, f.EGID, f.Permitted = false, false, true, 1000, 1000, 0
	}
	f.InUserNS, f.Kcore, f.SELinux, f.AppArmor = bit(6), bit(7), bit(8), bit(9)
	f.Hierarchies = []facts.Hierarchy{{Name: "unified", V2: true, Host: "/sys/fs/cgroup/c1"}}
	if bit(10) {
		f.Cgroup2, f.JoinTasks = false, []string{"cpu,cpuacct", "name=systemd"}
		f.Hierarchies = append(f.Hierarchies,
			facts.Hierarchy{Name: "cpu,cpuacct", Controllers: []string{"cpu", "cpuacct"}, Links: []string{"cpu", "cpuacct"}, Host: "/sys/fs/cgroup/cpu,cpuacct/c1"},
			facts.Hierarchy{Name: "systemd", Controllers: []string{"name=systemd"}, Host: "/sys/fs/cgroup/systemd/c1"})
	}
	f.Stdio[0].Null, f.Stdio[1].UID = bit(11), 1000
	if bit(12) {
		f.Bounding, f.Permitted = f.Bounding&^(1<<unix.CAP_SYS_RESOURCE), f.Permitted&^(1<<unix.CAP_SYS_RESOURCE)
	}
	if bit(13) {
		in.Preserve, in.ListenFDs = 3, 2
	}
	f.JoinDir = bit(14)
	for i := range mounts {
		in.addSource(i, bit(15) != (i%2 == 0))
	}
	return in
}

// FuzzCompile: what Check accepts compiles to a plan that the plan's own checker
// accepts, that links, and that an init can run, whatever the host is like. Or
// there is an error in one line, which names no mistake of ours.
func FuzzCompile(f *testing.F) {
	for _, data := range configs.Valid() {
		for _, bits := range []uint16{0x8081, 0x0400, 0x4029} {
			f.Add(data, bits)
		}
	}
	for _, file := range goldenFiles(f) {
		config := []byte(readArchive(f, file).section["config.json"])
		for bit := range 16 {
			f.Add(config, uint16(1<<bit))
		}
		f.Add(config, uint16(0xffff))
	}
	f.Fuzz(mustCompile)
}

// FuzzCrossed is FuzzCompile with configurations put together from the sections
// of those that we have: what fits alone must fit together, or be refused.
func FuzzCrossed(f *testing.F) {
	pools := sectionPools(f)
	for seed := range uint64(500) {
		f.Add(seed, uint16(seed*0x9e37))
	}
	f.Fuzz(func(t *testing.T, seed uint64, bits uint16) {
		mustCompile(t, crossed(pools, rand.New(rand.NewPCG(seed, 1))), bits)
	})
}

// pool holds the values that one section has in each of our configurations,
// nil where it is missing.
type pool struct {
	linux  bool // a section of linux
	name   string
	values []json.RawMessage
}

// together says that a section is taken from the configuration that the
// namespaces come from: it would be refused with most others.
func (p *pool) together() bool {
	switch p.name {
	case "namespaces", "uidMappings", "gidMappings", "timeOffsets", "sysctl", "netDevices", "hostname", "domainname":
		return true
	}
	return false
}

func sectionPools(f *testing.F) []pool {
	type sections map[string]json.RawMessage
	var docs, linuxes []sections
	add := func(data []byte) {
		var doc, linux sections
		if err := json.Unmarshal(data, &doc); err != nil {
			f.Fatal(err)
		}
		if l := doc["linux"]; l != nil {
			if err := json.Unmarshal(l, &linux); err != nil {
				f.Fatal(err)
			}
		}
		delete(doc, "linux")
		docs, linuxes = append(docs, doc), append(linuxes, linux)
	}
	valid := configs.Valid()
	for _, name := range slices.Sorted(maps.Keys(valid)) {
		add(valid[name])
	}
	for _, file := range goldenFiles(f) {
		add([]byte(readArchive(f, file).section["config.json"]))
	}
	var pools []pool
	for i, list := range [][]sections{docs, linuxes} {
		names := map[string]bool{}
		for _, doc := range list {
			for name := range doc {
				names[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			p := pool{linux: i == 1, name: name}
			for _, doc := range list {
				p.values = append(p.values, doc[name])
			}
			pools = append(pools, p)
		}
	}
	return pools
}

func crossed(pools []pool, r *rand.Rand) []byte {
	doc, linux := map[string]any{}, map[string]any{}
	base := r.IntN(len(pools[0].values))
	for _, p := range pools {
		from := r.IntN(len(p.values))
		if p.together() {
			from = base
		}
		v := p.values[from]
		switch {
		case v == nil:
		case p.linux:
			linux[p.name] = v
		default:
			doc[p.name] = v
		}
	}
	doc["linux"] = linux
	data, _ := json.Marshal(doc) // it was JSON
	return data
}

func mustCompile(t *testing.T, data []byte, bits uint16) {
	var count struct{ Mounts []json.RawMessage }
	_ = json.Unmarshal(data, &count)
	in := fuzzInput(bits, len(count.Mounts))
	p, _, err := compileConfig(data, in)
	if err != nil {
		if text := err.Error(); strings.ContainsRune(text, '\n') || strings.Contains(text, "bug:") {
			t.Errorf("bits %#x: %s\n%s", bits, text, data)
		}
		return
	}
	if err := plan.Check(p); err != nil {
		t.Error(err)
	}
	fds := make([]int, len(p.Files))
	for i := range fds {
		fds[i] = 3 + p.Preserve + i
	}
	if _, err := initimage.Link(p, fds); err != nil && !errors.Is(err, initimage.ErrUnsupported) {
		t.Errorf("it does not link: %v", err)
	}
	if _, err := plan.Interp(p, fds, &plan.Fake{}); err != nil {
		t.Errorf("it can't be run: %v", err)
	}
	if slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.What == "" || s.From == "" }) {
		t.Error("a step does not say what it is for")
	}
}
