package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"github.com/ociruntime/ociruntime/tests/harness"
	"golang.org/x/sys/unix"
)

// Requests of a FUSE file system (linux/fuse.h).
const (
	fuseLookup      = 1
	fuseForget      = 2
	fuseGetattr     = 3
	fuseOpen        = 14
	fuseRelease     = 18
	fuseFlush       = 25
	fuseInit        = 26
	fuseOpendir     = 27
	fuseReaddir     = 28
	fuseReleasedir  = 29
	fuseInterrupt   = 36
	fuseBatchForget = 42
	fuseLseek       = 46
)

// hostileFS is a file system that wants whoever reads it to be busy for ever: its root holds files
// without end, each of which says of every place that data begins there, and that it ends there.
type hostileFS struct {
	dev      *os.File
	files    uint64 // in the root
	fileSize uint64
}

// mountHostile serves fs at a new directory until the test ends.
func mountHostile(t *testing.T, fs hostileFS) string {
	t.Helper()
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no FUSE here: %v", err)
	}
	fs.dev = dev
	dir := harness.TempDir(t)
	if err := unix.Mount("hostile", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev.Fd())); err != nil {
		dev.Close()
		t.Skipf("no FUSE here: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fs.serve()
	}()
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		<-done // the device says ENODEV once nothing uses the mount
		dev.Close()
	})
	return dir
}

func (fs *hostileFS) serve() {
	request := make([]byte, 1<<20)
	for {
		n, err := unix.Read(int(fs.dev.Fd()), request)
		if err != nil {
			if err == unix.EINTR || err == unix.ENOENT || err == unix.EAGAIN {
				continue
			}
			return
		}
		op := binary.NativeEndian.Uint32(request[4:])
		if op == fuseForget || op == fuseBatchForget || op == fuseInterrupt {
			continue
		}
		answer, errno := fs.answer(op, binary.NativeEndian.Uint64(request[16:]), request[40:n])
		reply := words(uint32(16+len(answer)), -int32(errno), binary.NativeEndian.Uint64(request[8:]))
		// ENOENT says that whoever asked is gone.
		unix.Write(int(fs.dev.Fd()), append(reply, answer...))
	}
}

// answer is the body of an answer to a request for a node, of which 1 is the root.
func (fs *hostileFS) answer(op uint32, node uint64, body []byte) ([]byte, unix.Errno) {
	switch op {
	case fuseInit:
		return words(uint32(7), uint32(31), uint32(0), uint32(0), uint16(16), uint16(16), uint32(4096), uint32(1), make([]byte, 36)), 0
	case fuseLookup:
		return append(words(uint64(2), make([]byte, 32)), fs.attr(2)...), 0
	case fuseGetattr:
		return append(make([]byte, 16), fs.attr(node)...), 0
	case fuseOpen, fuseOpendir:
		return make([]byte, 16), 0
	case fuseRelease, fuseReleasedir, fuseFlush:
		return nil, 0
	case fuseReaddir:
		offset := binary.NativeEndian.Uint64(body[8:])
		if offset >= fs.files {
			return nil, 0
		}
		return words(uint64(2), offset+1, uint32(8), uint32(unix.S_IFREG>>12), fmt.Appendf(nil, "%08x", offset)), 0
	case fuseLseek:
		return words(uint64(0)), 0
	}
	return nil, unix.ENOSYS
}

func (fs *hostileFS) attr(node uint64) []byte {
	mode, size := uint32(unix.S_IFREG|0o644), fs.fileSize
	if node == 1 {
		mode, size = unix.S_IFDIR|0o755, 0
	}
	return words(node, size, make([]byte, 44), mode, uint32(1), make([]byte, 20))
}

func words(list ...any) []byte {
	var b bytes.Buffer
	for _, w := range list {
		if err := binary.Write(&b, binary.NativeEndian, w); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func TestTmpcopyupOfAFileWithoutEnd(t *testing.T) {
	t.Parallel()
	ours(t, "others do not ask for holes")
	source := mountHostile(t, hostileFS{files: 1, fileSize: 1 << 20})
	b := harness.NewBundle(t).Mount(source, "/data", "bind", "bind").Mount("tmpfs", "/data", "tmpfs", "tmpcopyup")
	b.FailRun("mounts[8]: tmpcopyup: 00000000: the file system gives 0 and 0 for the data behind 0")
}

func TestTmpcopyupOfADirectoryWithoutEnd(t *testing.T) {
	t.Parallel()
	ours(t, "others read all names first")
	source := mountHostile(t, hostileFS{files: 1 << 62})
	b := harness.NewBundle(t).Mount(source, "/data", "bind", "bind").Mount("tmpfs", "/data", "tmpfs", "tmpcopyup", "nr_inodes=100")
	b.FailRun("mounts[8]: tmpcopyup: 00000063: no space left on device")
}
