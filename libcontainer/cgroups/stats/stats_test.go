package stats

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// source reads from a text archive: "file: contents", a line of contents ends at "|".
func source(text string) Source {
	files := map[string]string{}
	for line := range strings.Lines(text) {
		name, contents, _ := strings.Cut(strings.TrimSpace(line), ": ")
		files[name] = strings.ReplaceAll(contents, "|", "\n")
	}
	return func(file string) (string, error) {
		if text, ok := files[file]; ok {
			return text, nil
		}
		return "", syscall.ENOENT
	}
}

const v1Files = `cpu.stat: nr_periods 10|nr_throttled 2|throttled_time 500|nr_bursts 3|burst_time 70|
cpuacct.usage: 300
cpuacct.usage_user: 200
cpuacct.usage_sys: 100
cpuacct.usage_percpu: 250 50 
cpuacct.usage_percpu_user: 180 20 
cpuacct.usage_percpu_sys: 70 30 
cpuset.cpus: 0-1,3
cpuset.mems: 0
cpuset.sched_load_balance: 1
cpuset.sched_relax_domain_level: -1
memory.stat: cache 4096|rss 8192|
memory.limit_in_bytes: 9223372036854771712
memory.usage_in_bytes: 12288
memory.max_usage_in_bytes: 16384
memory.failcnt: 3
memory.kmem.limit_in_bytes: 9223372036854771712
memory.kmem.usage_in_bytes: 100
memory.oom_control: oom_kill_disable 0|under_oom 1|oom_kill 2|
rdma.current: mlx4_0 hca_handle=2 hca_object=2000|
rdma.max: mlx4_0 hca_handle=4 hca_object=max|ocrdma1 hca_handle=max hca_object=max|
pids.current: 4
pids.max: max
blkio.bfq.io_serviced_recursive: Total 0|
blkio.throttle.io_serviced_recursive: 254:0 Read 7|254:0 Total 7|Total 7|
blkio.throttle.io_service_bytes_recursive: 254:0 Read 28672|Total 28672|
hugetlb.2MB.rsvd.usage_in_bytes: 2097152
hugetlb.2MB.rsvd.max_usage_in_bytes: 4194304
hugetlb.2MB.rsvd.failcnt: 1
hugetlb.2MB.usage_in_bytes: 0
hugetlb.1GB.usage_in_bytes: 0
hugetlb.1GB.failcnt: 0`

const v1JSON = `{"cpu":{"usage":{"total":300,"percpu":[250,50],"percpu_kernel":[70,30],"percpu_user":[180,20],"kernel":100,"user":200},"throttling":{"periods":10,"throttledPeriods":2,"throttledTime":500}},
"cpuset":{"cpus":[0,1,3],"cpu_exclusive":0,"mems":[0],"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":1,"sched_relax_domain_level":-1},
"memory":{"cache":4096,"usage":{"limit":9223372036854771712,"usage":12288,"max":16384,"failcnt":3},"kernel":{"limit":9223372036854771712,"usage":100,"failcnt":0},"raw":{"cache":4096,"rss":8192}},
"pids":{"current":4},
"blkio":{"ioServiceBytesRecursive":[{"major":254,"op":"Read","value":28672}],"ioServicedRecursive":[{"major":254,"op":"Read","value":7},{"major":254,"op":"Total","value":7}]},
"hugetlb":{"1GB":{"failcnt":0},"2MB":{"usage":2097152,"max":4194304,"failcnt":1}},"intel_rdt":{},"network_interfaces":null}`

const v2Files = `cpu.stat: usage_usec 300|user_usec 200|system_usec 100|nr_periods 10|nr_throttled 2|throttled_usec 5|nr_bursts 3|burst_usec 7|
cpu.pressure: some avg10=1.50 avg60=0.25 avg300=0.00 total=77|full avg10=0.00 avg60=0.00 avg300=0.00 total=0|
cpuset.cpus.effective: 0
memory.stat: anon 8192|file 4096|
memory.current: 12288
memory.peak: 16384
memory.max: 1048576
memory.events: low 0|high 0|max 9|oom 1|oom_kill 1|
memory.swap.current: 100
memory.swap.max: max
pids.current: 4
pids.max: 100
io.stat: 254:0 rbytes=28672 wbytes=1 rios=7 wios=2 dbytes=3 dios=4 cost.usage=9|
hugetlb.2MB.current: 2097152
hugetlb.2MB.events: max 5|`

const v2JSON = `{"cpu":{"usage":{"total":300000,"kernel":100000,"user":200000},"throttling":{"periods":10,"throttledPeriods":2,"throttledTime":5000},"psi":{"some":{"avg10":1.5,"avg60":0.25,"avg300":0,"total":77},"full":{"avg10":0,"avg60":0,"avg300":0,"total":0}}},
"cpuset":{"cpus":[0],"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},
"memory":{"cache":4096,"usage":{"limit":1048576,"usage":12288,"max":16384,"failcnt":9},"swap":{"limit":18446744073709551615,"usage":12388,"max":16384,"failcnt":0},"raw":{"anon":8192,"file":4096}},
"pids":{"current":4,"limit":100},
"blkio":{"ioServiceBytesRecursive":[{"major":254,"op":"Read","value":28672},{"major":254,"op":"Write","value":1},{"major":254,"op":"Discard","value":3}],"ioServicedRecursive":[{"major":254,"op":"Read","value":7},{"major":254,"op":"Write","value":2},{"major":254,"op":"Discard","value":4}]},
"hugetlb":{"2MB":{"usage":2097152,"failcnt":5}},"intel_rdt":{},"network_interfaces":null}`

const emptyJSON = `{"cpu":{},
"cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},
"memory":{},
"pids":{},
"blkio":{},
"hugetlb":{},"intel_rdt":{},"network_interfaces":null}`

func TestCollect(t *testing.T) {
	v1 := func(string) Source { return source(v1Files) }
	sizes := []string{"2MB", "1GB"}
	for _, tc := range []struct {
		name string
		from Sources
		want string
	}{
		{"v1", Sources{V1: v1, PageSizes: sizes}, v1JSON},
		{"v2", Sources{V2: source(v2Files), PageSizes: sizes}, v2JSON},
		{"nothing", Sources{PageSizes: sizes}, emptyJSON},
		{"removed meanwhile", Sources{V2: func(string) (string, error) { return "", syscall.ENODEV }}, emptyJSON},
	} {
		s, err := Collect(tc.from)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(tc.want, "\n", ""); string(text) != want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, text, want)
		}
	}
}

// What runc's JSON does not have.
func TestBesideJSON(t *testing.T) {
	v1, err := Collect(Sources{V1: func(string) Source { return source(v1Files) }})
	if err != nil {
		t.Fatal(err)
	}
	rdma := RDMA{
		Current: []RDMAEntry{{"mlx4_0", 2, 2000}},
		Limit:   []RDMAEntry{{"mlx4_0", 4, math.MaxUint32}, {"ocrdma1", math.MaxUint32, math.MaxUint32}},
	}
	if !reflect.DeepEqual(v1.RDMA, rdma) || v1.CPU.Bursts != (Bursts{3, 70}) || v1.Memory.Events["oom_kill"] != 2 {
		t.Errorf("v1: %+v, %+v, %v", v1.RDMA, v1.CPU.Bursts, v1.Memory.Events)
	}
	v2, err := Collect(Sources{V2: source(v2Files)})
	if err != nil || v2.CPU.Bursts != (Bursts{3, 7000}) || v2.Memory.Events["oom_kill"] != 1 || v2.Memory.Events["max"] != 9 {
		t.Errorf("v2: %v, %+v, %v", err, v2.CPU.Bursts, v2.Memory.Events)
	}
	if _, err := Collect(Sources{V2: source("rdma.max: mlx4_0 hca_handle=x|")}); err == nil {
		t.Error("garbage: no error")
	}
}

func TestCollectErrors(t *testing.T) {
	_, err := Collect(Sources{V2: source("pids.current: many\npids.max: 3")})
	if err == nil || !strings.HasPrefix(err.Error(), "read pids.current: ") {
		t.Errorf("garbage: %v", err)
	}
	_, err = Collect(Sources{V2: func(string) (string, error) { return "", syscall.EACCES }})
	if !errors.Is(err, syscall.EACCES) {
		t.Errorf("unreadable: %v", err)
	}
}

func TestParseRanges(t *testing.T) {
	got, err := parseRanges("0-2,5,7-7\n")
	if want := []uint16{0, 1, 2, 5, 7}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"x", "1-", "-1", "70000", "1-99999"} {
		if got, err := parseRanges(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
