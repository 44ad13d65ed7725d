package kernel_test

import (
	"bytes"
	"debug/elf"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/x86/x86asm"
)

var update = flag.Bool("update", false, "rewrite the listings in testdata")

// loop cross-builds this package's test for goarch and takes the op loop out of it, so that each
// machine checks every port.
func loop(t *testing.T, goarch string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kernel.test")
	cmd := exec.Command("go", "test", "-c", "-o", file, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build for %s: %v\n%s", goarch, err, out)
	}
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	text := f.Section(".text")
	for _, s := range symbols {
		if !strings.HasSuffix(s.Name, "/kernel.opLoop") {
			continue
		}
		code := make([]byte, s.Size)
		if _, err := text.ReadAt(code, int64(s.Value-text.Addr)); err != nil {
			t.Fatal(err)
		}
		body, _, found := bytes.Cut(code, []byte("OPLOOPND"))
		if !found {
			t.Fatal("the loop has no end marker")
		}
		return body
	}
	t.Fatal("the test binary has no symbol opLoop")
	return nil
}

// checkListing compares with the committed listing, which is there to be read.
func checkListing(t *testing.T, goarch string, lines []string) {
	t.Helper()
	file := filepath.Join("testdata", "oploop_"+goarch+".txt")
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the op loop's code has changed; read the new listing and commit it (go test -update):\n%s", got)
	}
}

func TestLoopOnAMD64(t *testing.T) {
	code := loop(t, "amd64")
	var lines []string
	starts := map[int]bool{}
	var targets []int
	for pc := 0; pc < len(code); {
		in, err := x86asm.Decode(code[pc:], 64)
		if err != nil {
			t.Fatalf("at %#x: %v", pc, err)
		}
		starts[pc] = true
		text := x86asm.GNUSyntax(in, uint64(pc), nil)
		lines = append(lines, fmt.Sprintf("%4x  %s", pc, text))
		for _, a := range in.Args {
			switch a := a.(type) {
			case x86asm.Rel:
				targets = append(targets, pc+in.Len+int(a))
			case x86asm.Mem:
				if !ownMemoryAMD64(a) {
					t.Errorf("at %#x: memory outside of page, registers, ops and operands: %s", pc, text)
				}
			}
		}
		switch in.Op {
		case x86asm.CALL, x86asm.LCALL, x86asm.RET, x86asm.PUSH, x86asm.POP, x86asm.INT, x86asm.LEA:
			t.Errorf("at %#x: %s has no place in the loop", pc, text)
		case x86asm.JMP:
			if _, ok := in.Args[0].(x86asm.Rel); !ok {
				t.Errorf("at %#x: a jump to a computed address: %s", pc, text)
			}
		}
		pc += in.Len
	}
	checkTargets(t, starts, targets)
	checkListing(t, "amd64", lines)
}

// ownMemoryAMD64 allows the page (R13), the registers (R12 with an index), the op (RBX), and the
// address that a pseudo-call was given (RDI); nothing absolute and nothing relative to the code.
func ownMemoryAMD64(m x86asm.Mem) bool {
	if m.Segment != 0 {
		return false
	}
	switch m.Base {
	case x86asm.R12:
		return m.Disp == 0
	case x86asm.R13, x86asm.RBX:
		return m.Index == 0 && m.Disp >= 0 && m.Disp < 72
	case x86asm.RDI:
		return m.Index == 0 && m.Disp == 0
	}
	return false
}

func TestLoopOnARM64(t *testing.T) {
	code := loop(t, "arm64")
	var lines []string
	starts := map[int]bool{}
	var targets []int
	relative := regexp.MustCompile(`\.\+0x[0-9a-f]+`)
	own := regexp.MustCompile(`\[(x19|x20|x21|x0)[],]`)
	for pc := 0; pc < len(code); pc += 4 {
		in, err := arm64asm.Decode(code[pc:])
		text := arm64asm.GNUSyntax(in)
		if err != nil {
			// The assembler's UNDEF is not an instruction.
			if !bytes.Equal(code[pc:pc+4], []byte{0, 0, 0xa0, 0xbe}) && !bytes.Equal(code[pc:pc+4], []byte{0, 0, 0, 0}) {
				t.Fatalf("at %#x: %x: %v", pc, code[pc:pc+4], err)
			}
			text = "undefined"
		}
		starts[pc] = true
		for _, a := range in.Args {
			if rel, ok := a.(arm64asm.PCRel); ok {
				targets = append(targets, pc+int(rel))
				text = relative.ReplaceAllString(text, fmt.Sprintf("0x%x", pc+int(rel)))
			}
		}
		lines = append(lines, fmt.Sprintf("%4x  %s", pc, text))
		if strings.Contains(text, "[") && !own.MatchString(text) {
			t.Errorf("at %#x: memory outside of page, registers, ops and operands: %s", pc, text)
		}
		name, _, _ := strings.Cut(text, " ")
		switch {
		case name == "bl" || name == "blr" || name == "br" || name == "ret" || name == "adr" || name == "adrp",
			strings.HasPrefix(name, "ldr") && !strings.Contains(text, "["):
			t.Errorf("at %#x: %s has no place in the loop", pc, text)
		}
	}
	checkTargets(t, starts, targets)
	checkListing(t, "arm64", lines)
}

// checkTargets makes sure that every jump stays in the code that is copied.
func checkTargets(t *testing.T, starts map[int]bool, targets []int) {
	t.Helper()
	if len(targets) == 0 {
		t.Error("a loop without jumps")
	}
	for _, at := range targets {
		if !starts[at] {
			t.Errorf("a jump to %#x, where no instruction of the loop begins", at)
		}
	}
}
