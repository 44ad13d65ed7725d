package main

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Numbers as people read them.

// size is a number of bytes with three digits and a unit of 1024.
func size(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, units := float64(n), "KMGTPE"
	unit := byte(0)
	for i := 0; f >= 1000 && i < len(units); i++ { // 1000 KiB are 0.98 MiB: three digits
		f /= 1024
		unit = units[i]
	}
	if unit == 0 {
		f, unit = f/1024, units[0]
	}
	digits := 0
	if f < 9.995 {
		digits = 2
	} else if f < 99.95 {
		digits = 1
	}
	return strconv.FormatFloat(f, 'f', digits, 64) + " " + string(unit) + "iB"
}

// sizeLimit is a limit in bytes: "none" for 0 and for what the kernel has where there is no limit,
// which is the largest number, less a part of a page on cgroup v1.
func sizeLimit(n uint64) string {
	if n == 0 || n >= noLimit {
		return "none"
	}
	return size(n)
}

const noLimit = math.MaxInt64 - 1<<16

// ago is how long something has been, in the largest unit of which there is one.
func ago(since time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"year", 365 * day}, {"month", 30 * day}, {"week", 7 * day}, {"day", day}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		switch n := since / unit.of; {
		case n == 1:
			return "1 " + unit.name + " ago"
		case n > 1:
			return fmt.Sprintf("%d %ss ago", n, unit.name)
		}
	}
	return "just now"
}
