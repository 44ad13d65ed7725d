package compile

import (
	"strings"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// withProfile is a configuration whose filter has a listener.
func withProfile(def, flags, rules string) []byte {
	return []byte(`{
		"ociVersion": "1.3.0",
		"process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/app"], "env": [], "cwd": "/", "noNewPrivileges": true,
			"rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]},
		"root": {"path": "rootfs"},
		"linux": {
			"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "user"}],
			"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
			"gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
			"seccomp": {"defaultAction": "` + def + `", "listenerPath": "/run/agent.sock", "flags": [` + flags + `], "syscalls": [` + rules + `]}
		}
	}`)
}

const notifyMkdir = `{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}`

// The one flag that kernels which we support may not know is an error that names the kernel.
func TestWaitKillableErrorNamesTheKernel(t *testing.T) {
	p, _, err := compileConfig(withProfile("SCMP_ACT_ALLOW", `"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"`, notifyMkdir), ordinaryInput())
	if err != nil {
		t.Fatal(err)
	}
	const want = "linux.seccomp.flags: load the filter with SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, which Linux has since 5.19: seccomp"
	for i := range p.OpCount() {
		if _, o := p.At(i); o.Call == plan.SysSeccomp && o.Msg != want {
			t.Errorf("%q, want %q", o.Msg, want)
		}
	}
}

// Between loading a filter and create's return the init makes two calls, whatever else it has to
// do: an agent may not answer before.
func TestListenerIsTheLastMeeting(t *testing.T) {
	p, _, err := compileConfig(withProfile("SCMP_ACT_ALLOW", "", notifyMkdir), ordinaryInput())
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	loaded, created := false, false
	for i := range p.Steps {
		s := &p.Steps[i]
		for j := range s.Ops {
			if c := s.Ops[j].Call; loaded && !created && !c.IsPseudo() {
				calls = append(calls, c.String())
			}
			loaded = loaded || s.Ops[j].Call == plan.SysSeccomp
		}
		created = created || s.Do == DoCreated
	}
	if got := strings.Join(calls, " "); got != "sendmsg recvfrom" {
		t.Errorf("calls behind the filter until create returns: %s", got)
	}
}

func TestListenerRefusesWhatItIsHandedOverWith(t *testing.T) {
	for rules, want := range map[string]string{
		notifyMkdir: "",
		`{"names": ["sendmsg"], "action": "SCMP_ACT_NOTIFY"}`:                                                                        "can't be used for sendmsg",
		`{"names": ["recvfrom"], "action": "SCMP_ACT_NOTIFY", "args": [{"index": 3, "value": 64, "op": "SCMP_CMP_GE"}]}`:             "can't be used for recvfrom",
		`{"names": ["sendmsg"], "action": "SCMP_ACT_KILL"},` + notifyMkdir:                                                           "must allow sendmsg",
		`{"names": ["recvfrom"], "action": "SCMP_ACT_LOG"},` + notifyMkdir:                                                           "",
		`{"names": ["sendmsg"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 9, "op": "SCMP_CMP_EQ"}]},` + notifyMkdir: "",
	} {
		_, _, err := compileConfig(withProfile("SCMP_ACT_ALLOW", "", rules), ordinaryInput())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", rules, err, want)
		}
	}
}
