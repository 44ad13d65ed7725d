//go:build tools

// Package tools is never built. It names what critest, a program made of tests, is made of, which
// `go mod tidy` would forget.
package tools

import (
	_ "github.com/onsi/ginkgo/v2"
	_ "github.com/onsi/gomega"
	_ "sigs.k8s.io/cri-tools/pkg/benchmark"
	_ "sigs.k8s.io/cri-tools/pkg/validate"
)
