package plan

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Every structure is what the kernel's header says, as golang.org/x/sys/unix has it for this
// architecture.
func TestStructures(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("the image and its structures are for 64-bit ports")
	}
	type cloneArgsStruct struct { // linux/sched.h, CLONE_ARGS_SIZE_VER2
		Flags, Pidfd, ChildTid, ParentTid, ExitSignal, Stack, StackSize, TLS, SetTid, SetTidSize, Cgroup uint64
	}
	const lo, hi = 0x89abcdef, 0x01234567
	tests := []struct {
		name string
		got  []byte
		want any
	}{
		{"open_how", OpenHow(1, 2, 3), unix.OpenHow{Flags: 1, Mode: 2, Resolve: 3}},
		{"mount_attr", MountAttr(1, 2, 3, 4), unix.MountAttr{Attr_set: 1, Attr_clr: 2, Propagation: 3, Userns_fd: 4}},
		{"clone_args", cloneArgs(1, 17), cloneArgsStruct{Flags: 1, ExitSignal: 17}},
		{"cap_user_header", CapHeader(), unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}},
		{"cap_user_data", CapData(hi<<32|lo, 2<<32|1, 4<<32|3), [2]unix.CapUserData{
			{Effective: lo, Permitted: 1, Inheritable: 3}, {Effective: hi, Permitted: 2, Inheritable: 4}}},
		{"rlimit64", Rlimit64(1, 2), unix.Rlimit{Cur: 1, Max: 2}},
		{"winsize", Winsize(24, 80), unix.Winsize{Row: 24, Col: 80}},
		{"gid array", Uint32s(1, 2), []uint32{1, 2}},
		{"words", words(1, 2), []uint64{1, 2}},
	}
	for _, tt := range tests {
		want, err := binary.Append(nil, binary.NativeEndian, tt.want)
		if err != nil {
			t.Fatal(err)
		}
		if size := int(reflect.TypeOf(tt.want).Size()); reflect.TypeOf(tt.want).Kind() == reflect.Struct && len(tt.got) != size {
			t.Errorf("%s has %d bytes, not %d", tt.name, len(tt.got), size)
		}
		if !bytes.Equal(tt.got, want) {
			t.Errorf("%s is\n%x, not\n%x", tt.name, tt.got, want)
		}
	}

	// The version without utilisation clamps is the beginning of what x/sys has.
	attr := unix.SchedAttr{Size: 48, Policy: unix.SCHED_DEADLINE, Flags: 2, Nice: -3, Priority: 4, Runtime: 5, Deadline: 6, Period: 7}
	full, err := binary.Append(nil, binary.NativeEndian, attr)
	if err != nil {
		t.Fatal(err)
	}
	if got := SchedAttr(&attr); !bytes.Equal(got, full[:48]) {
		t.Errorf("sched_attr is\n%x, not\n%x", got, full[:48])
	}
}

// offset is where a field lies in one of the kernel's structures.
func offset(t *testing.T, structure any, field string) int {
	t.Helper()
	f, ok := reflect.TypeOf(structure).FieldByName(field)
	if !ok {
		t.Fatalf("%T has no field %s", structure, field)
	}
	return int(f.Offset)
}

func TestStructuresWithPointers(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("the image and its structures are for 64-bit ports")
	}
	if cloneArgsParentTid != 3*8 || cloneArgsCgroup != 10*8 || cloneArgsSize != 11*8 {
		t.Errorf("clone_args: parent_tid at %d, cgroup at %d of %d", cloneArgsParentTid, cloneArgsCgroup, cloneArgsSize)
	}
	b := NewBuilder()
	hdr, ctl := b.RightsMessage("m", "data", 3)
	msg, control, iov := &b.Plan.Bufs[hdr.Buf], &b.Plan.Bufs[ctl.Buf], (*Buf)(nil)
	if len(msg.Data) != int(reflect.TypeOf(unix.Msghdr{}).Size()) {
		t.Errorf("msghdr has %d bytes", len(msg.Data))
	}
	for _, p := range msg.Ptrs {
		switch p.Off {
		case offset(t, unix.Msghdr{}, "Iov"):
			iov = &b.Plan.Bufs[p.To.Buf]
		case offset(t, unix.Msghdr{}, "Control"):
			if p.To.Buf != ctl.Buf {
				t.Error("the control pointer leads elsewhere")
			}
		default:
			t.Errorf("a pointer at %d of msghdr", p.Off)
		}
	}
	if n := native.Uint64(msg.Data[offset(t, unix.Msghdr{}, "Controllen"):]); int(n) != len(control.Data) || int(n) != unix.CmsgSpace(12) {
		t.Errorf("msg_controllen %d for %d bytes", n, len(control.Data))
	}
	if iov == nil || len(iov.Data) != int(reflect.TypeOf(unix.Iovec{}).Size()) || native.Uint64(iov.Data[offset(t, unix.Iovec{}, "Len"):]) != 4 ||
		len(iov.Ptrs) != 1 || iov.Ptrs[0].Off != offset(t, unix.Iovec{}, "Base") || iov.Ptrs[0].To.Str != "data" {
		t.Errorf("iovec %+v", iov)
	}
	// The kernel's own parser reads the descriptors back.
	for i := range 3 {
		copy(control.Data[RightsFD+4*i:], Uint32s(uint32(70+i)))
	}
	messages, err := unix.ParseSocketControlMessage(control.Data)
	if err != nil || len(messages) != 1 {
		t.Fatalf("%v, %v", messages, err)
	}
	if fds, err := unix.ParseUnixRights(&messages[0]); err != nil || !reflect.DeepEqual(fds, []int{70, 71, 72}) {
		t.Errorf("descriptors %v, %v", fds, err)
	}

	prog := b.Plan.Bufs[b.SockFprog("filter", make([]byte, 5*8)).Buf]
	if len(prog.Data) != int(reflect.TypeOf(unix.SockFprog{}).Size()) || native.Uint16(prog.Data) != 5 ||
		len(prog.Ptrs) != 1 || prog.Ptrs[0].Off != offset(t, unix.SockFprog{}, "Filter") {
		t.Errorf("sock_fprog %+v", prog)
	}
}

func TestDeviceNumbers(t *testing.T) {
	for _, d := range []struct {
		major, minor uint32
		want         uint64
	}{{1, 3, 0x103}, {4, 255, 0x4ff}, {259, 300, 0x11032c}, {0xfff, 0xfffff, 0xffffffff}} {
		o := Mknod(CWD(), "x", unix.S_IFBLK|0o600, unix.Mkdev(d.major, d.minor))
		if got := o.Args[3].Int; got != d.want {
			t.Errorf("%d:%d is %#x, not %#x", d.major, d.minor, got, d.want)
		}
	}
}

func TestFlagNames(t *testing.T) {
	for got, want := range map[string]string{
		attrText(0): "0",
		attrText(unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOEXEC):                          "ro|noexec",
		attrText(unix.MOUNT_ATTR_NOATIME):                                                  "noatime",
		attrText(1 << 40):                                                                  "0x10000000000",
		attrChange(unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_NODEV, unix.MS_SLAVE):           "{+ro -nodev slave}",
		attrChange(0, unix.MOUNT_ATTR__ATIME, 0):                                           "{-atime*}",
		CloneText(0):                                                                       "0",
		CloneText(unix.CLONE_NEWNS | unix.CLONE_NEWUSER | unix.CLONE_PARENT):               "NEWUSER|NEWNS|PARENT",
		flagSet(openFlagNames).text(unix.O_RDWR | unix.O_CLOEXEC):                          "O_RDWR|O_CLOEXEC",
		flagSet(resolveFlagNames).text(unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | 1<<5): "BENEATH|NO_XDEV|0x20",
	} {
		if got != want {
			t.Errorf("printed %s, not %s", got, want)
		}
	}
}

func TestCallNames(t *testing.T) {
	seen := map[string]bool{}
	for c := Call(0); c < Calls; c++ {
		name := c.String()
		if name == "" || name == "call?" || seen[name] {
			t.Errorf("call %d is called %q", c, name)
		}
		seen[name] = true
	}
	for c, want := range map[Call]string{Set: "set", Spawn: "spawn", SysAccept4: "accept4", SysOpenat2: "openat2", SysWrite: "write", SysNone: "none", Calls: "call?"} {
		if c.String() != want {
			t.Errorf("%d is %s, not %s", c, c, want)
		}
	}
}
