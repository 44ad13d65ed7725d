package rules

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// unlinked are packages that a program must not have in it, not through others either.
var unlinked = map[string][]string{
	// Each command pays for what is initialised: protobuf's package detrand reads the program's own
	// file, a tenth of what a command's start takes.
	"cmd/ociruntime": {
		"google.golang.org/protobuf/internal/detrand", "net/http", "crypto/tls", "html/template", "github.com/sirupsen/logrus",
		"runtime/pprof", "expvar",
	},
	// There is a daemon for each pod: gRPC and net/http cost some megabytes each, the others what
	// they initialise, containerd's own types of its messages 0.7 (see package api). Of gRPC, ttrpc
	// brings the error codes along, and by its own package for logs logrus, too.
	"cmd/containerd-shim-ociruntime-v1": {
		"google.golang.org/grpc", "google.golang.org/grpc/internal/transport", "net/http", "crypto/tls", "text/template", "html/template",
		"github.com/containerd/containerd/api/types", "github.com/opencontainers/go-digest", "google.golang.org/protobuf/types/descriptorpb",
		"github.com/urfave/cli/v2", "github.com/containerd/containerd/v2/pkg/shim", "github.com/containerd/go-runc",
		"runtime/pprof", "expvar",
	},
}

func TestProgramsLinkNothingHeavy(t *testing.T) {
	for program, unwanted := range unlinked {
		out, err := exec.Command("go", "list", "-deps", module+"/"+program).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range strings.Fields(string(out)) {
			if slices.Contains(unwanted, name) {
				t.Errorf("%s links %s", program, name)
			}
			// The shim is its own program, and not the command.
			if other := module + "/cmd/"; strings.HasPrefix(name, other) && !within(strings.TrimPrefix(name, module+"/"), program+"/...") {
				t.Errorf("%s links %s", program, name)
			}
		}
	}
}
