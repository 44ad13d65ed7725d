package mountopt

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// oneOption holds, for every option of the table, what it alone makes.
var oneOption = map[string]MountOptions{
	"_netdev":        {},
	"async":          {Super: []string{"async"}},
	"atime":          {},
	"auto":           {},
	"bind":           {Bind: true},
	"copy-symlink":   {CopySymlink: true},
	"defaults":       {},
	"dest-nofollow":  {DestNoFollow: true},
	"dev":            {AttrClr: 0x4},
	"diratime":       {AttrClr: 0x80},
	"dirsync":        {Super: []string{"dirsync"}},
	"exec":           {AttrClr: 0x8},
	"group":          {AttrSet: 0x2 | 0x4},
	"idmap":          {IDMap: IDMapMount},
	"iversion":       {},
	"lazytime":       {Super: []string{"lazytime"}},
	"loud":           {},
	"mand":           {},
	"noatime":        {AttrSet: 0x10, AttrClr: 0x70},
	"noauto":         {},
	"nodev":          {AttrSet: 0x4},
	"nodiratime":     {AttrSet: 0x80},
	"noexec":         {AttrSet: 0x8},
	"nofail":         {},
	"nogroup":        {},
	"noiversion":     {},
	"nolazytime":     {Super: []string{"nolazytime"}},
	"nomand":         {},
	"noowner":        {},
	"norelatime":     {},
	"nostrictatime":  {},
	"nosuid":         {AttrSet: 0x2},
	"nosymfollow":    {AttrSet: 0x200000},
	"nouser":         {},
	"nousers":        {},
	"owner":          {AttrSet: 0x2 | 0x4},
	"private":        {Propagation: []MountPropagation{{Type: unix.MS_PRIVATE}}},
	"ratime":         {RecAttrClr: 0x70},
	"rbind":          {Bind: true, Recursive: true},
	"rdev":           {RecAttrClr: 0x4},
	"rdiratime":      {RecAttrClr: 0x80},
	"relatime":       {AttrClr: 0x70},
	"remount":        {Remount: true},
	"rexec":          {RecAttrClr: 0x8},
	"ridmap":         {IDMap: IDMapTree},
	"rnoatime":       {RecAttrSet: 0x10, RecAttrClr: 0x70},
	"rnodev":         {RecAttrSet: 0x4},
	"rnodiratime":    {RecAttrSet: 0x80},
	"rnoexec":        {RecAttrSet: 0x8},
	"rnorelatime":    {RecAttrClr: 0x70},
	"rnostrictatime": {RecAttrClr: 0x70},
	"rnosuid":        {RecAttrSet: 0x2},
	"rnosymfollow":   {RecAttrSet: 0x200000},
	"ro":             {AttrSet: 0x1},
	"rprivate":       {Propagation: []MountPropagation{{Type: unix.MS_PRIVATE, Recursive: true}}},
	"rrelatime":      {RecAttrClr: 0x70},
	"rro":            {RecAttrSet: 0x1},
	"rrw":            {RecAttrClr: 0x1},
	"rshared":        {Propagation: []MountPropagation{{Type: unix.MS_SHARED, Recursive: true}}},
	"rslave":         {Propagation: []MountPropagation{{Type: unix.MS_SLAVE, Recursive: true}}},
	"rstrictatime":   {RecAttrSet: 0x20, RecAttrClr: 0x70},
	"rsuid":          {RecAttrClr: 0x2},
	"rsymfollow":     {RecAttrClr: 0x200000},
	"runbindable":    {Propagation: []MountPropagation{{Type: unix.MS_UNBINDABLE, Recursive: true}}},
	"rw":             {AttrClr: 0x1},
	"shared":         {Propagation: []MountPropagation{{Type: unix.MS_SHARED}}},
	"silent":         {},
	"slave":          {Propagation: []MountPropagation{{Type: unix.MS_SLAVE}}},
	"src-nofollow":   {SrcNoFollow: true},
	"strictatime":    {AttrSet: 0x20, AttrClr: 0x70},
	"suid":           {AttrClr: 0x2},
	"symfollow":      {AttrClr: 0x200000},
	"sync":           {Super: []string{"sync"}},
	"tmpcopyup":      {TmpCopyUp: true},
	"unbindable":     {Propagation: []MountPropagation{{Type: unix.MS_UNBINDABLE}}},
	"user":           {AttrSet: 0x2 | 0x4 | 0x8},
	"users":          {AttrSet: 0x2 | 0x4 | 0x8},
}

func TestEachMountOption(t *testing.T) {
	for _, row := range mountOptionTable {
		want, ok := oneOption[row.name]
		if !ok {
			t.Errorf("no expectation for option %q", row.name)
			continue
		}
		got := ParseMountOptions([]string{row.name})
		got.HasFlags = false // see TestForgottenAttr
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", row.name, got, want)
		}
	}
	if len(oneOption) != len(mountOptionTable) {
		t.Errorf("%d expectations for %d options", len(oneOption), len(mountOptionTable))
	}
}

func TestMountOptionTableIsSorted(t *testing.T) {
	if !slices.IsSortedFunc(mountOptionTable[:], func(a, b mountOptionRow) int { return strings.Compare(a.name, b.name) }) {
		t.Error("the table is not sorted: lookups miss")
	}
}

func TestMountOptionsTogether(t *testing.T) {
	tests := []struct {
		name    string
		options string
		want    MountOptions
	}{
		{"nothing", "", MountOptions{}},
		{"docker's /dev", "nosuid strictatime mode=755 size=65536k", MountOptions{
			AttrSet: 0x2 | 0x20, AttrClr: 0x70,
			Data: []FSOption{{2, "mode", "755", true}, {3, "size", "65536k", true}}}},
		{"last of a pair: ro rw", "ro rw", MountOptions{AttrClr: 0x1}},
		{"last of a pair: rw ro", "rw ro", MountOptions{AttrSet: 0x1}},
		{"last of a pair: rnodev rdev", "rnodev rdev", MountOptions{RecAttrClr: 0x4}},
		{"last of a pair: rdev rnodev", "rdev rnodev", MountOptions{RecAttrSet: 0x4}},
		{"last of a pair: sync async", "sync async", MountOptions{Super: []string{"async"}}},
		{"last of a pair: noatime atime", "noatime atime", MountOptions{}},
		{"last of a pair: atime noatime", "atime noatime", MountOptions{AttrSet: 0x10, AttrClr: 0x70}},
		{"user is overridden by exec", "user exec", MountOptions{AttrSet: 0x2 | 0x4, AttrClr: 0x8}},
		{"strictatime beats noatime, as in mount(2)", "strictatime noatime", MountOptions{AttrSet: 0x20, AttrClr: 0x70}},
		{"noatime beats relatime, as in mount(2)", "noatime relatime", MountOptions{AttrSet: 0x10, AttrClr: 0x70}},
		{"nostrictatime leaves noatime", "strictatime noatime nostrictatime", MountOptions{AttrSet: 0x10, AttrClr: 0x70}},
		{"one value in the recursive field too", "rnoatime rstrictatime", MountOptions{RecAttrSet: 0x20, RecAttrClr: 0x70}},
		{"the mount and the tree are apart", "rbind rro rw", MountOptions{Bind: true, Recursive: true, AttrClr: 0x1, RecAttrSet: 0x1}},
		{"bind does not undo rbind", "rbind bind", MountOptions{Bind: true, Recursive: true}},
		{"propagation in order", "bind shared rslave", MountOptions{Bind: true, Propagation: []MountPropagation{
			{Type: unix.MS_SHARED}, {Type: unix.MS_SLAVE, Recursive: true}}}},
		{"superblock flags", "lazytime sync dirsync", MountOptions{Super: []string{"sync", "dirsync", "lazytime"}}},
		{"last of idmap and ridmap", "ridmap idmap", MountOptions{IDMap: IDMapMount}},
		{"mount(8)'s own", "nofail x-systemd.automount X-mount.mkdir comment=mine", MountOptions{}},
		{"file system data in order", "lowerdir=/a:/b index=off userxattr", MountOptions{Data: []FSOption{
			{0, "lowerdir", "/a:/b", true}, {1, "index", "off", true}, {2, "userxattr", "", false}}}},
		{"unknown ones are data, whatever their case", "RO acl", MountOptions{Data: []FSOption{{0, "RO", "", false}, {1, "acl", "", false}}}},
		{"joined by commas", "nosuid,,size=1k,ro mode=1", MountOptions{AttrSet: 0x3, Data: []FSOption{
			{0, "size", "1k", true}, {1, "mode", "1", true}}}},
		{"quoted comma", `context="a:c1,c2",ro`, MountOptions{AttrSet: 0x1, Data: []FSOption{{0, "context", `"a:c1,c2"`, true}}}},
		{"escaped comma", `upperdir=/a\,b,ro`, MountOptions{AttrSet: 0x1, Data: []FSOption{{0, "upperdir", `/a\,b`, true}}}},
		{"escape at the end", `x\`, MountOptions{Data: []FSOption{{0, `x\`, "", false}}}},
		{"empty value", "usrquota=", MountOptions{Data: []FSOption{{0, "usrquota", "", true}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ParseMountOptions(strings.Split(tt.options, " "))
			got.HasFlags = false // see TestForgottenAttr
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s:\n got %+v\nwant %+v", tt.options, got, tt.want)
			}
		})
	}
}

func TestIDMapOption(t *testing.T) {
	linux := &specs.Linux{
		UIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 1, HostID: 2, Size: 1000}},
		GIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}},
	}
	o := ParseMountOptions([]string{"bind", "idmap", "ridmap=uids=0-1-10#10-11-10;gids=@0-100-10"})
	if o.IDMap != IDMapTree || len(o.Data) > 0 {
		t.Errorf("%+v", o)
	}
	for text, want := range map[string][2]string{
		o.IDMapText:                      {"0 1 10\n10 11 10\n", "0 100100 10\n"},
		"uids=@1-3-10;gids=@0-0-1#5-6-1": {"1 4 10\n", "0 100000 1\n5 100006 1\n"},
		"gids=0-0-1#@1-1-1;uids=7-8-9":   {"7 8 9\n", "0 0 1\n1 100001 1\n"},
	} {
		uids, gids, err := IDMapOption(text, linux)
		if got := [2]string{lines(uids), lines(gids)}; err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "uids", "uids=", "uids=-", "uids=1-2-x;gids=0-0-1", "uids=0-0-4294967296;gids=0-0-1", "uids=@0-0-2;gids=0-0-1"} {
		if uids, gids, err := IDMapOption(text, linux); err == nil {
			t.Errorf("%q: %v %v", text, uids, gids)
		}
	}
}

func TestForgottenAttr(t *testing.T) {
	for options, want := range map[string]uint64{
		"bind":                       0,
		"rbind rprivate rro sync":    0,
		"bind nosuid nodev":          unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW,
		"bind rw":                    unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW,
		"bind atime":                 flagAttrs,
		"bind noatime atime":         flagAttrs,
		"bind relatime":              flagAttrs | unix.MOUNT_ATTR_NODIRATIME,
		"bind noatime nodiratime ro": flagAttrs &^ unix.MOUNT_ATTR_RDONLY,
	} {
		if o := ParseMountOptions(strings.Split(options, " ")); o.ForgottenAttr() != want {
			t.Errorf("%s: %#x, want %#x", options, o.ForgottenAttr(), want)
		}
	}
}

func TestMountAttributesSuitTheKernel(t *testing.T) {
	// mount_setattr(2) refuses access time bits without the whole field in
	// attr_clr, and values of the field that are not one of three.
	valid := func(set, clr uint64) bool {
		atime := set & unix.MOUNT_ATTR__ATIME
		return atime == 0 && clr&unix.MOUNT_ATTR__ATIME == 0 ||
			clr&unix.MOUNT_ATTR__ATIME == unix.MOUNT_ATTR__ATIME && (atime == 0 || atime == 0x10 || atime == 0x20)
	}
	for _, a := range mountOptionTable {
		for _, b := range mountOptionTable {
			o := ParseMountOptions([]string{a.name, b.name})
			if !valid(o.AttrSet, o.AttrClr) || !valid(o.RecAttrSet, o.RecAttrClr) {
				t.Errorf("%s,%s: set %#x clr %#x, tree: set %#x clr %#x", a.name, b.name, o.AttrSet, o.AttrClr, o.RecAttrSet, o.RecAttrClr)
			}
			if o.AttrSet&o.AttrClr&^unix.MOUNT_ATTR__ATIME != 0 || o.RecAttrSet&o.RecAttrClr&^unix.MOUNT_ATTR__ATIME != 0 {
				t.Errorf("%s,%s: a bit is both set and cleared", a.name, b.name)
			}
		}
	}
}

// lines are mappings as user_namespaces(7) wants them.
func lines(mappings []specs.LinuxIDMapping) string {
	var b strings.Builder
	for _, m := range mappings {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	return b.String()
}
