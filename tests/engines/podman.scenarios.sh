# Sourced by podman and podman-rootless: what has to work as root and without.

t_info() {
	has "$(podman info -f '{{.Host.OCIRuntime.Path}}')" "/${RUNTIME##*/}"
	has "$(podman info -f '{{.Host.OCIRuntime.Version}}')" "spec"
}

t_run() {
	same "$(once -- echo hello)" hello
	same "$(podman ps -aq)" ""
}

t_exit_codes() {
	status 7 once -- sh -c 'exit 7'
	status 127 once -- nosuchprogram
	status 127 once -- /no/such
	status 126 once -- /etc/plain
	status 126 once -- /etc
}

t_error_texts() {
	# Podman looks for these words, whatever the case; crun's own wording differs from Go's.
	local text
	text=$(once -- nosuchprogram 2>&1 || true)
	has "$text" 'executable file'
	has "$text" 'nosuchprogram'
	has "$text" 'not found'
	has "$(once -- /etc/plain 2>&1 || true)" 'ermission denied'
}

t_streams() {
	same "$(echo through | once -i -- cat)" through
	same "$(once -- sh -c 'echo out; echo err >&2' 2>/dev/null)" out
	same "$(once -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err
	same "$(once -- sh -c 'head -c 3000000 /dev/zero | tr "\0" x' | wc -c)" 3000000 bytes
}

t_terminal() { has "$(terminal "$script" --scenario terminal_run | unterminal)" /dev/pts/0; }
terminal_run() { once -it -- tty; }

t_process() {
	same "$(once --env A=b -- sh -c 'echo $A $FROM')" "b image"
	same "$(once --workdir /home/user -- pwd)" /home/user
	same "$(once --user user -- sh -c 'id -un; id -G; echo $HOME')" "$(printf 'user\n1000 2000\n/home/user')"
	same "$(once --hostname box -- hostname)" box
	same "$(once --ulimit nofile=100:100 --ulimit nproc=1000:1000 -- sh -c 'ulimit -n')" 100
	same "$(once --umask 0077 -- sh -c umask)" 0077
	same "$(once --sysctl net.ipv4.ip_default_ttl=33 -- cat /proc/sys/net/ipv4/ip_default_ttl)" 33
}

t_exec() {
	detached -- sleep 100
	same "$(podman exec one echo inside)" inside
	status 5 podman exec one sh -c 'exit 5'
	same "$(echo in | podman exec -i one cat)" in
	same "$(podman exec --user 1000 --workdir /tmp --env A=b one sh -c 'id -u; pwd; echo $A')" "$(printf '1000\n/tmp\nb')"
	has "$(terminal "$script" --scenario terminal_exec | unterminal)" /dev/pts/
	podman exec -d one sh -c 'echo detached >/tmp/file'
	until_true podman exec one grep -q detached /tmp/file
	status 127 podman exec one nosuchprogram
	status 127 podman exec one /no/such
	status 126 podman exec one /etc/plain
	podman rm -f -t 0 one
}
terminal_exec() { podman exec -it one tty; }

t_exec_in_parallel() {
	local i
	detached -- sleep 100
	for i in $(seq 5); do podman exec one echo "line $i" >"$SANDBOX/x$i" & done
	wait
	for i in $(seq 5); do same "$(cat "$SANDBOX/x$i")" "line $i"; done
	podman rm -f -t 0 one
}

t_stop_and_kill() {
	detached -- sh -c 'trap "exit 9" TERM; while :; do sleep 0.05; done'
	podman stop -t 10 one
	same "$(field one .State.ExitCode)" 9 "exit code"
	podman start one
	is one running
	podman kill -s KILL one
	until_true is one exited
	same "$(field one .State.ExitCode)" 137 "exit code after KILL"
	podman rm one
}

t_stop_deaf() {
	detached -- sleep 100
	podman stop -t 1 one
	same "$(field one .State.ExitCode)" 137 "exit code"
	podman rm one
}

t_create_start_logs() {
	podman create --net none --name one $image sh -c 'echo line; echo other >&2' >/dev/null
	is one created
	podman start one
	podman wait one
	has "$(podman logs one 2>/dev/null)" line
	has "$(podman logs one 2>&1 >/dev/null)" other
	podman start -a one | grep -q line
	podman rm one
}

t_inspect() {
	detached -- sleep 100
	same "$(field one .OCIRuntime)" ociruntime
	kill -0 "$(field one .State.Pid)"
	podman rm -f -t 0 one
}

t_init() {
	has "$(once --init -- ps)" init
	detached --init -- sh -c '(sleep 0.1 &); exec sleep 100'
	sleep 0.5
	lacks "$(podman exec one ps -o stat,args)" Z
	podman rm -f -t 0 one
}

t_read_only() {
	status 1 once --read-only -- touch /file
	once --read-only -- touch /tmp/file
	status 1 once --read-only --read-only-tmpfs=false -- touch /tmp/file
}

t_capabilities() {
	status 1 once --cap-drop CHOWN -- chown 5 /data/file
	same "$(once --cap-drop ALL -- grep CapEff /proc/self/status | cut -f2)" 0000000000000000
	same "$(once --cap-add SYS_ADMIN --security-opt seccomp=unconfined -- sh -c 'mount -t tmpfs t /tmp && echo mounted')" mounted
	same "$(once --security-opt no-new-privileges -- grep NoNewPrivs /proc/self/status | cut -f2)" 1
	same "$(once -- grep Seccomp: /proc/self/status | cut -f2)" 2
}

t_privileged() {
	same "$(once --privileged -- sh -c 'mount -t tmpfs t /tmp && echo mounted')" mounted
}

t_volumes() {
	mkdir -p "$SANDBOX/shared"
	chmod 777 "$SANDBOX/shared"
	echo shared >"$SANDBOX/shared/file"
	same "$(once -v "$SANDBOX/shared:/mnt:ro" -- cat /mnt/file)" shared
	status 1 once -v "$SANDBOX/shared:/mnt:ro" -- touch /mnt/new
	once -v "$SANDBOX/shared:/mnt" -- touch /mnt/new
	[ -e "$SANDBOX/shared/new" ]
	podman volume create data >/dev/null
	same "$(once -v data:/data -- cat /data/file)" "from the image"
	once -v data:/data -- sh -c 'echo changed >/data/file'
	same "$(once -v data:/data -- cat /data/file)" changed
	podman volume rm data
}

t_tmpfs() {
	has "$(once --tmpfs /t:size=1m -- df /t)" 1024
	same "$(once --tmpfs /data -- cat /data/file)" "from the image"
	has "$(once --shm-size 2m -- df /dev/shm)" 2048
}

t_networks() {
	same "$(once -- ls /sys/class/net)" lo
	same "$(podman run --rm --net host $image readlink /proc/self/ns/net)" "$(netns)"
}

t_shared_namespaces() {
	detached -- sleep 100
	same "$(once --pid container:one --ipc container:one -- readlink /proc/1/ns/pid)" "$(podman exec one readlink /proc/1/ns/pid)"
	same "$(podman run --rm --net container:one $image readlink /proc/self/ns/net)" "$(podman exec one readlink /proc/self/ns/net)"
	podman rm -f -t 0 one
}

t_host_pid() {
	once --pid host -- sh -c '[ $$ != 1 ]'
	same "$(once --uts host -- readlink /proc/self/ns/uts)" "$(readlink /proc/self/ns/uts)"
}

t_user_namespace() {
	local map=0:100000:65536
	[ "$(id -u)" = 0 ] || map=0:0:1000
	same "$(once --uidmap $map --gidmap $map -- id -u)" 0
	detached --uidmap $map --gidmap $map -- sleep 100
	same "$(podman exec one id -u)" 0
	podman rm -f -t 0 one
}

t_healthcheck() {
	detached --health-cmd 'test -e /tmp/healthy' --health-interval disable -- sleep 100
	status 1 podman healthcheck run one
	podman exec one touch /tmp/healthy
	podman healthcheck run one
	podman rm -f -t 0 one
}

t_restart() {
	detached --restart on-failure:2 -- sh -c 'echo run; exit 1'
	until_true ran_thrice
	podman rm -f -t 0 one
}

ran_thrice() { [ "$(podman logs one | grep -c run)" = 3 ]; }

t_pod() {
	podman pod create --name pod --infra=true --infra-image $image --infra-command "sleep 1000" --net none --share ipc,uts,net >/dev/null
	podman run -d --pod pod --name inpod $image sleep 100 >/dev/null
	same "$(podman exec inpod readlink /proc/self/ns/net)" "$(podman run --rm --pod pod $image readlink /proc/self/ns/net)"
	podman pod stop -t 0 pod
	podman pod rm -f -t 0 pod
}

t_out_of_memory_kill() {
	[ "$(id -u)" = 0 ] || skip "no memory limit without root on cgroup v1"
	local code=0
	once --memory 16m --memory-swap 16m -- sh -c 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done' || code=$?
	same "$code" 137 "exit code"
}

t_in_parallel() {
	local i
	for i in $(seq 8); do once -- echo "$i" >"$SANDBOX/many$i" 2>&1 & done
	wait
	for i in $(seq 8); do same "$(cat "$SANDBOX/many$i")" "$i"; done
}
