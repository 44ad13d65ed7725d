package problem

import "testing"

func TestProblemsInOneLine(t *testing.T) {
	if got := (Problems{{"a.b", "c"}}).Error(); got != "a.b: c" {
		t.Errorf("one: %s", got)
	}
	if got := (Problems{{"a", "b"}, {"", "c"}}).Error(); got != "a: b; c" {
		t.Errorf("two: %s", got)
	}
}
