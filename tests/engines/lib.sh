# Sourced by the script of each engine. Such a script defines
#
#	start        starts the daemon, if any, and loads the image; runs once
#	reset        removes the containers that a failed scenario has left
#	t_NAME       a scenario, run by a shell with -e: the first command that fails ends it
#
# and ends with `main "$@"`. Scenarios run in the order of the file, each with a
# time-out, in a sandbox that dies with everything in it.

script=$(realpath "$0")
here=$(dirname "$script")
scenarios= # a file with more of them
PATH=$PATH:/usr/sbin:/sbin

# fail MESSAGE: ends the scenario.
fail() { echo "fail: $*"; exit 1; }

# skip REASON: ends the scenario, which can't be run here.
skip() { echo "$*" >"$SANDBOX/skip"; exit 77; }

# same GOT WANTED [WHAT]
same() { [ "$1" = "$2" ] || fail "${3:-output} is '$1', not '$2'"; }

# has TEXT PART [WHAT]
has() { case $1 in *"$2"*) ;; *) fail "${3:-output} has no '$2': '$1'" ;; esac; }

# lacks TEXT PART [WHAT]
lacks() { case $1 in *"$2"*) fail "${3:-output} has '$2': '$1'" ;; esac; }

# status WANTED COMMAND...: the command ends with this status. Prints its streams.
status() {
	local wanted=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" = "$wanted" ] || { echo "status $got, not $wanted: $*"; return 1; }
}

# until_true COMMAND...: repeats it for up to 10 seconds.
until_true() {
	local i
	for i in $(seq 100); do
		if "$@" >/dev/null 2>&1; then return 0; fi
		sleep 0.1
	done
	fail "still not so after 10 seconds: $*"
}

# need_criu: skips where there is no criu, or where it can't dump a plain process.
need_criu() {
	local why=$SANDBOX/criu pid
	if [ ! -e "$why" ]; then
		if [ -n "${NO_CRIU-}" ]; then
			echo "$NO_CRIU" >"$why"
		else
			mkdir "$why.images"
			# What this shell has from its caller may be of another mount namespace, where criu does not find it.
			(
				for fd in /proc/self/fd/*; do [ "${fd##*/}" -le 2 ] || eval "exec ${fd##*/}<&-"; done
				exec setsid sleep 1000
			) </dev/null >/dev/null 2>&1 &
			pid=$!
			disown # whose end the shell would tell of
			sleep 0.2
			timeout 30 criu dump -D "$why.images" -t $pid -v1 >"$why.log" 2>&1 || { echo "criu can't dump a plain process: $(tail -n1 "$why.log")" >"$why.no"; kill $pid; }
			if [ -s "$why.no" ]; then mv "$why.no" "$why"; else : >"$why"; fi
		fi
	fi
	[ ! -s "$why" ] || skip "$(cat "$why")"
}

# What a container does that shows whether it goes on: it counts, on its output and in a file.
counting='i=0; while :; do i=$((i+1)); echo $i; echo $i >>/tmp/count; sleep 0.1; done'
# count_of ID: how far it has come. The engine's script knows the pid_of a container.
count_of() { tail -n1 "/proc/$(pid_of "$1")/root/tmp/count"; }
# counts ID NUMBER: it has come further than that.
counts() { [ "$(count_of "$1")" -gt "$2" ]; }

# terminal COMMAND...: runs it with a terminal as its streams. Nothing is typed, and
# nothing ends: at the end of its input script(1) types ^D.
terminal() {
	[ -p "$SANDBOX/quiet" ] || mkfifo "$SANDBOX/quiet"
	script -qefc "$(printf '%q ' "$@")" /dev/null 0<>"$SANDBOX/quiet"
}

# unterminal: output as it was before the terminal put carriage returns into it.
unterminal() { tr -d '\r'; }

scenarios() { cat $scenarios "$script" | grep -o '^t_[a-z0-9_]*'; }

# scenario NAME: runs one of them in a shell of its own.
scenario() { timeout -k 5 "${LIMIT:-60}" "$BASH" -e "$script" --scenario "$1" >"$SANDBOX/log" 2>&1 </dev/null; }

# complain WORD NAME STATUS: shows the end of a scenario that went wrong, and clears up behind it.
complain() {
	echo "$1  ${script##*/} ${2#t_} (status $3)"
	tail -n 12 "$SANDBOX/log" | sed 's/^/        /'
	timeout 30 "$BASH" "$script" --scenario reset >/dev/null 2>&1 </dev/null
}

# inside: the sandbox's part. Runs the scenarios and counts.
inside() {
	local passed=0 failed=0 skipped=0 name result
	cd "$SANDBOX" || return # conmon leaves a file where it is started
	if ! start >"$SANDBOX/start.log" 2>&1; then
		cat "$SANDBOX/start.log"
		echo "0 passed, 1 failed, 0 skipped"
		return 1
	fi
	[ $# -gt 0 ] || set -- $(scenarios)
	for name; do
		result=0
		scenario "$name" || result=$?
		if [ $result != 0 ] && [ $result != 77 ]; then
			# Engines have races of their own: ctr 1.6 loses the output of one parallel exec in some hundred. What fails must fail twice.
			complain "once more" "$name" $result
			result=0
			scenario "$name" || result=$?
		fi
		case $result in
		0) passed=$((passed + 1)); echo "ok      ${script##*/} ${name#t_}" ;;
		77) skipped=$((skipped + 1)); echo "skip    ${script##*/} ${name#t_}: $(cat "$SANDBOX/skip")" ;;
		*) failed=$((failed + 1)); complain FAILED "$name" $result ;;
		esac
	done
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}

# keep_out DIR: what is written below a directory of the host's from now on stays in the sandbox.
keep_out() {
	local layers=$SANDBOX/kept$1
	mkdir -p "$layers/upper" "$layers/work"
	mount -t overlay -o "lowerdir=$1,upperdir=$layers/upper,workdir=$layers/work" overlay "$1"
}

# leave_out REASON: ends the script.
leave_out() {
	echo "skip    ${script##*/}: $1"
	echo "0 passed, 0 failed, 1 skipped"
	exit
}

# find_criu puts a criu in front of PATH, where daemons find it, or says in $NO_CRIU why there is none.
find_criu() {
	local log path
	log=$(mktemp)
	if path=$("$here/../checkpoint/criu" 2>"$log"); then
		PATH=$(dirname "$path"):$PATH
	else
		NO_CRIU=$(tail -n1 "$log")
		export NO_CRIU
	fi
	rm -f "$log"
}

# main RUNTIME [t_NAME...]
main() {
	case ${1-} in
	--scenario) "$2"; exit ;;
	--inside) shift; inside "$@"; exit ;;
	'') echo "usage: ${script##*/} RUNTIME [SCENARIO...]" >&2; exit 2 ;;
	esac
	RUNTIME=$(realpath "$1")
	export RUNTIME
	shift
	"$here/install" "${engine:-${script##*/}}" || exit 1
	IMAGE=$(mktemp)
	export IMAGE
	trap 'rm -f "$IMAGE"' EXIT
	"$here/image" "$IMAGE" || exit 1
	if grep -q need_criu $scenarios "$script"; then find_criu; fi
	"$here/sandbox" -t 900 "$BASH" "$script" --inside "$@"
}
