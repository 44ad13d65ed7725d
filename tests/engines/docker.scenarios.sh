# Sourced by docker and nerdctl, which speak one language: what both can do.

# run [OPTION...] -- [COMMAND...]
run() {
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	docker run "${options[@]}" $image "$@"
}
once() { run --rm "$@"; }
detached() { run -d --name one "$@" >/dev/null; }
pid_of() { field "$1" .State.Pid; }
field() { docker inspect -f "{{$2}}" "$1"; }
is() { [ "$(field "$1" .State.Status)" = "$2" ]; }
limit() { cat "/sys/fs/cgroup/$1$(awk -F: -v c="$1" '$2 == c { print $3 }' "/proc/$(field one .State.Pid)/cgroup")/$2"; }

t_run() {
	same "$(once -- echo hello)" hello
	same "$(docker ps -aq)" ""
}

t_streams() {
	same "$(once -- sh -c 'echo out; echo err >&2' 2>/dev/null)" out
	has "$(once -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err
}

t_terminal() { has "$(terminal "$script" --scenario terminal_run | unterminal)" /dev/pts/0; }
terminal_run() { once -it -- tty; }

t_process() {
	same "$(once --env A=b -- sh -c 'echo $A $FROM')" "b image"
	same "$(once --workdir /new/dir -- pwd)" /new/dir
	same "$(once --user user -- sh -c 'id -un; id -G; echo $HOME')" "$(printf 'user\n1000 2000\n/home/user')"
	same "$(once --hostname box -- hostname)" box
	same "$(once --ulimit nofile=100:100 -- sh -c 'ulimit -n')" 100
	same "$(once --sysctl net.ipv4.ip_default_ttl=33 -- cat /proc/sys/net/ipv4/ip_default_ttl)" 33
	same "$(once --group-add 4000 -- id -G)" "0 4000"
}

t_exec() {
	detached -- sleep 100
	same "$(docker exec one echo inside)" inside
	same "$(echo in | docker exec -i one cat)" in
	same "$(docker exec --user 1000 --workdir /tmp --env A=b one sh -c 'id -u; pwd; echo $A')" "$(printf '1000\n/tmp\nb')"
	has "$(terminal "$script" --scenario terminal_exec | unterminal)" /dev/pts/
	docker exec -d one sh -c 'echo detached >/tmp/file'
	until_true docker exec one grep -q detached /tmp/file
	has "$(docker exec --privileged one grep CapEff /proc/self/status | cut -f2)" ffff
	docker rm -f one
}
terminal_exec() { docker exec -it one tty; }

t_exec_in_parallel() {
	local i
	detached -- sleep 100
	for i in $(seq 5); do docker exec one echo "line $i" >"$SANDBOX/x$i" & done
	wait
	for i in $(seq 5); do same "$(cat "$SANDBOX/x$i")" "line $i"; done
	docker rm -f one
}

t_stop_and_kill() {
	detached -- sh -c 'trap "exit 9" TERM; while :; do sleep 0.05; done'
	docker stop -t 10 one
	same "$(field one .State.ExitCode)" 9 "exit code"
	docker start one
	is one running
	docker kill one
	until_true is one exited
	same "$(field one .State.ExitCode)" 137 "exit code after kill"
	docker rm one
}

t_stop_deaf() {
	detached -- sleep 100
	docker stop -t 1 one
	same "$(field one .State.ExitCode)" 137 "exit code"
	docker rm one
}

t_create_start_logs() {
	docker create --name one $image sh -c 'echo line; echo other >&2' >/dev/null
	same "$(field one .State.Running)" false
	docker start one
	same "$(docker wait one)" 0
	has "$(docker logs one 2>/dev/null)" line
	has "$(docker logs one 2>&1 >/dev/null)" other
	docker start -a one | grep -q line
	docker rm one
}

t_top_and_stats() {
	detached --memory 64m -- sleep 100
	has "$(docker top one)" "sleep 100"
	has "$(docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' one)" 64MiB
	docker rm -f one
}

t_pause() {
	detached -- sh -c 'while :; do date +%s%N >/tmp/now; sleep 0.05; done'
	docker pause one
	is one paused
	local before
	before=$(cat "/proc/$(field one .State.Pid)/root/tmp/now")
	sleep 0.3
	same "$(cat "/proc/$(field one .State.Pid)/root/tmp/now")" "$before" "the time while paused"
	status 1 docker exec one true
	docker unpause one
	is one running
	docker rm -f one
}

t_kill_paused() {
	detached -- sleep 100
	docker pause one
	docker kill one
	until_true is one exited
	docker rm one
}

t_update() {
	detached --memory 64m --cpu-quota 50000 --pids-limit 20 -- sleep 100
	same "$(limit memory memory.limit_in_bytes)" 67108864 memory
	same "$(limit cpu cpu.cfs_quota_us)" 50000 quota
	same "$(limit pids pids.max)" 20 pids
	docker update --memory 128m --memory-swap 256m --cpu-quota 25000 one
	same "$(limit memory memory.limit_in_bytes)" 134217728 "memory after the update"
	same "$(limit cpu cpu.cfs_quota_us)" 25000 "quota after the update"
	# Here the daemon sends a zero for everything: leave it as it is.
	docker update --restart no one
	same "$(limit memory memory.limit_in_bytes)" 134217728 "memory after an update of something else"
	docker update --pids-limit 30 one
	same "$(limit pids pids.max)" 30 "pids after the update"
	docker exec one sh -c 'echo still may write >/dev/null'
	docker rm -f one
}

t_read_only() {
	status 1 once --read-only -- touch /file
	once --read-only --tmpfs /t -- touch /t/file
}

t_capabilities() {
	status 1 once --cap-drop CHOWN -- chown 5 /data/file
	same "$(once --cap-drop ALL -- grep CapEff /proc/self/status | cut -f2)" 0000000000000000
	same "$(once --cap-add SYS_ADMIN -- sh -c 'mount -t tmpfs t /tmp && echo mounted')" mounted
	same "$(once --security-opt no-new-privileges -- grep NoNewPrivs /proc/self/status | cut -f2)" 1
	same "$(once -- grep Seccomp: /proc/self/status | cut -f2)" 2
	same "$(once --security-opt seccomp=unconfined -- grep Seccomp: /proc/self/status | cut -f2)" 0
	status 1 once -- unshare -m true
}

t_privileged() {
	same "$(once --privileged -- sh -c 'mount -t tmpfs t /tmp && echo mounted')" mounted
}

t_masked_paths() {
	same "$(once -- cat /proc/keys /proc/timer_list 2>/dev/null)" ""
	status 1 once -- sh -c 'echo 1 >/proc/sys/kernel/domainname'
}

t_volumes() {
	mkdir -p "$SANDBOX/shared"
	echo shared >"$SANDBOX/shared/file"
	same "$(once -v "$SANDBOX/shared:/mnt:ro" -- cat /mnt/file)" shared
	status 1 once -v "$SANDBOX/shared:/mnt:ro" -- touch /mnt/new
	once -v "$SANDBOX/shared:/mnt" -- touch /mnt/new
	[ -e "$SANDBOX/shared/new" ]
	docker volume create data >/dev/null
	same "$(once -v data:/data -- cat /data/file)" "from the image"
	once -v data:/data -- sh -c 'echo changed >/data/file'
	same "$(once -v data:/data -- cat /data/file)" changed
	docker volume rm data
}

t_tmpfs() {
	has "$(once --tmpfs /t:size=1m -- df /t)" 1024
	has "$(once --shm-size 2m -- df /dev/shm)" 2048
}

t_networks() {
	same "$(once --network none -- ls /sys/class/net)" lo
	same "$(once --network host -- readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
	detached -- sleep 100
	same "$(once --network container:one -- readlink /proc/self/ns/net)" "$(docker exec one readlink /proc/self/ns/net)"
	same "$(once --pid container:one -- readlink /proc/1/ns/pid)" "$(docker exec one readlink /proc/1/ns/pid)"
	docker rm -f one
}

t_host_namespaces() {
	once --pid host -- sh -c '[ $$ != 1 ]'
	same "$(once --uts host -- readlink /proc/self/ns/uts)" "$(readlink /proc/self/ns/uts)"
	detached --pid host -- sh -c 'sleep 1234 & sleep 1234'
	docker kill one
	until_true no_sleep
	docker rm one
}

no_sleep() { ! ps -eo args | grep -q '^sleep 1234'; }

ran_thrice() { [ "$(docker logs one | grep -c run)" = 3 ]; }
t_restart_policy() {
	detached --restart on-failure:2 -- sh -c 'echo run; exit 1'
	until_true ran_thrice
	docker rm -f one
}

t_commit_and_copy() {
	run --name one -- sh -c 'echo new >/data/new'
	docker commit one derived >/dev/null
	same "$(docker run --rm derived cat /data/new)" new
	docker cp one:/data/new "$SANDBOX/copied"
	same "$(cat "$SANDBOX/copied")" new
	docker rm one
	docker rmi derived
}
