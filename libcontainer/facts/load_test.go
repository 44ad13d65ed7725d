package facts

import (
	"os"
	"testing"
)

func TestRunnable(t *testing.T) {
	for text, want := range map[string]int{"0.20 0.18 0.12 2/80 11206\n": 2, "0 0 0 17/80 1": 17} {
		if n, ok := runnable([]byte(text)); !ok || n != want {
			t.Errorf("%q: %d %v", text, n, ok)
		}
	}
	for _, text := range []string{"", "0.20 0.18 0.12", "0.20 0.18 0.12 x/80 11206"} {
		if _, ok := runnable([]byte(text)); ok {
			t.Errorf("%q was understood", text)
		}
	}
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := runnable(text); !ok || n < 1 {
		t.Errorf("%q: %d %v, but this test runs", text, n, ok)
	}
}
