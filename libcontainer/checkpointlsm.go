package libcontainer

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ociruntime/ociruntime/libcontainer/criu"
)

// confinement is what config.json confines a container's processes with.
type confinement struct {
	place, label string
	kind         criu.LSM
}

// confinements are those of a configuration. Where the kernel lacks the security module, create
// refuses it.
func confinements(p *specs.Process) (list []confinement) {
	if p.ApparmorProfile != "" && p.ApparmorProfile != "unconfined" {
		list = append(list, confinement{"process.apparmorProfile", p.ApparmorProfile, criu.AppArmor})
	}
	if p.SelinuxLabel != "" {
		list = append(list, confinement{"process.selinuxLabel", p.SelinuxLabel, criu.SELinux})
	}
	return list
}

// checkLabels refuses images without the label of a container that has one: from them it would be
// restored without. criu says nothing of that.
func (d *dump) checkLabels() error {
	all := confinements(d.spec.Process)
	if len(all) == 0 {
		return nil
	}
	kind, err := criu.Labels(d.o.ImageDir)
	if err != nil {
		return fmt.Errorf("--image-path: %w", err)
	}
	for _, c := range all {
		if c.kind == kind {
			continue
		}
		why := "criu is built without SELinux"
		if c.kind == criu.AppArmor {
			why = "criu finds no AppArmor in /sys/kernel/security"
		}
		return undumpable(fmt.Sprintf("%s: %s is not among what criu has written, and would be lost (%s)", c.place, c.label, why))
	}
	return nil
}

// checkLabels refuses to let processes run that should be confined and have criu's label, as they
// do after a checkpoint by a criu that did not see theirs. Another one than that of config.json is
// what the images say.
func (c *restoration) checkLabels() error {
	if c.proc == nil {
		return nil
	}
	for _, is := range confinements(c.spec.Process) {
		if kind, name, ok := strings.Cut(c.ro.LSMProfile, ":"); ok && (kind == "apparmor") == (is.kind == criu.AppArmor) {
			is.label = name
		}
		have, err := processLabel(c.proc.Pid(), is.kind)
		if err != nil {
			return fmt.Errorf("%s: %w", is.place, err)
		}
		ours, err := processLabel(c.worker.Pid, is.kind)
		if err != nil {
			return fmt.Errorf("%s: %w", is.place, err)
		}
		if have == ours && have != is.label {
			return fmt.Errorf("%s: %s is not in the images, and the processes would run as %q, which criu does: "+
				"make a checkpoint by a criu that knows the security module", is.place, is.label, have)
		}
	}
	return nil
}

// processLabel is a process's label, or the name of its profile.
func processLabel(pid int, kind criu.LSM) (string, error) {
	name := "attr/current"
	if kind == criu.AppArmor {
		name = "attr/apparmor/current"
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		return "", err
	}
	label := string(bytes.TrimRight(data, "\n\x00"))
	if kind == criu.AppArmor {
		label, _, _ = strings.Cut(label, " (") // its mode
	}
	return label, nil
}
