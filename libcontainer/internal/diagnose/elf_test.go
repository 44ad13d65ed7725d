package diagnose

import (
	"debug/elf"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestReadELF compares what we read of real programs with debug/elf.
func TestReadELF(t *testing.T) {
	for _, name := range []string{"/proc/self/exe", "/bin/sh", "/bin/true"} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want, err := elf.NewFile(f)
		if err != nil {
			t.Fatal(err)
		}
		loader := ""
		for _, p := range want.Progs {
			if p.Type == elf.PT_INTERP {
				b := make([]byte, p.Filesz-1)
				if _, err := p.ReadAt(b, 0); err != nil {
					t.Fatal(err)
				}
				loader = string(b)
			}
		}
		got, err := readELF(f)
		if err != nil || got.machine != machine(want.Machine) || got.loader != loader {
			t.Errorf("%s: %+v, %v; debug/elf says %v %q", name, got, err, want.Machine, loader)
		}
	}
	e, err := readELF(strings.NewReader(elfMagic + "\x02\x01" + strings.Repeat("\x00", 12) + "\xb7" + strings.Repeat("\x00", 60)))
	if err != nil || e.machine != machineAArch64 || e.loader != "" {
		t.Errorf("a header alone: %+v %v", e, err)
	}
	for name, text := range map[string]string{
		"short": elfMagic + "\x02\x01\x01", "table outside": elfMagic + "\x02\x01" + strings.Repeat("\x38", 100), "not ELF": strings.Repeat("x", 100),
	} {
		if _, err := readELF(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestReadELFIsBounded reads headers that promise more than a program can have. An image must not
// make the runtime, which no limit of the container's binds, allocate what it likes.
func TestReadELFIsBounded(t *testing.T) {
	// 64-bit, x86_64; 65,535 segments of 65,535 bytes follow, and no sections.
	head := []byte(elfMagic + "\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\x3e\x00\x01" + strings.Repeat("\x00", 43))
	head[32] = 64
	for i := 54; i < 58; i++ {
		head[i] = 0xff
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "app"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(head); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(5 << 30); err != nil { // sparse
		t.Fatal(err)
	}
	for _, segments := range []byte{0xff, 1} {
		head[57] = segments // the upper byte of the count
		if _, err := f.WriteAt(head, 0); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readELF(f)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%d bytes allocated (%v)", got, err)
		}
	}
}
