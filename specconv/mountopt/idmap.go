package mountopt

import (
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/specconv/idmap"
)

// IDMapOption reads the value of the mount options idmap and ridmap, which crun has brought into
// use:
//
//	uids=0-1000-1#1-2000-10;gids=@0-100-10
//
// Each range is the first id in the file system, the first id on the host, and how many there are.
// With an @ the second is an id of the container.
func IDMapOption(text string, linux *specs.Linux) (uids, gids []specs.LinuxIDMapping, err error) {
	for part := range strings.SplitSeq(text, ";") {
		key, list, _ := strings.Cut(part, "=")
		switch key {
		case "uids":
			uids, err = idRanges(list, linux.UIDMappings)
		case "gids":
			gids, err = idRanges(list, linux.GIDMappings)
		default:
			err = fmt.Errorf("%q is neither uids nor gids", key)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if len(uids) == 0 || len(gids) == 0 {
		return nil, nil, fmt.Errorf("%q must name both uids and gids", text)
	}
	return uids, gids, nil
}

func idRanges(list string, container []specs.LinuxIDMapping) ([]specs.LinuxIDMapping, error) {
	all, relative := strings.CutPrefix(list, "@")
	var ranges []specs.LinuxIDMapping
	for text := range strings.SplitSeq(all, "#") {
		text, own := strings.CutPrefix(text, "@")
		var n [3]uint32
		fields := strings.Split(text, "-")
		for i := range n {
			if len(fields) != len(n) {
				return nil, fmt.Errorf("%q is not a range, as 0-1000-1 is", text)
			}
			v, err := strconv.ParseUint(fields[i], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%q is not a range: %w", text, err)
			}
			n[i] = uint32(v)
		}
		m := specs.LinuxIDMapping{ContainerID: n[0], HostID: n[1], Size: n[2]}
		if relative || own {
			var ok bool
			if m.HostID, ok = idmap.HostRange(container, m.HostID, m.Size); !ok {
				return nil, fmt.Errorf("the user namespace does not map %d ids from %d on in one range", n[2], n[1])
			}
		}
		ranges = append(ranges, m)
	}
	return ranges, nil
}
