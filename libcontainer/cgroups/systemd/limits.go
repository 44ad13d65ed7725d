package systemd

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	godbus "github.com/godbus/dbus/v5"

	"github.com/ociruntime/ociruntime/libcontainer/cgroups"
	"github.com/ociruntime/ociruntime/libcontainer/cpuset"
)

// Property is one property of a unit (org.freedesktop.systemd1(5)).
type Property struct {
	Name  string
	Value godbus.Variant
	From  string // place in config.json
}

// String is "MemoryMax = 1048576  (linux.resources.memory.limit)".
func (p Property) String() string { return p.Setting() + "  (" + p.From + ")" }

// Setting is "MemoryMax = 1048576".
func (p Property) Setting() string {
	value := p.Value.String()
	switch v := p.Value.Value().(type) {
	case uint64:
		value = strconv.FormatUint(v, 10)
		if v == math.MaxUint64 {
			value = "infinity"
		}
	case []byte:
		if p.Name == "AllowedCPUs" || p.Name == "AllowedMemoryNodes" {
			value = cpuset.List(v)
		}
	case []deviceRule:
		value = deviceList(v)
	}
	return p.Name + " = " + value
}

// Limits turns compiled limits into the properties that systemd has for them. What it has none for
// is left out: it stands in the settings already. late are those that must wait until the
// placeholder is gone: with a limit of one process the init could not be born beside it.
//
// CPU quotas in set are rounded up to a hundredth of a CPU, as systemd does when it saves a unit:
// the limit would change by itself at the next reload otherwise.
func Limits(set *cgroups.Settings) (props, late []Property, err error) {
	l := limits{}
	for i := range set.Writes {
		w := &set.Writes[i]
		add := l.v1
		if w.V2 {
			add = l.v2
		}
		if err := add(w); err != nil {
			return nil, nil, fmt.Errorf("%s: %q for %s: %w", w.From, w.Value, w.File, err)
		}
	}
	l.quotaV1(set)
	if l.lost != "" {
		set.Warnings = append(set.Warnings, l.lost+": systemd can't keep this rule on cgroup v1: `systemctl daemon-reload` undoes it")
	}
	for _, p := range l.props {
		if n, ok := p.Value.Value().(uint64); ok && p.Name == "TasksMax" && n <= 1 {
			late = append(late, p)
			continue
		}
		props = append(props, p)
	}
	if len(late) > 0 {
		for i := range set.Writes {
			set.Writes[i].Late = set.Writes[i].Late || set.Writes[i].File == "pids.max"
		}
	}
	return props, late, nil
}

type limits struct {
	props         []Property
	quota, period *cgroups.Write
	allow         []deviceRule
	lost          string // the place of a device rule that systemd has no words for
}

// put sets a property; a later line of config.json ("unified") takes the place of an earlier one.
func (l *limits) put(name string, value any, from string) {
	l.set(Property{name, godbus.MakeVariant(value), from})
}

func (l *limits) set(p Property) {
	if i := slices.IndexFunc(l.props, func(old Property) bool { return old.Name == p.Name }); i >= 0 {
		l.props[i] = p
		return
	}
	l.props = append(l.props, p)
}

func (l *limits) v2(w *cgroups.Write) error {
	name := ""
	switch w.File {
	case "memory.max":
		name = "MemoryMax"
	case "memory.high":
		name = "MemoryHigh"
	case "memory.low":
		name = "MemoryLow"
	case "memory.min":
		name = "MemoryMin"
	case "memory.swap.max":
		name = "MemorySwapMax"
	case "pids.max":
		name = "TasksMax"
	case "cpu.weight":
		name = "CPUWeight"
	case "cpu.idle":
		if w.Value == "1" {
			l.put("CPUWeight", uint64(0), w.From) // means idle, since systemd 252
		}
		return nil
	case "cpu.max":
		return l.cpuMax(w)
	case "cpuset.cpus":
		return l.cpus("AllowedCPUs", w)
	case "cpuset.mems":
		return l.cpus("AllowedMemoryNodes", w)
	case "memory.oom.group":
		policy := "continue"
		if w.Value == "1" {
			policy = "kill"
		}
		l.put("OOMPolicy", policy, w.From) // for scopes since systemd 253
		return nil
	default:
		return nil
	}
	return l.amount(name, w)
}

func (l *limits) v1(w *cgroups.Write) error {
	switch w.File {
	case "memory.limit_in_bytes":
		return l.amount("MemoryLimit", w)
	case "cpu.shares":
		return l.amount("CPUShares", w)
	case "pids.max":
		return l.amount("TasksMax", w)
	case "cpu.cfs_quota_us":
		l.quota = w
	case "cpu.cfs_period_us":
		l.period = w
	case "devices.allow", "devices.deny":
		l.device(w)
	}
	return nil
}

// amount is a number; systemd's "infinity" is the largest one. systemd can't express that no
// process is allowed at all.
func (l *limits) amount(name string, w *cgroups.Write) error {
	if w.Value == "max" || w.Value == "-1" {
		l.put(name, uint64(math.MaxUint64), w.From)
		return nil
	}
	n, err := bytesOf(w.Value)
	if err != nil {
		return err
	}
	if name == "TasksMax" {
		n = max(n, 1)
	}
	l.put(name, n, w.From)
	return nil
}

// bytesOf reads a number as the kernel does in memory files, with the suffixes that "unified" may
// carry.
func bytesOf(s string) (uint64, error) {
	shift := 0
	if s != "" {
		shift = 10 * (1 + strings.IndexByte("kmgt", s[len(s)-1]|0x20))
	}
	if shift > 0 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n<<shift>>shift != n {
		return 0, fmt.Errorf("not a number that systemd could be told")
	}
	return n << shift, nil
}

// systemd knows quotas as time per second, and keeps them in percent.
const (
	second        = 1_000_000
	percent       = second / 100
	defaultPeriod = 100_000
	// The kernel takes 44 bits (MAX_BW), which leaves room to round up. Times a second, 43 fit into
	// 64.
	quotaBits = 43
)

// roundQuota returns the quota in µs for each second, rounded up, and what that makes in each
// period.
func roundQuota(quota, period uint64) (perSecond, rounded uint64) {
	perSecond = (quota*second/period + percent - 1) / percent * percent
	return perSecond, perSecond * period / second
}

func (l *limits) cpuMax(w *cgroups.Write) error {
	text, periodText, _ := strings.Cut(w.Value, " ")
	period := uint64(defaultPeriod)
	if periodText != "" {
		var err error
		if period, err = strconv.ParseUint(periodText, 10, 32); err != nil || period == 0 {
			return fmt.Errorf("the period is not a number")
		}
	}
	perSecond := uint64(math.MaxUint64)
	if text != "max" {
		quota, err := strconv.ParseUint(text, 10, quotaBits)
		if err != nil {
			return fmt.Errorf("the quota is not a number of microseconds that the kernel takes")
		}
		perSecond, quota = roundQuota(quota, period)
		w.Value = strconv.FormatUint(quota, 10) + " " + strconv.FormatUint(period, 10)
	}
	l.put("CPUQuotaPerSecUSec", perSecond, w.From)
	l.put("CPUQuotaPeriodUSec", period, w.From)
	return nil
}

// quotaV1 is cpuMax for v1, which has two files.
func (l *limits) quotaV1(set *cgroups.Settings) {
	if l.quota == nil && l.period == nil {
		return
	}
	period, perSecond, from := uint64(defaultPeriod), uint64(math.MaxUint64), ""
	if l.period != nil {
		from = l.period.From
		if n, err := strconv.ParseUint(l.period.Value, 10, 32); err == nil && n > 0 {
			period = n
		}
	}
	if l.quota != nil {
		from = l.quota.From
		if quota, err := strconv.ParseUint(l.quota.Value, 10, quotaBits); err == nil && quota > 0 {
			perSecond, quota = roundQuota(quota, period)
			for i := range set.Writes {
				if set.Writes[i].File == l.quota.File {
					set.Writes[i].Value = strconv.FormatUint(quota, 10)
				}
			}
		}
	}
	l.put("CPUQuotaPerSecUSec", perSecond, from)
	l.put("CPUQuotaPeriodUSec", period, from)
}

// cpus is a set of CPUs or memory nodes, a bit for each.
func (l *limits) cpus(name string, w *cgroups.Write) error {
	// The kernel takes empty parts and a newline at the end as well.
	parts := strings.FieldsFunc(w.Value, func(r rune) bool { return r == ',' || r == '\n' })
	mask, err := cpuset.Mask(strings.Join(parts, ","))
	if err != nil {
		return err
	}
	const most = 1 << 13 // the kernel's largest NR_CPUS
	if len(mask) > most/8 {
		return fmt.Errorf("must not have numbers above %d: %q", most-1, w.Value)
	}
	l.put(name, mask, w.From)
	return nil
}

// device takes a line for the v1 controller. The first, "a", says what holds for all devices that
// no other line names; systemd has words for exceptions from "deny" only, so that with "allow" it
// is told of no rules, and a reload lifts the exceptions: for every unit it writes "a" to one of
// the two files, and then what DeviceAllow lists to devices.allow. To list all but the exceptions
// won't do, with a million minors to a major; nor to leave devices out of DelegateControllers,
// since one sibling with rules brings the controller in.
func (l *limits) device(w *cgroups.Write) {
	if w.Value == "a" {
		if l.allow = nil; w.File == "devices.deny" {
			l.put("DevicePolicy", "strict", w.From)
		}
		return
	}
	fields := strings.Fields(w.Value)
	if len(fields) != 3 {
		return
	}
	if w.File != "devices.allow" {
		l.lose(w)
		return
	}
	kind := "char"
	if fields[0] == "b" {
		kind = "block"
	}
	device := ""
	switch major, minor, _ := strings.Cut(fields[1], ":"); {
	case minor == "*":
		device = kind + "-" + major // by number, as systemd understands since version 240
	case major == "*":
		l.lose(w)
		return
	default:
		device = "/dev/" + kind + "/" + major + ":" + minor
	}
	l.allow = append(l.allow, deviceRule{device, fields[2]})
	l.put("DeviceAllow", slices.Clone(l.allow), w.From)
}

func (l *limits) lose(w *cgroups.Write) {
	if l.lost == "" {
		l.lost = w.From
	}
}

// deviceRule is an element of DeviceAllow, of type a(ss).
type deviceRule struct{ Device, Access string }

// deviceList is "/dev/char/1:3 rwm, char-136 rwm".
func deviceList(list []deviceRule) string {
	parts := make([]string, len(list))
	for i, rule := range list {
		parts[i] = rule.Device + " " + rule.Access
	}
	return strings.Join(parts, ", ")
}
