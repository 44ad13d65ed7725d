package libcontainer

import (
	"strings"
	"testing"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
)

func TestLSMOptions(t *testing.T) {
	for profile, good := range map[string]bool{
		"": true, "apparmor:web": true, "selinux:system_u:system_r:container_t:s0:c1,c2": true, "apparmor:/usr/bin/x//child": true,
		"web": false, "tomoyo:web": false, "apparmor:": false, "selinux": false, ":web": false,
	} {
		o := RestoreOptions{LSMProfile: profile}
		if err := o.checkLSM(); (err == nil) != good || err != nil && !strings.HasPrefix(err.Error(), "--lsm-profile: ") {
			t.Errorf("%q: %v", profile, err)
		}
	}
	var opts rpc.CriuOpts
	(&RestoreOptions{}).describeLSM(&opts)
	if opts.LsmProfile != nil || opts.LsmMountContext != nil {
		t.Errorf("nothing is asked for, and criu gets %v", &opts)
	}
	const context = `system_u:object_r:container_file_t:s0:c1,c2`
	(&RestoreOptions{LSMProfile: "selinux:x", LSMMountContext: context}).describeLSM(&opts)
	if opts.GetLsmProfile() != "selinux:x" || opts.GetLsmMountContext() != context {
		t.Errorf("criu gets %q, %q", opts.GetLsmProfile(), opts.GetLsmMountContext())
	}
}
