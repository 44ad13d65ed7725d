package inspect

import (
	"os"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	s, err := parseStatus("Name:\ta b\nUid:\t0\t1\t2\t3\nGroups:\t4 24 \nNSpid:\t77\t1\nCapInh:\t0000000000000000\nCapEff:\t0000000000000400\n" +
		"NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n")
	if err != nil || s.Name != "a b" || !slices.Equal(s.Pids, []int{77, 1}) || !slices.Equal(s.UIDs, []uint32{0, 1, 2, 3}) ||
		!slices.Equal(s.Groups, []uint32{4, 24}) || s.Capabilities["effective"] != 1<<10 || !s.NoNewPrivs || s.SeccompMode != 2 || s.SeccompFilters != 3 {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := parseStatus("Uid:\tx\n"); err == nil {
		t.Error("no error for a uid x")
	}
	m, err := parseMap("         0       1000          1\n         1     100000      65536\n")
	if err != nil || !slices.Equal(m, []Mapping{{0, 1000, 1}, {1, 100000, 65536}}) {
		t.Errorf("%v %v", m, err)
	}
	if _, err := parseMap("0 1\n"); err == nil {
		t.Error("no error for half a mapping")
	}
	l := parseLimits("Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max open files            1024                 unlimited            files     \n")
	if !slices.Equal(l, []Limit{{"open files", "1024", "unlimited"}}) {
		t.Errorf("%v", l)
	}
}

func TestReadOurselves(t *testing.T) {
	p, err := Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if p.Pids[0] != os.Getpid() || int(p.UIDs[1]) != os.Geteuid() || len(p.Limits) < 16 || len(p.UIDMap) == 0 || len(p.Mounts) == 0 || len(p.Capabilities) != 5 {
		t.Errorf("%+v", p)
	}
}
