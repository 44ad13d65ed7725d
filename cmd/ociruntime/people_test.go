package main

import (
	"math"
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1: "1 B", 1000: "1000 B", 1023: "1023 B", 1024: "1.00 KiB", 1536: "1.50 KiB", 10 << 10: "10.0 KiB", 999 << 10: "999 KiB", 1000 << 10: "0.98 MiB",
		64 << 20: "64.0 MiB", 100 << 20: "100 MiB", 3 << 30: "3.00 GiB", 5 << 40: "5.00 TiB", math.MaxUint64: "16.0 EiB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "none", math.MaxUint64: "none", 9223372036854771712: "none", 64 << 20: "64.0 MiB"} {
		if got := sizeLimit(n); got != want {
			t.Errorf("limit %d: %s, want %s", n, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	for since, want := range map[time.Duration]string{
		-time.Hour: "just now", 0: "just now", time.Second: "1 second ago", 59 * time.Second: "59 seconds ago", time.Minute: "1 minute ago",
		190 * time.Second: "3 minutes ago", 90 * time.Minute: "1 hour ago", 47 * time.Hour: "1 day ago", 8 * 24 * time.Hour: "1 week ago",
		70 * 24 * time.Hour: "2 months ago", 800 * 24 * time.Hour: "2 years ago",
	} {
		if got := ago(since); got != want {
			t.Errorf("%v: %s, want %s", since, got, want)
		}
	}
}
