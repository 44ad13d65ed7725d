package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// DataCopier copies the contents of files into a tmpfs at the container's expense. The kernel
// charges memory of a tmpfs to the cgroup of the process that touches it first (in v1 to that of
// its first thread), and it stays there. So what is to be copied is gathered, and a process of its
// own copies it in the container's cgroup: an image like the init's, whose plan is a list of
// sendfile(2)s between descriptors. It sees no path, and nothing that is read can make it do
// anything else.
type DataCopier struct {
	Ctx   context.Context // one copier serves one call
	From  string          // the place in config.json
	Cg    *cgroups.Cgroup // nil where nobody may be put into the container's
	Stdio [3]*os.File     // what the process gets as such
	Dir   string          // as in launch.Config
	tmpfs *os.File
	files []openCopy
	parts []part
	bytes int64 // in pages of parts
}

// openCopy is a file that waits for its contents, and then gets its attributes.
type openCopy struct{ src, dst *os.File }

// part is a piece of a file that is no hole.
type part struct {
	file     int // index of files
	off, len int64
}

const (
	copyFiles = 256     // open at a time, of each side
	copyParts = 4096    // copied by one process
	copyChunk = 1 << 30 // at a time; sendfile(2) takes less than 2 GiB
)

// add takes over a file and its empty copy.
func (d *DataCopier) add(src, dst int) error {
	d.files = append(d.files, openCopy{os.NewFile(uintptr(src), "covered"), os.NewFile(uintptr(dst), "copy")})
	var st unix.Stat_t
	if err := unix.Fstat(src, &st); err != nil {
		return err
	}
	// Holes stay holes.
	if err := unix.Ftruncate(dst, st.Size); err != nil {
		return err
	}
	seek := func(off int64, whence int) (int64, error) { return unix.Seek(src, off, whence) }
	for off := int64(0); off < st.Size; {
		from, to, err := nextData(seek, off, st.Size)
		if err != nil {
			return err
		}
		for ; from < to; from += copyChunk {
			if err := d.part(from, min(to-from, copyChunk)); err != nil {
				return err
			}
		}
		off = to
	}
	if len(d.files) == copyFiles {
		return d.finish()
	}
	return nil
}

// nextData is the next piece of a file behind off that is no hole. A file system that does not know
// has none. One that leads back, as a FUSE server may, would have us copy for ever.
func nextData(seek func(off int64, whence int) (int64, error), off, size int64) (from, to int64, err error) {
	from, err = seek(off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size, size, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		return off, size, nil
	case err != nil:
		return 0, 0, err
	case from >= size:
		return size, size, nil // the file has grown
	}
	if to, err = seek(from, unix.SEEK_HOLE); err != nil {
		return 0, 0, err
	}
	if from < off || to <= from {
		return 0, 0, fmt.Errorf("the file system gives %d and %d for the data behind %d: %w", from, to, off, unix.EUCLEAN)
	}
	return from, min(to, size), nil
}

// part has a piece of the last file copied.
func (d *DataCopier) part(off, n int64) error {
	if len(d.parts) == copyParts {
		if err := d.run(); err != nil {
			return err
		}
	}
	d.parts = append(d.parts, part{len(d.files) - 1, off, n})
	page := int64(os.Getpagesize())
	d.bytes += (n + page - 1) / page * page
	return nil
}

// finish copies what has been gathered, and lets go of the files.
func (d *DataCopier) finish() error {
	defer d.close()
	if err := d.run(); err != nil {
		return err
	}
	for _, f := range d.files {
		var st unix.Stat_t
		if err := unix.Fstat(int(f.src.Fd()), &st); err != nil {
			return err
		}
		if err := copyAttributes(int(f.src.Fd()), int(f.dst.Fd()), &st); err != nil {
			return err
		}
	}
	return nil
}

func (d *DataCopier) close() {
	for _, f := range d.files {
		f.src.Close()
		f.dst.Close()
	}
	d.files = d.files[:0]
}

// run copies the parts.
func (d *DataCopier) run() error {
	if len(d.parts) == 0 {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.tmpfs.Fd()), &st); err != nil {
		return err
	}
	left := int64(st.Bavail) * int64(st.Bsize) //nolint:unconvert // 32 bits in some ports
	if st.Blocks > 0 && d.bytes > left {
		return fmt.Errorf("%d bytes are to be copied, and the tmpfs has room for %d: %w", d.bytes, left, unix.ENOSPC)
	}
	// On a thread of its own: this one may have changed its user, whose program the image would be.
	done := make(chan error)
	go func() { done <- d.inCgroup() }()
	err := <-done
	d.parts, d.bytes = d.parts[:0], 0
	return err
}

func (d *DataCopier) inCgroup() error {
	entrance := &cgroups.Entrance{}
	if d.Cg != nil {
		var err error
		if entrance, err = d.Cg.Enter(); err != nil {
			return err
		}
	}
	defer entrance.Close()
	err := d.launch(entrance.Dir, memoryTasks(entrance))
	if entrance.Dir != nil && errors.Is(err, unix.EAGAIN) {
		// The container may have one process only, and that is the init.
		err = d.launch(nil, nil)
	}
	return err
}

// memoryTasks is the file through which a process joins the cgroup that memory is charged to, in
// v1.
func memoryTasks(e *cgroups.Entrance) *os.File {
	for i, name := range e.Names {
		if strings.Contains(","+name+",", ",memory,") {
			return e.Tasks[i]
		}
	}
	return nil
}

// launch runs the process that copies.
func (d *DataCopier) launch(cgroup, tasks *os.File) error {
	pl, files := d.plan(tasks)
	p, err := launch.Start(&launch.Config{Plan: pl, Stdio: d.Stdio, Files: files, Cgroup: cgroup, Dir: d.Dir})
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Serve(d.Ctx, nil); err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}

// plan is that of the process: descriptors and nothing else.
func (d *DataCopier) plan(tasks *os.File) (*plan.Plan, map[string]*os.File) {
	b := plan.NewBuilder()
	b.Group = plan.Rootfs
	files := make(map[string]*os.File, 1+2*len(d.files))
	file := func(name string, f *os.File) plan.Arg {
		files[name] = f
		return b.File(plan.File{Name: name, From: d.From})
	}
	b.Step("default", "share the progress page with the runtime", b.MapPage(plan.PageSize))
	if tasks != nil {
		b.Step("linux.cgroupsPath", "join the container's memory cgroup", plan.Write(file("tasks", tasks), "0"))
	}
	b.Step(d.From, "copy what the tmpfs covers into it")
	var src, dst plan.Arg
	last := -1
	for _, p := range d.parts {
		if p.file != last {
			last = p.file
			src, dst = file(fmt.Sprint("file ", last), d.files[last].src), file(fmt.Sprint("copy ", last), d.files[last].dst)
		}
		b.Do(plan.Seek(src, p.off), plan.Seek(dst, p.off), plan.Sendfile(dst, src, p.len))
	}
	b.Step("default", "end", plan.Exit(0))
	return &b.Plan, files
}
