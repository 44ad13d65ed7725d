# make        builds bin/ociruntime, one static file
# make demo   shows a container made of this host's own programs (root)
# make test   installs what the tests need and runs every test (root)
# make bench  measures this build against runc and crun (root); ROUNDS, BENCH="-runtime NAME=PATH …"

GO      ?= go
PREFIX  ?= /usr/local
DESTDIR ?=
DEMO    ?= demo
ROUNDS  ?= 30
BENCH   ?=

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w $(ENTRY) -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Where the program begins, on the machines that have it: a third less time before main (libcontainer/kernel/entry).
ENTRY = $(if $(filter amd64 arm64,$(shell $(GO) env GOARCH)),-E ociruntime_start)

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
PORTS       = arm64 arm riscv64 ppc64le s390x loong64 386

export CGO_ENABLED = 0
# The version is stamped above; a checkout that git distrusts builds, too.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

.PHONY: build install demo test unit integration conformance engines bench vm vm-test vm-brief vm-share hostsd-test lint cross clean

build:
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/ociruntime ./cmd/ociruntime

install: build
	install -D -m 0755 bin/ociruntime $(DESTDIR)$(PREFIX)/sbin/ociruntime
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man8 contrib/man/*.8
	install -D -m 0644 contrib/completions/ociruntime.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ociruntime
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/zsh/site-functions contrib/completions/_ociruntime
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d contrib/completions/ociruntime.fish

demo: build
	contrib/demo bin/ociruntime $(DEMO)

test:
	tests/install-deps
	$(MAKE) build lint cross unit integration conformance engines vm-brief

# Everything that needs no privileges.
unit:
	$(GO) test $$($(GO) list ./... | grep -v -e /tests/integration -e /tests/engines -e /tests/bench)

# Containers: needs root, and skips with a reason without it.
integration: build
	RUNTIME=$(CURDIR)/bin/ociruntime $(GO) test -count=1 -parallel 6 -timeout 20m ./tests/integration
	RUNTIME=$(CURDIR)/bin/ociruntime $(GO) test -count=1 ./tests/bench ./tests/engines

bench: build
	tests/install-deps runc crun
	$(GO) run ./tests/bench -rounds $(ROUNDS) -svg tests/bench/ratios.svg $(BENCH)

# The outside world as judge. Any runtime can stand in: make engines JUDGED=/usr/sbin/runc
JUDGED ?= $(CURDIR)/bin/ociruntime

conformance: build
	tests/conformance/run $(JUDGED)

engines: build
	tests/engines/run $(JUDGED)

# Test machines with systemd and cgroup v2, made once and kept outside of this directory (tests/vm/lib.sh says where): one for each kernel, which
# is named after the suite of Debian's that it is from. All tests run in the first, those of a container's life in the others.
VM_KERNELS ?= trixie bookworm trixie-backports

vm:
	tests/vm/build $(VM_KERNELS)

vm-test: vm-share
	tests/vm/test vm $(VM_KERNELS)

# Under systemd in namespaces of this machine.
hostsd-test: vm-share
	tests/vm/test hostsd

# What of this make test has the time for. A machine that can't be made here is no failure: its tests are left out, and the reason is printed.
vm-brief: vm-share
	tests/vm/build $(firstword $(VM_KERNELS)) || echo "vm: no test machine"
	tests/vm/test brief $(firstword $(VM_KERNELS))

# What the machines are given.
vm-share: build
	$(GO) test -c -trimpath -o bin/integration.test ./tests/integration
	$(GO) test -c -trimpath -o bin/bench.test ./tests/bench

# SA1019: the specification deprecates fields that a runtime has to honour.
lint:
	@test -z "$$(gofmt -l .)" || { echo "gofmt:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else $(GO) run $(STATICCHECK) -checks inherit,-SA1019 ./...; fi

cross:
	@for arch in $(PORTS); do echo "linux/$$arch"; GOOS=linux GOARCH=$$arch $(GO) build ./... || exit 1; done

clean:
	rm -rf bin $(DEMO)
