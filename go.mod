module github.com/ociruntime/ociruntime

go 1.26.0

require (
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/godbus/dbus/v5 v5.2.4
	github.com/moby/sys/user v0.5.0
	github.com/opencontainers/runtime-spec v1.3.0
	golang.org/x/arch v0.32.0
	golang.org/x/sys v0.49.0
)
