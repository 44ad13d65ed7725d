package main

import (
	"math"
	"testing"
)

func TestParseSize(t *testing.T) {
	for word, want := range map[string]int64{
		"0": 0, "4096": 4096, "-1": -1, "1b": 1, "1k": 1 << 10, "1K": 1 << 10, "1kb": 1 << 10, "1KiB": 1 << 10, "100m": 100 << 20,
		"1.5g": 3 << 29, "2T": 2 << 40, "1p": 1 << 50, "64 MB": 64 << 20, "9223372036854775807": math.MaxInt64, "0.5k": 512,
	} {
		if got, err := parseSize(word); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", word, got, err, want)
		}
	}
	for _, word := range []string{
		"", " ", "m", "-2", "-1m", "1gg", "1i", "1ki", "1e3", "0x10", "1.2.3", "+1", "1m1", "9223372036854775808", "8192p", "much", "1mbb",
	} {
		if got, err := parseSize(word); err == nil {
			t.Errorf("%q is taken for %d", word, got)
		}
	}
}
