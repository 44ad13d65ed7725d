package setup

import (
	"os"
	"testing"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
)

// The path of a user namespace may lead elsewhere by the time that a mount takes its maps: the one
// that the container joins counts.
func TestIDMapTakesTheJoinedNamespace(t *testing.T) {
	joined, err := os.Open("/proc/self/ns/user")
	if err != nil {
		t.Fatal(err)
	}
	const name = "linux.namespaces[0].path"
	s := new(FileSet)
	s.Keep(name, joined)
	defer s.Close()
	for _, recursive := range []bool{false, true} {
		f, err := s.userNamespace(&plan.IDMap{Path: "/proc/self/ns/mnt", File: name, Recursive: recursive})
		if err != nil || f != joined {
			t.Errorf("took %v, error %v", f, err)
		}
	}
	if f, err := s.userNamespace(&plan.IDMap{Path: "/proc/self/ns/user", File: "another"}); err == nil {
		t.Errorf("took %s, which the container does not join", f.Name())
	}
}
