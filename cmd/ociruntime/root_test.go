package main

import "testing"

func TestDefaultRoot(t *testing.T) {
	for _, c := range []struct {
		env   environment
		inNS  bool
		root  string
		users bool
	}{
		{environment{euid: 0}, false, "/run/ociruntime", false},
		{environment{euid: 0, runtimeDir: "/run/user/0"}, false, "/run/ociruntime", false},
		{environment{euid: 0, runtimeDir: "/run/user/1000"}, true, "/run/user/1000/ociruntime", true},
		{environment{euid: 0, runtimeDir: "/run/user/1000", user: "alice"}, true, "/run/user/1000/ociruntime", true},
		{environment{euid: 0, runtimeDir: "/run/user/0", user: "root"}, true, "/run/ociruntime", false},
		{environment{euid: 1000, runtimeDir: "/run/user/1000", user: "alice"}, false, "/run/user/1000/ociruntime", true},
		{environment{euid: 1000, runtimeDir: "/run/user/1000", user: "root"}, false, "/run/user/1000/ociruntime", true},
		{environment{euid: 1000}, false, "/run/ociruntime", false},
	} {
		c.env.inUserNS = func() bool { return c.inNS }
		if root, users := defaultRoot(c.env); root != c.root || users != c.users {
			t.Errorf("%+v in a user namespace %v: %s, %v", c.env, c.inNS, root, users)
		}
	}
}

func TestGivenRoot(t *testing.T) {
	t.Chdir("/usr")
	for arg, want := range map[string]string{"/a/b": "/a/b", "/a/../b/": "/b", "rel": "/usr/rel", ".": "/usr"} {
		if got, err := givenRoot(arg); err != nil || got != want {
			t.Errorf("%q: %q, %v", arg, got, err)
		}
	}
	for _, arg := range []string{"", "/", "//", "/x/..", ".."} {
		if got, err := givenRoot(arg); err == nil {
			t.Errorf("%q: %q", arg, got)
		}
	}
}
