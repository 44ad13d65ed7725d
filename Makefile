# make        builds bin/ociruntime, one static file, and containerd's shim beside it
# make demo   shows a container made of this host's own programs (root)
# make labs   types the commands of contrib/labs, and checks what they show (root)
# make test   installs what the tests need and runs every test (root)
# make bench  measures this build against runc and crun, theirs and the strongest (root); ROUNDS, BENCH="-runtime NAME=PATH …"

GO      ?= go
PREFIX  ?= /usr/local
DESTDIR ?=
BIN     ?= bin/ociruntime
SHIM     = containerd-shim-ociruntime-v1
RECEIVER = ociruntime-recvtty
DEMO    ?= demo
ROUNDS  ?= 30
BENCH   ?=

# The version stands in internal/version.
COMMIT  ?= $(shell git describe --match= --always --abbrev=40 --dirty 2>/dev/null)
LDFLAGS  = -s -w -X github.com/ociruntime/ociruntime/internal/version.commit=$(COMMIT)

# Where the programs begin, on the machines that have it: a third less time before main
# (libcontainer/kernel/entry), and one start of Go for a container in place of three
# (libcontainer/kernel/ahead).
HAS_ENTRY   := $(filter amd64 arm64,$(shell $(GO) env GOARCH))
ENTRY       = $(if $(HAS_ENTRY),-E ociruntime_start)
SHIM_ENTRY  = $(if $(HAS_ENTRY),-E ociruntime_shim_start)

# Go's tests as `go test` prints them, then what failed and what was skipped, each with its reason.
GOTEST = $(GO) tool gotestsum --format standard-quiet --
# Without root, or in a chroot, there is nothing to make a container with.
AS_ROOT = tests/can-contain || exit 0;
PORTS       = arm64 arm riscv64 ppc64le s390x loong64 386

export CGO_ENABLED = 0
# The commit is stamped above; a checkout that git distrusts builds, too.
# cli v2 would bring a Markdown converter and a spelling guesser along.
export GOFLAGS := $(GOFLAGS) -buildvcs=false -tags=urfave_cli_no_docs,urfave_cli_no_suggest

.PHONY: build install package package-test demo labs test deps unit integration shim-test checkpoint faults counts conformance engines engines-new bench vm vm-test vm-brief vm-share vm-arm64 hostsd-test lint cross clean

build:
	$(GO) build -trimpath -ldflags "$(LDFLAGS) $(ENTRY)" -o $(BIN) ./cmd/ociruntime
	$(GO) build -trimpath -ldflags "$(LDFLAGS) $(SHIM_ENTRY)" -o $(dir $(BIN))$(SHIM) ./cmd/$(SHIM)
	$(GO) build -trimpath -ldflags "-s -w" -o $(dir $(BIN))$(RECEIVER) ./cmd/$(RECEIVER)

# The program goes into sbin, as runc does: root's PATH has it, other users' on Debian has not.
install: build
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/sbin/ociruntime
	install -D -m 0755 $(dir $(BIN))$(SHIM) $(DESTDIR)$(PREFIX)/bin/$(SHIM)
	install -D -m 0755 $(dir $(BIN))$(RECEIVER) $(DESTDIR)$(PREFIX)/bin/$(RECEIVER)
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man8 contrib/man/*.8
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man1 contrib/man/*.1
	install -D -m 0644 contrib/completions/ociruntime.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ociruntime
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/zsh/site-functions contrib/completions/_ociruntime
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d contrib/completions/ociruntime.fish

# A .deb, an .rpm and a tar in DIST, with their checksums; ARCHS="amd64 arm64" for other machines.
DIST  ?= dist
ARCHS ?=
package:
	contrib/package/build $(DIST) $(ARCHS)

# The packages are made, installed into roots of their own, and run there.
package-test:
	@$(AS_ROOT) tests/package

demo: build
	contrib/demo bin/ociruntime $(DEMO)

labs: build
	@$(AS_ROOT) RUNTIME=$(CURDIR)/bin/ociruntime contrib/labs/run -q

# Every stage, even if one has failed. Ends with the list of what failed and what was skipped.
test:
	@MAKE="$(MAKE)" tests/all deps build lint cross unit integration labs checkpoint package-test counts conformance engines vm-brief

deps:
	@tests/install-deps || echo "skip    what needs the programs that are missing"
	@tests/install-deps chromium || echo "skip    the page of explain in a browser"

# Everything that needs no privileges.
unit:
	$(GOTEST) $$($(GO) list ./... | grep -v -e /tests/integration -e /tests/engines -e /tests/bench -e /tests/faults -e /tests/shim -e /tests/checkpoint)

integration: build
	@$(AS_ROOT) \
	RUNTIME=$(CURDIR)/bin/ociruntime $(GOTEST) -count=1 -parallel 6 -timeout 20m ./tests/integration; code=$$?; \
	RUNTIME=$(CURDIR)/bin/ociruntime $(GOTEST) -count=1 ./tests/engines ./tests/faults ./tests/shim && exit $$code

# Dump and restore, with a criu that is made ready for it (tests/checkpoint/criu).
checkpoint: build
	@$(AS_ROOT) RUNTIME=$(CURDIR)/bin/ociruntime $(GOTEST) -count=1 -parallel 4 -timeout 20m ./tests/checkpoint

# The shim, driven as containerd does; SHIM_LONG=1 takes its time.
shim-test: build
	@$(AS_ROOT) RUNTIME=$(CURDIR)/bin/ociruntime $(GOTEST) -count=1 -timeout 30m ./tests/shim

# Every system call of every command fails, or the runtime is killed at it, one at a time. A sample is part of `integration`.
faults: build
	@$(AS_ROOT) RUNTIME=$(CURDIR)/bin/ociruntime $(GOTEST) -count=1 -timeout 60m ./tests/faults -full

# How many system calls each command makes: to be read, not judged.
counts: build
	@$(AS_ROOT) RUNTIME=$(CURDIR)/bin/ociruntime $(GO) tool gotestsum --format standard-verbose -- -count=1 ./tests/bench

bench: build
	tests/install-deps runc crun gcc
	$(GO) run ./tests/bench -rounds $(ROUNDS) -svg tests/bench/ratios.svg $(BENCH)

# The outside world as judge. Any runtime can stand in: make engines JUDGED=/usr/sbin/runc
JUDGED ?= $(CURDIR)/bin/ociruntime

conformance: build
	@$(AS_ROOT) tests/conformance/run $(JUDGED)

engines: build
	@$(AS_ROOT) tests/engines/run $(JUDGED)

# With newer ones: containerd 1.7 and Docker 26 of Debian 13, and containerd 2, nerdctl and CRI's conformance tests, which are built: some minutes, the first time.
NEWER = containerd-shim-trixie containerd-cri-trixie docker-shim containerd-shim-new nerdctl nerdctl-shim containerd-cri containerd-cri-sandbox critest critest-sandbox
engines-new: build
	@$(AS_ROOT) tests/engines/run $(JUDGED) $(NEWER)

# Test machines with systemd and cgroup v2, made once and kept outside of this directory (tests/vm/lib.sh says where): one for each kernel, which
# is named after the suite of Debian's that it is from. All tests run in the first, those of a container's life in the others.
VM_KERNELS ?= trixie bookworm trixie-backports

vm:
	tests/vm/build $(VM_KERNELS)

vm-test: vm-share
	tests/vm/test vm $(VM_KERNELS)

# A container's life under an arm64 kernel with pages of 16 KiB: a smoke test, emulated.
vm-arm64:
	tests/vm/arm64

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
	$(GO) test -c -trimpath -o bin/shim.test ./tests/shim
	$(GO) test -c -trimpath -o bin/checkpoint.test ./tests/checkpoint
	@rm -rf bin/criu; criu=$$(tests/checkpoint/criu) && case $$criu in */ociruntime-criu/*) cp -a $$(dirname $$criu) bin/criu ;; esac || :

# The tools are those of go.mod. SA1019: the specification deprecates fields that a runtime has to honour.
# What may import what, and how long functions and files may be, tests/rules says.
lint:
	@test -z "$$(gofmt -l .)" || { echo "gofmt:"; gofmt -l .; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) tool staticcheck -checks inherit,-SA1019 ./...

cross:
	@for arch in $(PORTS); do echo "linux/$$arch"; GOOS=linux GOARCH=$$arch $(GO) build ./cmd/... ./libcontainer/... ./specconv/... || exit 1; done

clean:
	rm -rf bin $(DEMO) hello
