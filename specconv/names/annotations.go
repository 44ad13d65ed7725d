package names

import (
	"slices"
	"strings"
)

// CriuConfig names a file with options for CRIU.
const CriuConfig = "org.criu.config"

// Annotations of crun's that change what is done with a container here.
const (
	KeepOriginalGroups        = "run.oci.keep_original_groups"
	SeccompFailUnknownSyscall = "run.oci.seccomp_fail_unknown_syscall"
	HooksStdout               = "run.oci.hooks.stdout"
	HooksStderr               = "run.oci.hooks.stderr"
)

// Handler is the annotation by which crun has a container run by something else than the host's
// kernel.
const Handler = "run.oci.handler"

// HonouredAnnotations are the annotations that change what is done with a container; one that ends
// in a dot stands for all that begin with it.
func HonouredAnnotations() []string {
	return []string{CriuConfig, SystemdProperty, HooksStderr, HooksStdout, KeepOriginalGroups, SeccompFailUnknownSyscall}
}

// IgnoredAnnotation reports whether an annotation is meant for a runtime and not honoured by this
// one.
func IgnoredAnnotation(key string) bool {
	if !strings.HasPrefix(key, "run.oci.") {
		return false
	}
	return !slices.ContainsFunc(HonouredAnnotations(), func(known string) bool {
		return key == known || strings.HasSuffix(known, ".") && strings.HasPrefix(key, known)
	})
}
