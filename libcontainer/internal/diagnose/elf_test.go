package diagnose

import (
	"debug/elf"
	"os"
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
