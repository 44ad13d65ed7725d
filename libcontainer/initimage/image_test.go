//go:build amd64 || arm64

package initimage

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/kernel"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

func link(t *testing.T, p *plan.Plan) []byte {
	t.Helper()
	image, err := Link(p, []int{3, 4})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestSamePlanGivesSameBytes(t *testing.T) {
	first := link(t, randomPlan(7, false))
	if !bytes.Equal(first, link(t, randomPlan(7, false))) {
		t.Error("two images of one plan differ")
	}
	if bytes.Equal(first, link(t, randomPlan(8, false))) {
		t.Error("images of two plans are the same")
	}
}

func TestLinkRefusesWhatTheTableHasNoRoomFor(t *testing.T) {
	for name, o := range map[string]plan.Op{
		"seven arguments":  plan.Sys(plan.SysClose, make([]plan.Arg, 7)...),
		"six errnos":       plan.Sys(plan.SysClose).Allowing(1, 2, 3, 4, 5, 6),
		"a missing buffer": plan.Sys(plan.SysClose, plan.Arg{Kind: plan.KindBuf, Buf: 9}),
		"a missing file":   plan.Sys(plan.SysClose, plan.Arg{Kind: plan.KindFile, Int: 9}),
		"no kind":          plan.Sys(plan.SysClose, plan.Arg{Kind: 99}),
		"no call":          plan.Sys(plan.Calls),
	} {
		b := plan.NewBuilder()
		b.Step("default", "try", o)
		if _, err := Link(&b.Plan, []int{3}); err == nil {
			t.Errorf("linked an op with %s", name)
		}
	}
	if _, err := Link(&plan.NewBuilder().Plan, []int{3, 4}); err == nil {
		t.Error("linked two descriptors for one file")
	}
}

// Every call that a plan can name has a number here.
func TestEveryCallHasANumber(t *testing.T) {
	seen := map[uint32]plan.Call{}
	for c := plan.Call(0); c < plan.Calls; c++ {
		kind, number, err := encodeCall(&plan.Op{Call: c})
		if err != nil {
			t.Error(err)
		}
		key := uint32(kind)<<16 | uint32(number)
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s are encoded alike", c, other)
		}
		seen[key] = c
	}
}

func TestImageIsAnExecutableOfTwoSegments(t *testing.T) {
	image := link(t, randomPlan(1, false))
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_EXEC || len(f.Sections) != 0 {
		t.Errorf("type %v with %d sections", f.Type, len(f.Sections))
	}
	stack, entry := false, false
	for _, p := range f.Progs {
		if p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0 {
			t.Errorf("%v at %#x is writable and executable", p.Type, p.Vaddr)
		}
		if p.Off+p.Filesz > uint64(len(image)) {
			t.Errorf("%v ends behind the file", p.Type)
		}
		switch {
		case p.Type == elf.PT_GNU_STACK:
			stack = p.Flags == elf.PF_R|elf.PF_W
		case p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC:
			t.Error("the image is not static")
		case p.Flags&elf.PF_X != 0:
			code := make([]byte, len(kernel.OpLoop()))
			if _, err := p.ReadAt(code, int64(f.Entry-p.Vaddr)); err != nil && err != io.EOF {
				t.Fatal(err)
			}
			entry = bytes.Equal(code, kernel.OpLoop())
		case p.Type == elf.PT_LOAD && p.Vaddr != kernel.PageAddr && p.Vaddr != kernel.RegsAddr:
			t.Errorf("data lies at %#x", p.Vaddr)
		}
	}
	if !stack {
		t.Error("the stack is not declared plain memory")
	}
	if !entry {
		t.Error("the entry point is not the op loop")
	}
}

// TestLargePages holds the image and the parts of the shared file against the rules for kernels
// with pages of up to 64 KiB, as arm64 has them: tests/vm/arm64 runs one.
func TestLargePages(t *testing.T) {
	const page = 64 << 10
	f, err := elf.NewFile(bytes.NewReader(link(t, randomPlan(3, false))))
	if err != nil {
		t.Fatal(err)
	}
	var end uint64 // of the pages that are mapped
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		if p.Align != page || p.Vaddr%page != p.Off%page {
			t.Errorf("the segment at %#x is at %#x in the file and aligned to %#x", p.Vaddr, p.Off, p.Align)
		}
		if p.Vaddr&^(page-1) < end {
			t.Errorf("the segment at %#x has a page together with the one before, which ends at %#x", p.Vaddr, end)
		}
		end = (p.Vaddr + p.Memsz + page - 1) &^ (page - 1)
	}
	for _, part := range []int{plan.PageJoined, plan.PageTrace, kernel.PageAddr, kernel.MoreAddr} {
		if part%page != 0 {
			t.Errorf("part of the shared file at %#x", part)
		}
	}
	// The shared page is mapped over what lies there, and over nothing else.
	if kernel.RegsAddr&^(page-1) == kernel.PageAddr {
		t.Error("the registers are in the shared page")
	}
}

func TestSealedImageCannotBeWritten(t *testing.T) {
	image := link(t, randomPlan(1, false))
	f, err := Seal(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0}, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("write: %v", err)
	}
	for _, size := range []int64{0, int64(len(image)) + 1} {
		if err := f.Truncate(size); !errors.Is(err, unix.EPERM) {
			t.Errorf("truncate to %d: %v", size, err)
		}
	}
	if m, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); !errors.Is(err, unix.EPERM) {
		t.Errorf("map for writing: %v", err)
		_ = unix.Munmap(m)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE); !errors.Is(err, unix.EPERM) {
		t.Errorf("the seals can still be changed: %v", err)
	}
	// The owner may open a memfd again for writing; the seals hold there, too.
	if again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR, 0); err == nil {
		defer again.Close()
		if _, err := again.WriteAt([]byte{0}, 0); !errors.Is(err, unix.EPERM) {
			t.Errorf("write through a second descriptor: %v", err)
		}
	}
	got := make([]byte, len(image))
	if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, image) {
		t.Errorf("the memfd is not the image: %v", err)
	}
}

func TestSealFileLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	b := plan.NewBuilder()
	b.Step("default", "end", plan.Exit(42))
	image, err := Link(&b.Plan, []int{3})
	if err != nil {
		t.Fatal(err)
	}
	f, err := SealFile(image, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	info, err := f.Stat()
	if err != nil || info.Mode() != 0o500 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := f.Write([]byte{0}); err == nil {
		t.Error("the descriptor is writable")
	}
	var exit *exec.ExitError
	if err := exec.Command(fmt.Sprintf("/proc/self/fd/%d", f.Fd())).Run(); !errors.As(err, &exit) || exit.ExitCode() != 42 {
		t.Errorf("run: %v", err)
	}
	if f, err := SealFile(image, dir+"/missing"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("in a missing directory: %v, %v", f, err)
	}
}
