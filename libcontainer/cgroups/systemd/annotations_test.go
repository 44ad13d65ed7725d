package systemd

import (
	"strings"
	"testing"
)

func TestAnnotations(t *testing.T) {
	props, err := FromAnnotations(map[string]string{
		"org.systemd.property.TimeoutStopUSec": "uint64 5000000",
		"org.systemd.property.TimeoutStopSec":  "int32 7",
		"org.systemd.property.RuntimeMaxSec":   "1.5",
		"org.systemd.property.JobTimeoutSec":   "uint64 18446744073709551615",
		"org.systemd.property.RestartSec":      "byte 255",
		"org.systemd.property.CollectMode":     "'inactive-or-failed'",
		"org.systemd.property.After":           "['a.service', 'b.service']",
		"org.systemd.property.SendSIGKILL":     "true",
		"org.systemd.property.USec":            "1",
		"com.example":                          "(",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range props {
		line, _, _ := strings.Cut(p.String(), "  (")
		got = append(got, line+" "+p.Value.Signature().String())
	}
	want(t, got, `After = ["a.service", "b.service"] as`, `CollectMode = "inactive-or-failed" s`, "JobTimeoutUSec = infinity t", "RestartUSec = 255000000 t", "RuntimeMaxUSec = 1500000 t",
		"SendSIGKILL = true b", "TimeoutStopUSec = 7000000 t", "TimeoutStopUSec = 5000000 t", "USec = 1 i")
}

func TestAnnotationErrors(t *testing.T) {
	for key, value := range map[string]string{
		"org.systemd.property.": "1", "org.systemd.property.ab": "1", "org.systemd.property.Memory_Max": "1", "org.systemd.property.X1y": "1",
		"org.systemd.property.TimeoutStopSec": "'soon'", "org.systemd.property.Description": "unquoted", "org.systemd.property.After": "[",
	} {
		if props, err := FromAnnotations(map[string]string{key: value}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s=%s: %v, error %v", key, value, props, err)
		}
	}
	const key = "org.systemd.property.TimeoutStopSec"
	for _, value := range []string{
		"-1", "int16 -1", "int64 -5", "int64 9223372036854775807", "uint64 18446744073710", "-0.5", "1e300", "true",
	} {
		if props, err := FromAnnotations(map[string]string{key: value}); err == nil || !strings.Contains(err.Error(), "not a number of seconds") {
			t.Errorf("%s: %v, error %v", value, props, err)
		}
	}
}
