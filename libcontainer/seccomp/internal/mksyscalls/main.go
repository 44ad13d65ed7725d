// Mksyscalls writes zz_syscalls.go, the system call numbers of every architecture that a seccomp
// profile can name, from the headers in Debian's package linux-libc-dev.
//
//	mksyscalls ROOT[:ROOT...]
//
// A ROOT is a directory that the package was unpacked into ("dpkg-deb -x
// linux-libc-dev_VERSION_all.deb ROOT"), the newest first. Older ones add the architectures and
// calls that the newest kernel no longer has.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"go/format"
	"log"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A table is one set of system call numbers; architectures that differ in byte order only share it.
type table struct {
	name   string // the Go variable is "nr" + name
	header string // below usr/lib/linux/uapi
}

var tables = []table{
	{"X86", "x86/asm/unistd_32.h"},
	{"X8664", "x86/asm/unistd_64.h"},
	{"X32", "x86/asm/unistd_x32.h"},
	{"ARM", "arm/asm/unistd-eabi.h"},
	{"AARCH64", "arm64/asm/unistd_64.h"},
	{"MIPS", "mips/asm/unistd_o32.h"},
	{"MIPS64", "mips/asm/unistd_n64.h"},
	{"MIPS64N32", "mips/asm/unistd_n32.h"},
	{"PPC", "powerpc/asm/unistd_32.h"},
	{"PPC64", "powerpc/asm/unistd_64.h"},
	{"S390", "s390/asm/unistd_32.h"},
	{"S390X", "s390/asm/unistd_64.h"},
	{"PARISC", "parisc/asm/unistd_32.h"},
	{"PARISC64", "parisc/asm/unistd_64.h"},
	{"RISCV64", "riscv/asm/unistd_64.h"},
	{"LOONGARCH64", "loongarch/asm/unistd_64.h"},
	{"M68K", "m68k/asm/unistd_32.h"},
	{"SH", "sh/asm/unistd_32.h"},
}

// Numbers of the calls that only 32-bit Arm has lie far above the others; they are stored with this
// bit and their distance to 0xf0000.
const private = 0x8000

var (
	define   = regexp.MustCompile(`^#define\s+__NR_([a-z_]\w*)\s+(?:\(\w+ \+ (\d+)\)|(\d+))$`)
	armExtra = regexp.MustCompile(`^#define\s+__ARM_NR_(\w+)\s+\(__ARM_NR_BASE\+(\d+)\)`)
	// Not system calls: placeholders in the MIPS tables, and a counter.
	hole      = regexp.MustCompile(`^(unused\d+|reserved\d+|syscalls)$`)
	changelog = regexp.MustCompile(`^linux \(([^)]+)\)`)
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 || os.Args[1] == "" {
		log.Fatal("usage: mksyscalls ROOT[:ROOT...]  (see the doc comment)")
	}
	roots := filepath.SplitList(os.Args[1])
	var versions []string
	for _, root := range roots {
		v, err := version(root)
		if err != nil {
			log.Fatal(err)
		}
		versions = append(versions, v)
	}
	numbers := make([]map[string]int, len(tables))
	for i, t := range tables {
		var err error
		if numbers[i], err = merged(roots, t); err != nil {
			log.Fatal(err)
		}
	}
	src, err := format.Source(render(versions, numbers))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("zz_syscalls.go", src, 0o644); err != nil {
		log.Fatal(err)
	}
}

// version returns the package's version, from its changelog.
func version(root string) (string, error) {
	f, err := os.Open(filepath.Join(root, "usr/share/doc/linux-libc-dev/changelog.Debian.gz"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	line, err := bufio.NewReader(z).ReadString('\n')
	if err != nil {
		return "", err
	}
	m := changelog.FindStringSubmatch(line)
	if m == nil {
		return "", fmt.Errorf("%s: no version in %q", f.Name(), line)
	}
	return m[1], nil
}

// merged returns the union of a table over all roots. A number may never change: that would be a
// new table.
func merged(roots []string, t table) (map[string]int, error) {
	all := make(map[string]int)
	for _, root := range roots {
		nrs, err := parse(root, t)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for name, nr := range nrs {
			if old, ok := all[name]; ok && old != nr {
				return nil, fmt.Errorf("%s: %s is %d here and %d in a newer header", t.header, name, nr, old)
			}
			all[name] = nr
		}
	}
	if len(all) < 200 {
		return nil, fmt.Errorf("%s: only %d system calls", t.header, len(all))
	}
	return all, nil
}

func parse(root string, t table) (map[string]int, error) {
	dir := filepath.Join(root, "usr/lib/linux/uapi")
	text, err := os.ReadFile(filepath.Join(dir, t.header))
	if err != nil {
		return nil, err
	}
	if t.name == "ARM" {
		extra, err := os.ReadFile(filepath.Join(dir, "arm/asm/unistd.h"))
		if err != nil {
			return nil, err
		}
		text = append(text, extra...)
	}
	nrs := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if m := define.FindStringSubmatch(line); m != nil && !hole.MatchString(m[1]) {
			nrs[m[1]], err = strconv.Atoi(m[2] + m[3])
		} else if m := armExtra.FindStringSubmatch(line); m != nil {
			nrs[m[1]], err = strconv.Atoi(m[2])
			nrs[m[1]] |= private
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", t.header, line, err)
		}
	}
	return nrs, nil
}

func render(versions []string, numbers []map[string]int) []byte {
	set := make(map[string]bool)
	for _, nrs := range numbers {
		for name := range nrs {
			set[name] = true
		}
	}
	names := slices.Sorted(maps.Keys(set))

	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated by mksyscalls from Debian's linux-libc-dev %s; DO NOT EDIT.\n\n", strings.Join(versions, " and "))
	fmt.Fprintf(&b, "package seccomp\n\n")
	fmt.Fprintf(&b, "const nameCount = %d\n\n", len(names))
	fmt.Fprintf(&b, "// names holds every name, sorted, one after the other; name i ends at nameEnd[i].\nconst names = \"\" +\n")
	for chunk := range slices.Chunk(names, 12) {
		fmt.Fprintf(&b, "%q +\n", strings.Join(chunk, ""))
	}
	fmt.Fprintf(&b, "\"\"\n\nvar nameEnd = [nameCount]uint16{")
	end := 0
	for i, name := range names {
		end += len(name)
		separator(&b, i)
		fmt.Fprintf(&b, "%d,", end)
	}
	fmt.Fprint(&b, "\n}\n")
	for i, t := range tables {
		fmt.Fprintf(&b, "\nvar nr%s = [nameCount]uint16{", t.name)
		for j, name := range names {
			separator(&b, j)
			if nr, ok := numbers[i][name]; ok {
				fmt.Fprintf(&b, "%d,", nr)
			} else {
				fmt.Fprint(&b, "none,")
			}
		}
		fmt.Fprint(&b, "\n}\n")
	}
	return b.Bytes()
}

func separator(b *bytes.Buffer, i int) {
	if i%30 == 0 {
		fmt.Fprint(b, "\n")
	}
}
