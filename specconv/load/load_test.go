package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/specconv/internal/configs"
	"github.com/ociruntime/ociruntime/specconv/problem"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// dropOtherPlatforms drops what Parse does not read.
func dropOtherPlatforms(s *specs.Spec) {
	s.Windows, s.Solaris, s.VM, s.ZOS, s.FreeBSD = nil, nil, nil, nil, nil
	if s.Process != nil {
		s.Process.CommandLine, s.Process.User.Username = "", ""
	}
}

func TestParseAgreesWithEncodingJSON(t *testing.T) {
	for name, data := range configs.Valid() {
		want := &specs.Spec{}
		if err := json.Unmarshal(data, want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		dropOtherPlatforms(want)
		got, warnings, err := Parse(data)
		if err != nil || len(warnings) != 0 {
			t.Errorf("%s: %v, warnings %v", name, err, warnings)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, got, want)
		}
	}
}

func TestParseReadsEveryProperty(t *testing.T) {
	want := &specs.Spec{}
	var tags []string
	configs.Fill(reflect.ValueOf(want).Elem(), "text é \"quoted\"\n<>", func(tag string) { tags = append(tags, tag) })
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, warnings, err := Parse(data)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("%v, warnings %v", err, warnings)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if unknown := Unknown(data); unknown != nil {
		t.Errorf("unknown: %v", unknown)
	}
	for _, tag := range tags {
		data = bytes.ReplaceAll(data, []byte(`"`+tag+`":`), []byte(`"`+strings.ToUpper(tag)+`":`))
	}
	if got, warnings, err = Parse(data); err != nil || len(warnings) < 100 || !reflect.DeepEqual(got, want) {
		t.Errorf("in upper case: %v, %d warnings, got\n%+v\nwant\n%+v", err, len(warnings), got, want)
	}
}

func TestParseIgnoresUnknownPropertiesEverywhere(t *testing.T) {
	const key = "a key"
	want := &specs.Spec{}
	configs.Fill(reflect.ValueOf(want).Elem(), key, func(string) {})
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	objects := 0
	var add func(v any)
	add = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				add(item)
			}
		case map[string]any:
			for _, item := range v {
				add(item)
			}
			if _, names := v[key]; !names { // not an object whose names are data
				v["later"] = []any{map[string]any{"a": 1}}
				objects++
			}
		}
	}
	add(doc)
	if data, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	got, warnings, err := Parse(data)
	if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, want) || objects < 50 {
		t.Errorf("%d objects: %v, warnings %v, got\n%+v", objects, err, warnings, got)
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"empty", ``, `config.json: not valid JSON: line 1, column 1: the document ends too early`},
		{"null", `null`, `must be an object, not null`},
		{"list", ` []`, `must be an object, not a list`},
		{"more", `{} {}`, `config.json: not valid JSON: line 1, column 4: more text after the end of the document`},
		{"cut", "{\n \"process\": {\"args\": [\"sh\",", `config.json: not valid JSON: line 2, column 28: the document ends too early, at process.args[1]`},
		{"cut in a string", `{"hostname": "abc`, `config.json: not valid JSON: line 1, column 18: the document ends too early, at hostname`},
		{"cut in an escape", `{"hostname": "abc\`, `config.json: not valid JSON: line 1, column 19: the document ends too early, at hostname`},
		{"comma missing", `{"hostname": "abc" "root": {}}`, `config.json: not valid JSON: line 1, column 20: invalid character '"' after object value (expecting ',' or '}')`},
		{"comma too much", `{"mounts": [{},]}`, `config.json: not valid JSON: line 1, column 15: invalid character ',' at start of value, at mounts[1]`},
		{"comma before the end", `{"hostname": "a",}`, `config.json: not valid JSON: line 1, column 17: invalid character ',' at start of value`},
		{"cut in an escaped string", `{"hostname": "\n`, `config.json: not valid JSON: line 1, column 17: the document ends too early, at hostname`},
		{"escape that is none", `{"hostname": "\x41"}`, "config.json: not valid JSON: line 1, column 15: invalid escape sequence `\\x` in string, at hostname"},
		{"escape with a bad digit", `{"hostname": "\u00g0"}`, "config.json: not valid JSON: line 1, column 15: invalid escape sequence `\\u00g0` in string, at hostname"},
		{"line break after an escape", "{\"hostname\": \"\\n\n\"}", `config.json: not valid JSON: line 1, column 17: invalid character '\n' in string (expecting non-control character), at hostname`},
		{"minus alone", `{"linux": {"resources": {"pids": {"limit": -}}}}`, `config.json: not valid JSON: line 1, column 45: invalid character '}' in number (expecting digit), at linux.resources.pids.limit`},
		{"exponent alone", `{"linux": {"resources": {"pids": {"limit": 1e+}}}}`, `config.json: not valid JSON: line 1, column 47: invalid character '}' in number (expecting digit), at linux.resources.pids.limit`},
		{"colon missing", `{"hostname" "a"}`, `config.json: not valid JSON: line 1, column 13: invalid character '"' after object name (expecting ':'), at hostname`},
		{"line break in a string", "{\"hostname\": \"a\nb\"}", `config.json: not valid JSON: line 1, column 16: invalid character '\n' in string (expecting non-control character), at hostname`},
		{"word", `{"root": {"readonly": truth}}`, `config.json: not valid JSON: line 1, column 26: invalid character 't' in literal true (expecting 'e'), at root.readonly`},
		{"comment", "{\n// hello\n}", `config.json: not valid JSON: line 2, column 1: invalid character '/' at start of value`},
		{"number", `{"linux": {"resources": {"pids": {"limit": 1.}}}}`, `config.json: not valid JSON: line 1, column 46: invalid character '}' in number (expecting digit), at linux.resources.pids.limit`},
		{"leading zero", `{"linux": {"resources": {"pids": {"limit": 01}}}}`, `config.json: not valid JSON: line 1, column 45: invalid character '1' after object value (expecting ',' or '}'), at linux.resources.pids`},
		{"zero byte", "{\x00}", `config.json: not valid JSON: line 1, column 2: invalid character '\x00' at start of value`},
		{"not UTF-8", "{\"hostname\": \"\xe9\"}", `config.json: not valid JSON: line 1, column 15: invalid UTF-8, at hostname`},
		{"half a surrogate pair", `{"hostname": "\ud83dx"}`, "config.json: not valid JSON: line 1, column 15: invalid surrogate pair `\\ud83dx\"}` in string, at hostname"},
		{"too deep", `{"x":` + strings.Repeat("[", 10000), `config.json: not valid JSON: line 1, column 205: nested too deeply, at x` + strings.Repeat("[0]", 199)},
		{"string wanted", `{"hostname": 5}`, `hostname: must be a string, not a number`},
		{"list wanted", `{"process": {"args": "sh"}}`, `process.args: must be a list, not a string`},
		{"string in a list wanted", `{"process": {"args": ["sh", {"a": [1, 2]}]}}`, `process.args[1]: must be a string, not an object`},
		{"object wanted", `{"process": [true]}`, `process: must be an object, not a list`},
		{"boolean wanted", `{"root": {"readonly": "yes"}}`, `root.readonly: must be a boolean, not a string`},
		{"number wanted", `{"process": {"user": {"uid": false}}}`, `process.user.uid: must be a number, not a boolean`},
		{"string in a map wanted", `{"annotations": {"a.b/c": 1}}`, `annotations["a.b/c"]: must be a string, not a number`},
		{"whole number", `{"process": {"user": {"uid": 1.0}}}`, `process.user.uid: must be a whole number without point and exponent, not 1.0`},
		{"exponent", `{"process": {"user": {"uid": 1e3}}}`, `process.user.uid: must be a whole number without point and exponent, not 1e3`},
		{"negative id", `{"process": {"user": {"uid": -1}}}`, `process.user.uid: must be between 0 and 4294967295, not -1`},
		{"too big an id", `{"process": {"user": {"uid": 4294967296}}}`, `process.user.uid: must be between 0 and 4294967295, not 4294967296`},
		{"too big a limit", `{"linux": {"resources": {"memory": {"limit": 9223372036854775808}}}}`,
			`linux.resources.memory.limit: must be between -9223372036854775808 and 9223372036854775807, not 9223372036854775808`},
		{"too small", `{"process": {"scheduler": {"nice": -2147483649}}}`, `process.scheduler.nice: must be between -2147483648 and 2147483647, not -2147483649`},
		{"all of them", `{"hostname": 5, "root": {"path": []}, "linux": {"namespaces": {}}}`,
			`hostname: must be a string, not a number; root.path: must be a string, not a list; linux.namespaces: must be a list, not an object`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec, _, err := Parse([]byte(tt.doc))
			if err == nil || spec != nil {
				t.Fatalf("accepted: %+v", spec)
			}
			if err.Error() != tt.want {
				t.Errorf("\n got %s\nwant %s", err, tt.want)
			}
			if strings.Contains(tt.want, "not valid JSON") && tt.name != "not UTF-8" && tt.name != "half a surrogate pair" && json.Valid([]byte(tt.doc)) {
				t.Error("encoding/json calls it valid")
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	tests := []struct {
		name, doc, warnings string
		ok                  func(*specs.Spec) bool
	}{
		{"null leaves unset", `{"process": null, "mounts": null, "annotations": null, "hostname": null, "root": {"path": null, "readonly": null}, "linux": {"seccomp": null}}`, "",
			func(s *specs.Spec) bool {
				return s.Process == nil && s.Mounts == nil && s.Annotations == nil && *s.Root == specs.Root{} && s.Linux.Seccomp == nil
			}},
		{"empty is not unset", `{"hooks": {"poststop": [{"env": []}, {}]}, "process": {"capabilities": {}}}`, "",
			func(s *specs.Spec) bool {
				return s.Hooks.Poststop[0].Env != nil && s.Hooks.Poststop[1].Env == nil && s.Process.Capabilities != nil
			}},
		{"unknown properties", `{"new": {"a": [1.5e-3, -0, true, false, null, "\u00e9"]}, "linux": {"newer": []}, "hostname": "h"}`, "",
			func(s *specs.Spec) bool { return s.Hostname == "h" }},
		{"other platforms", `{"windows": 5, "solaris": [], "vm": {"kernel": 1}, "zos": "", "freebsd": {}}`,
			"vm: ignored: a container shares the host's kernel, and no virtual machine is made",
			func(s *specs.Spec) bool { return s.Windows == nil && s.VM == nil }},
		{"escapes", `{"hostname": "\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00x\u0000"}`, "",
			func(s *specs.Spec) bool {
				return s.Hostname == "\"\\/\b\f\n\r\tAé\U0001F600x\x00"
			}},
		{"duplicates", `{"hostname": "a", "process": {"args": ["a", "b"]}, "hostname": "b", "process": {"cwd": "/"}}`,
			"hostname: given more than once: the last one counts; process: given more than once: the last one counts",
			func(s *specs.Spec) bool { return s.Hostname == "b" && s.Process.Args == nil && s.Process.Cwd == "/" }},
		{"duplicates in a map", `{"annotations": {"a": "1", "b/c": "2", "b/c": "3"}}`,
			`annotations["b/c"]: given more than once: the last one counts`,
			func(s *specs.Spec) bool { return s.Annotations["b/c"] == "3" }},
		{"duplicates in a section not read", `{"solaris": {"a": 1, "a": 2}, "vm": null}`, `solaris.a: given more than once: the last one counts`,
			func(*specs.Spec) bool { return true }},
		{"other case", `{"Hostname": "h", "process": {"nonewprivileges": true, "Unknown": 1}, "ANNOTATIONS": {"Hostname": ""}}`,
			"Hostname: taken for hostname: names are in upper and lower case; " +
				"process.nonewprivileges: taken for noNewPrivileges: names are in upper and lower case; " +
				"ANNOTATIONS: taken for annotations: names are in upper and lower case",
			func(s *specs.Spec) bool {
				return s.Hostname == "h" && s.Process.NoNewPrivileges && len(s.Annotations) == 1
			}},
		{"limits of integers", `{"linux": {"resources": {"memory": {"limit": -9223372036854775808}, "hugepageLimits": [{"limit": 18446744073709551615}]}}}`, "",
			func(s *specs.Spec) bool {
				return *s.Linux.Resources.Memory.Limit == -1<<63 && s.Linux.Resources.HugepageLimits[0].Limit == 1<<64-1
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec, warnings, err := Parse([]byte(tt.doc))
			if err != nil {
				t.Fatal(err)
			}
			if !tt.ok(spec) {
				t.Errorf("got %+v", spec)
			}
			if got := problem.Problems(warnings).Error(); got != tt.warnings {
				t.Errorf("warnings\n got %s\nwant %s", got, tt.warnings)
			}
		})
	}
}

func TestParseFindsDuplicatesInBigObjects(t *testing.T) {
	for _, again := range []int{0, 31, 32, 33, 99} {
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, `"key%d": "v", `, i)
		}
		doc := fmt.Sprintf(`{"annotations": {%s"key%d": "last"}}`, b.String(), again)
		spec, warnings, err := Parse([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("key%d", again)
		if len(warnings) != 1 || warnings[0].Path != "annotations."+key || spec.Annotations[key] != "last" {
			t.Errorf("%s: warnings %v, value %q", key, warnings, spec.Annotations[key])
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, _, _, err := Bundle(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no config.json: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"ociVersion": "1.0.2", "hostname": "h"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	spec, _, _, err := Bundle(dir)
	if err != nil || spec.Hostname != "h" {
		t.Errorf("%+v, %v", spec, err)
	}

	process := filepath.Join(dir, "process.json")
	if _, _, err := Process(process); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no process.json: %v", err)
	}
	for doc, want := range map[string]string{
		`{"args": ["sh"], "cwd": "/"}`: "",
		`{"args": "sh"}`:               "process.args: must be a list, not a string",
		`{`:                            "process.json: not valid JSON: line 1, column 2: the document ends too early, at process",
	} {
		if err := os.WriteFile(process, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		p, _, err := Process(process)
		switch {
		case want == "" && (err != nil || p.Cwd != "/" || p.Args[0] != "sh"):
			t.Errorf("%s: %+v, %v", doc, p, err)
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%s: %v, want %s", doc, err, want)
		}
	}
}

func TestParseResources(t *testing.T) {
	res, _, err := Resources([]byte(`{"memory": {"limit": 0}, "pids": null, "blockIO": {}}`))
	if err != nil || res.Memory.Limit == nil || res.Pids != nil || res.BlockIO == nil {
		t.Errorf("%+v, %v", res, err)
	}
	_, _, err = Resources([]byte(`{"memory": {"limit": "1g"}}`))
	if want := "resources.memory.limit: must be a number, not a string"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
