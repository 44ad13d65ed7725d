package options

import (
	"reflect"
	"testing"

	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/cri"
	"github.com/ociruntime/ociruntime/cmd/containerd-shim-ociruntime-v1/internal/api/runc"
)

func pack(t *testing.T, url string, m api.Message) *api.Any {
	t.Helper()
	a, err := api.Pack(url, m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDecode(t *testing.T) {
	all := Options{NoPivot: true, NoNewKeyring: true, UID: 7, GID: 8, Root: "/r", SystemdCgroup: true, ShimCgroup: "/s", CRIUWork: "/w", Ignored: []string{"BinaryName"}}
	ofRunc := &runc.Options{
		NoPivotRoot: true, NoNewKeyring: true, ShimCgroup: "/s", IoUid: 7, IoGid: 8, Root: "/r", SystemdCgroup: true, BinaryName: "runc",
		CriuWorkPath: "/w",
	}
	table := "BinaryName = \"runc\"\nNoPivotRoot = true\nNoNewKeyring = true\nShimCgroup = '/s'\nIoUid = 7\n" +
		"IoGid = 8\nRoot = \"/r\"\nSystemdCgroup = true\nCriuWorkPath = \"/w\"\nCriuPath = \"\"\n"
	for name, c := range map[string]struct {
		any  *api.Any
		want Options
	}{
		"none":             {nil, Options{}},
		"runc's":           {pack(t, "containerd.runc.v1.Options", ofRunc), all},
		"runc's, with url": {pack(t, "type.googleapis.com/containerd.runc.v1.Options", ofRunc), all},
		"CRI's":            {pack(t, "runtimeoptions.v1.Options", &cri.Options{ConfigBody: []byte(table)}), all},
		"CRI's path":       {pack(t, "runtimeoptions.v1.Options", &cri.Options{ConfigPath: "/x"}), Options{Ignored: []string{"ConfigPath"}}},
		"unknown":          {&api.Any{TypeUrl: "a.b"}, Options{Ignored: []string{"options of type a.b"}}},
	} {
		if got, err := Decode(c.any); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, not %+v", name, got, err, c.want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, table := range []string{"NoPivotRoot", "NoPivotRoot = maybe", "IoUid = -1", "Root = x"} {
		if _, err := Decode(pack(t, "runtimeoptions.v1.Options", &cri.Options{ConfigBody: []byte(table)})); err == nil {
			t.Errorf("%q: no error", table)
		}
	}
	if _, err := Decode(&api.Any{TypeUrl: "containerd.runc.v1.Options", Value: []byte{0xff}}); err == nil {
		t.Error("garbage: no error")
	}
}
