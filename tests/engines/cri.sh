# Sourced by scripts that make pods: a containerd 2 that is built for them (new/build), or, with
# containerd=installed, the installed one; CRI's side of it, and a registry on this machine. The shim
# lies beside RUNTIME.

engine=containerd
. "$(dirname "$(realpath "$0")")/lib.sh"

socket=/run/ctd/containerd.sock
export CRI_CONFIG_FILE=${SANDBOX-}/crictl.yaml

# old: containerd is 1.x.
old() { case $(containerd --version) in *' 1.'*) ;; *) false ;; esac }

# configure: the configuration that users are shown, with the programs of this test, and what a
# machine without network needs.
configure() {
	local file lowest=false
	printf 'runtime-endpoint: unix://%s\ntimeout: 30\n' "$socket" >"$CRI_CONFIG_FILE"
	mkdir -p "$SANDBOX/registries/_default" "$SANDBOX/cni"
	echo '[host."http://127.0.0.1:5000"]' >"$SANDBOX/registries/_default/hosts.toml"
	# Root may not always lower it: CAP_SYS_RESOURCE.
	sh -c 'echo -998 >/proc/self/oom_score_adj' 2>/dev/null || lowest=true
	old && file=config.toml || file=config-2.toml
	sed "s,/usr/local/bin/containerd-shim-ociruntime-v1,$(dirname "$RUNTIME")/containerd-shim-ociruntime-v1,
		s,/usr/local/sbin/ociruntime,$RUNTIME," "$here/../../contrib/containerd/$file" >"$SANDBOX/ociruntime.toml"
	if old; then old_settings $lowest; else settings $lowest; fi >"$SANDBOX/config.toml"
	cat >"$SANDBOX/cni/bridge.conflist" <<-END
	{"cniVersion": "1.0.0", "name": "test", "plugins": [
		{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false,
			"ipam": {"type": "host-local", "dataDir": "$SANDBOX/ipam", "ranges": [[{"subnet": "10.88.0.0/16"}]]}},
		{"type": "portmap", "capabilities": {"portMappings": true}}]}
	END
}

# settings RESTRICT: those of containerd 2.
settings() {
	cat <<-END
	version = 3
	imports = ["$SANDBOX/ociruntime.toml"]
	[grpc]
	  address = "$socket"
	[plugins."io.containerd.nri.v1.nri"]
	  socket_path = "$SANDBOX/nri.sock"
	[plugins."io.containerd.cri.v1.images".pinned_images]
	  sandbox = "localhost/pause:latest"
	[plugins."io.containerd.cri.v1.images".registry]
	  config_path = "$SANDBOX/registries"
	[plugins."io.containerd.cri.v1.runtime"]
	  restrict_oom_score_adj = $1
	[plugins."io.containerd.cri.v1.runtime".cni]
	  bin_dirs = ["$CNI_BIN"]
	  conf_dir = "$SANDBOX/cni"
	  use_internal_loopback = true
	END
}

# old_settings RESTRICT: the same for containerd 1. An import would replace the plugin's table.
old_settings() {
	cat "$SANDBOX/ociruntime.toml"
	cat <<-END
	[grpc]
	  address = "$socket"
	[plugins."io.containerd.grpc.v1.cri"]
	  sandbox_image = "localhost/pause:latest"
	  restrict_oom_score_adj = $1
	[plugins."io.containerd.grpc.v1.cri".registry]
	  config_path = "$SANDBOX/registries"
	[plugins."io.containerd.grpc.v1.cri".cni]
	  bin_dir = "$CNI_BIN"
	  conf_dir = "$SANDBOX/cni"
	END
}

daemon() {
	containerd --config "$SANDBOX/config.toml" --root "$SANDBOX/root" --state /run/ctd >>"$SANDBOX/containerd.log" 2>&1 &
	echo $! >"$SANDBOX/containerd.pid"
	disown # whose end the shell would tell of
	(until_true crictl info) || { tail "$SANDBOX/containerd.log"; return 1; }
}

# killed: containerd dies, and is gone.
killed() {
	kill -9 "$(cat "$SANDBOX/containerd.pid")"
	until_true sh -c "! kill -0 $(cat "$SANDBOX/containerd.pid")"
}

start() {
	keep_out /var/lib # plugins note networks in its cni
	configure
	registry 127.0.0.1:5000 "$IMAGE" &
	daemon
	(until_true crictl pull localhost/test:latest) # the registry may not listen yet
}

# programs RUNTIME MODULE...: builds what the script needs and puts it into PATH.
programs() {
	local path code=0
	[ -x "$(dirname "$(realpath "$1")")/containerd-shim-ociruntime-v1" ] || leave_out "there is no shim beside $1"
	path=$("$here/new/build" $([ "${containerd-}" = installed ] || echo containerd) cri-tools cni registry "${@:2}") || code=$?
	[ $code != 75 ] || leave_out "the source of containerd 2 or of what it needs can't be had"
	[ $code = 0 ] || exit 1
	export PATH="$(dirname "$(realpath "$1")"):$path:$PATH"
	CNI_BIN=$(dirname "$(command -v host-local)")
	export CNI_BIN
}
