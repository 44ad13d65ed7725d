package compile

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestLayers(t *testing.T) {
	for list, want := range map[string]string{
		`/a`:                     `lowerdir+=/a`,
		`/a:/b`:                  `lowerdir+=/a lowerdir+=/b`,
		`/a\:b:/c\,d:/e\\f`:      `lowerdir+=/a:b lowerdir+=/c,d lowerdir+=/e\f`,
		`/a\`:                    `lowerdir+=/a`,
		`/a:/b::/c::/d`:          `lowerdir+=/a lowerdir+=/b datadir+=/c datadir+=/d`,
		`/with\:\:colons::/data`: `lowerdir+=/with::colons datadir+=/data`,
	} {
		var got []string
		for _, o := range layers(list, "") {
			got = append(got, o.says)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", list, s, want)
		}
	}
}

func TestEscapeCommas(t *testing.T) {
	for value, want := range map[string]string{`/a`: `/a`, `/a,b`: `/a\,b`, `/a\,b`: `/a\,b`, `/a\\,b`: `/a\\\,b`, `/a\`: `/a\`} {
		if got := escapeCommas(value); got != want {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
}

// What neither call takes is refused before anything is done.
func TestOptionsThatAreTooLong(t *testing.T) {
	long := strings.Repeat("/directory", 50)
	for name, c := range map[string]struct {
		kind    string
		options []string
		want    string
	}{
		"a page":  {"overlay", []string{"lowerdir=" + strings.Repeat(long+":", 9)}, "mounts[0].options: 4518 bytes are too long: "},
		"a comma": {"9p", []string{"trans=fd", `context="` + long + `,` + long + `"`, `aname=` + long + `\,`}, "mounts[0].options: mount(2) can't take the comma in aname"},
	} {
		s := smallSpec()
		s.Mounts = []specs.Mount{{Destination: "/x", Type: c.kind, Source: "x", Options: c.options}}
		_, err := Create(&Input{ID: "c1", Bundle: "/bundle", Spec: s, Facts: ordinaryInput().Facts})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := smallSpec()
	s.Mounts = []specs.Mount{{Destination: "/x", Type: "9p", Source: long, Options: []string{`context="` + long + `,b"`}}}
	l := live(t, s, nil)
	if got := l.calls("mount(\"" + long); len(got) != 1 || !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, `,b\"`) }) {
		t.Errorf("mounted by %q", got)
	}
}
