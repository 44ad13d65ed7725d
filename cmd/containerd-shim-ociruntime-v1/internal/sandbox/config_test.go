package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/pod"
	"github.com/ociruntime/ociruntime/specconv/check"
)

const (
	own  = pod.NamespaceMode_CONTAINER
	node = pod.NamespaceMode_NODE
)

// with is an ordinary pod's configuration but for the namespaces.
func with(o *pod.NamespaceOption) *pod.PodSandboxConfig {
	return &pod.PodSandboxConfig{Hostname: "name", Linux: &pod.LinuxPodSandboxConfig{
		CgroupParent: "/kubepods/pod1", SecurityContext: &pod.LinuxSandboxSecurityContext{NamespaceOptions: o},
	}}
}

func users(mode pod.NamespaceMode, first uint32) *pod.UserNamespace {
	list := []*pod.IDMapping{{HostId: 100000, ContainerId: first, Length: 65536}}
	return &pod.UserNamespace{Mode: mode, Uids: list, Gids: list}
}

func TestNamespaces(t *testing.T) {
	ports := map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	pings := map[string]string{"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
	for _, c := range []struct {
		name     string
		config   *pod.PodSandboxConfig
		around   surroundings
		want     string // kinds, with the paths of those that are joined
		hostname string
		sysctls  map[string]string
		user     uint32
	}{
		{"without a configuration", &pod.PodSandboxConfig{}, surroundings{}, "mount network uts ipc pid", "", pings, 65535},
		{"of CRI's", with(&pod.NamespaceOption{Pid: own}), surroundings{Network: "/n"}, "mount network=/n uts ipc pid", "name", pings, 65535},
		{"shared pids", with(&pod.NamespaceOption{}), surroundings{Network: "/n"}, "mount network=/n uts ipc pid", "name", pings, 65535},
		{"the host's network", with(&pod.NamespaceOption{Network: node}), surroundings{}, "mount ipc pid", "", map[string]string{}, 65535},
		{"the host's pids and ipc", with(&pod.NamespaceOption{Pid: node, Ipc: node}), surroundings{Network: "/n"}, "mount network=/n uts", "name", pings, 65535},
		{"below a user namespace", with(nil), surroundings{Network: "/n", InUserNS: true}, "mount network=/n uts ipc pid", "name", ports, 65535},
		{"users", with(&pod.NamespaceOption{UsernsOptions: users(0, 0)}), surroundings{Network: "/n", User: "/u"}, "mount network=/n uts ipc pid user=/u", "name", ports, 65535},
		{"the host's users", with(&pod.NamespaceOption{UsernsOptions: &pod.UserNamespace{Mode: node}}), surroundings{}, "mount network uts ipc pid", "name", pings, 65535},
		{"few users", with(&pod.NamespaceOption{UsernsOptions: &pod.UserNamespace{
			Uids: []*pod.IDMapping{{HostId: 7, Length: 1}}, Gids: []*pod.IDMapping{{HostId: 7, Length: 1}},
		}}), surroundings{}, "mount network uts ipc pid user", "name", ports, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.around.ID, c.around.Root = "id", "/bundle/root"
			s := spec(c.config, &c.around)
			var got []string
			for _, n := range s.Linux.Namespaces {
				kind := string(n.Type)
				if n.Path != "" {
					kind += "=" + n.Path
				}
				got = append(got, kind)
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("namespaces %s, not %s", text, c.want)
			}
			if s.Hostname != c.hostname || !maps.Equal(s.Linux.Sysctl, c.sysctls) || s.Process.User.UID != c.user || s.Process.User.GID != c.user {
				t.Errorf("host name %q, sysctls %v, user %v", s.Hostname, s.Linux.Sysctl, s.Process.User)
			}
			if _, err := check.Spec(s, check.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whoever gets hold of the pod's process has nothing by it.
func TestProcessHasNothing(t *testing.T) {
	s := spec(&pod.PodSandboxConfig{}, &surroundings{ID: "id", Root: "/bundle/root"})
	caps := s.Process.Capabilities
	if caps == nil || !reflect.DeepEqual(*caps, specs.LinuxCapabilities{}) || !s.Process.NoNewPrivileges || !s.Root.Readonly {
		t.Errorf("%+v, %+v", s.Process, s.Root)
	}
	for _, d := range s.Linux.Resources.Devices {
		if d.Allow {
			t.Errorf("a device: %+v", d)
		}
	}
}

func TestSysctls(t *testing.T) {
	config := with(&pod.NamespaceOption{})
	// Of eth0.1, as Kubernetes writes it.
	const vlan = "net.ipv4.conf.eth0/1.forwarding"
	config.Linux.Sysctls = map[string]string{"net/ipv4/ip_unprivileged_port_start": "1024", "kernel.shmmax": "1", vlan: "1"}
	want := map[string]string{
		"net/ipv4/ip_unprivileged_port_start": "1024", "net.ipv4.ping_group_range": "0 2147483647", "kernel.shmmax": "1", vlan: "1",
	}
	if got := sysctls(config, &surroundings{}); !maps.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

func TestCgroupsPath(t *testing.T) {
	for _, c := range []struct {
		parent, want string
		systemd      bool
	}{
		{"", "", false},
		{"/kubepods/pod1", "/kubepods/pod1/id", false},
		{"/kubepods.slice/kubepods-pod1.slice", "kubepods-pod1.slice:cri-containerd:id", true},
	} {
		if got := cgroupsPath(c.parent, "id"); got != c.want || systemdCgroups(c.parent) != c.systemd {
			t.Errorf("%s: %s, systemd's %v", c.parent, got, systemdCgroups(c.parent))
		}
	}
}

func TestUserNamespaceRefused(t *testing.T) {
	for _, c := range []struct {
		users *pod.UserNamespace
		want  string
	}{
		{nil, ""},
		{&pod.UserNamespace{Mode: node}, ""},
		{users(0, 0), ""},
		{users(node, 0), "can't have mappings"},
		{users(own, 0), "mode CONTAINER is not supported"},
		{users(pod.NamespaceMode_TARGET, 0), "mode TARGET is not supported"},
		{users(0, 1), "id 0 is not mapped"},
		{&pod.UserNamespace{}, "id 0 is not mapped"},
	} {
		got := refusal(with(&pod.NamespaceOption{UsernsOptions: c.users}))
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, not %q", c.users, got, c.want)
		}
	}
}

func TestDecode(t *testing.T) {
	// What is not known here is skipped: the pod's metadata, and in front of its host name labels.
	text := "\x0a\x06\x0a\x04name" + "\x32\x06\x0a\x01a\x12\x01b" + "\x12\x04host" + "\x42\x04\x0a\x02/p"
	c, err := decode(&api.Any{TypeUrl: "runtime.v1.PodSandboxConfig", Value: []byte(text)})
	if err != nil || c.GetHostname() != "host" || c.GetLinux().GetCgroupParent() != "/p" {
		t.Errorf("%v, %v", c, err)
	}
	if c, err := decode(nil); err != nil || c == nil {
		t.Errorf("nothing: %v, %v", c, err)
	}
}

func TestResolvConf(t *testing.T) {
	for _, c := range []struct {
		dns  *pod.DNSConfig
		want string
	}{
		{nil, ""},
		{&pod.DNSConfig{Servers: []string{"192.0.2.1", "192.0.2.2"}}, "nameserver 192.0.2.1\nnameserver 192.0.2.2\n"},
		{&pod.DNSConfig{Searches: []string{"a", "b"}, Options: []string{"ndots:5", "edns0"}}, "search a b\noptions ndots:5 edns0\n"},
	} {
		if got := resolvConf(c.dns); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

func TestAddFiles(t *testing.T) {
	all := []string{fileHostname, fileHosts, fileResolv, dirShm}
	shm := `{"destination":"/dev/shm","type":"tmpfs","source":"shm","options":["nosuid"]}`
	for _, c := range []struct {
		name, config string
		names        []string
		want         []string // destination < source: options, of the mounts
	}{
		{"the ordinary one", `{"mounts":[` + shm + `,{"destination":"/data","source":"/x"}]}`, all, []string{
			"/dev/shm < /p/shm: rbind rprivate", "/data < /x: ", "/etc/hostname < /p/hostname: rbind rprivate rw",
			"/etc/hosts < /p/hosts: rbind rprivate rw", "/etc/resolv.conf < /p/resolv.conf: rbind rprivate rw",
		}},
		{"a root that is read-only", `{"root":{"readonly":true}}`, []string{fileHosts, dirShm}, []string{
			"/etc/hosts < /p/hosts: rbind rprivate ro", "/dev/shm < /p/shm: rbind rprivate",
		}},
		{"its own", `{"mounts":[{"destination":"/dev/shm/","type":"bind","source":"/dev/shm"},{"destination":"/etc/hosts","source":"/kubelet"}]}`,
			[]string{fileHosts, dirShm}, []string{"/dev/shm/ < /dev/shm: ", "/etc/hosts < /kubelet: "}},
		{"none", `{"mounts":[` + shm + `]}`, nil, []string{"/dev/shm < shm: nosuid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := addFiles([]byte(c.config), "/p", c.names)
			if err != nil {
				t.Fatal(err)
			}
			var s specs.Spec
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range s.Mounts {
				got = append(got, fmt.Sprintf("%s < %s: %s", m.Destination, m.Source, strings.Join(m.Options, " ")))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}

// In a user namespace the files are root's. What is not known here stays.
func TestAddFilesMapped(t *testing.T) {
	text, err := addFiles([]byte(`{"linux":{"uidMappings":[{"containerID":0,"hostID":7,"size":9}],"gidMappings":[{"containerID":0,"hostID":8,"size":9}]},"later":{"x":1e400}}`),
		"/p", []string{fileHosts, dirShm})
	if err != nil {
		t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if m := s.Mounts[0]; len(m.UIDMappings) != 1 || m.UIDMappings[0].HostID != 7 || m.GIDMappings[0].HostID != 8 || s.Mounts[1].UIDMappings != nil {
		t.Errorf("%+v", s.Mounts)
	}
	if !strings.Contains(string(text), "1e400") {
		t.Errorf("%s", text)
	}
	if _, err := addFiles([]byte(`{"mounts":{}}`), "/p", nil); err == nil {
		t.Error("mounts that are no list")
	}
}
