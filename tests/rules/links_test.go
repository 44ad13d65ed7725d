package rules

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// unlinked are packages that cost a daemon of which there is one for each pod too much: gRPC and
// net/http some megabytes each, the others what they initialise. Of gRPC, ttrpc brings the error
// codes along, and by its own package for logs logrus, too.
var unlinked = []string{
	"google.golang.org/grpc", "google.golang.org/grpc/internal/transport", "net/http", "crypto/tls", "text/template", "html/template",
	"github.com/urfave/cli/v2", "github.com/containerd/containerd/v2/pkg/shim", "github.com/containerd/go-runc",
	"runtime/pprof", "expvar",
}

// The shim is its own program, and not the command.
func TestShimLinksNothingHeavy(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"/cmd/containerd-shim-ociruntime-v1").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	for _, name := range unlinked {
		if slices.Contains(deps, name) {
			t.Errorf("the shim links %s", name)
		}
	}
	for _, name := range deps {
		if strings.HasPrefix(name, module+"/cmd/ociruntime") {
			t.Errorf("the shim links %s", name)
		}
	}
}
