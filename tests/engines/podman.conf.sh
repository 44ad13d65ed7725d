# Sourced by podman and podman-rootless. Podman's own files, out of contrib's
# snippet: nothing of the machine's configuration is read or written.

configure() {
	# What conmon starts finds criu as Podman does.
	sed -e "s|/usr/local/sbin/ociruntime|$RUNTIME|" -e "/^\[engine\]/a conmon_env_vars = [\"PATH=$PATH\"]" \
		"$here/../../contrib/podman/containers.conf" >"$CONTAINERS_CONF"
	cat >"$CONTAINERS_STORAGE_CONF" <<-END
	[storage]
	driver = "${DRIVER:-overlay}"
	graphroot = "$SANDBOX/storage"
	runroot = "${RUNROOT:-/run/storage}"
	END
	: >"$CONTAINERS_REGISTRIES_CONF"
	mkdir -p "$SANDBOX/home"
	[ -e /etc/containers/policy.json ] || echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$SANDBOX/policy.json"
}
