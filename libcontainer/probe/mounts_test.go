package probe

import (
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
)

// The restrictions of each mount of this host are those that the table of mounts has.
func TestMountAttr(t *testing.T) {
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, m := range mounts {
		if id, err := MountID(m.Mountpoint); err != nil || id != uint64(m.ID) {
			continue // below another mount, or not ours to see
		}
		seen++
		var want uint64
		for option := range strings.SplitSeq(m.Options, ",") {
			want |= attrOf(option)
		}
		if got, err := mountAttr(m.Mountpoint); err != nil || got != want {
			t.Errorf("%s (%s; %s): %#x %v, want %#x", m.Mountpoint, m.Options, m.VFSOptions, got, err, want)
		}
	}
	if seen == 0 {
		t.Skip("no mount to look at")
	}
}
