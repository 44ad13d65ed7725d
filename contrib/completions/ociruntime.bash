# Completion of ociruntime for bash: source this file, or put it into
# /usr/share/bash-completion/completions/ociruntime.
#
# Commands and flags are taken from the program's own help, so that they are
# always those of the program that is installed.

# _ociruntime_flags PROGRAM [COMMAND]: "--flag" or "--flag ARG" a line, out of the help.
_ociruntime_flags() {
	"$1" help ${2:+"$2"} 2>/dev/null |
		sed -n 's/^   \(--[^ ,]*\)\( [^ ,]\+\|\)\(, -[^ ]*\( [^ ]\+\)\?\|\)  .*/\1\2/p'
}

_ociruntime_commands() {
	"$1" help 2>/dev/null | sed -n '/^COMMANDS:/,/^$/s/^   \([a-z]*\)[ ,].*/\1/p'
}

# _ociruntime_value FLAG KIND: completes the value of a flag by what its help calls it.
_ociruntime_value() {
	case $2 in
	DIR) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	FILE | SOCKET) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	FORMAT)
		local formats='table json'
		[ "$1" != --log-format ] || formats='text json'
		mapfile -t COMPREPLY < <(compgen -W "$formats" -- "$cur")
		;;
	WHEN) mapfile -t COMPREPLY < <(compgen -W 'true false auto' -- "$cur") ;;
	MODE) mapfile -t COMPREPLY < <(compgen -W 'soft full strict ignore' -- "$cur") ;;
	MEANS) mapfile -t COMPREPLY < <(compgen -W 'iptables nftables skip' -- "$cur") ;;
	NAMESPACE) mapfile -t COMPREPLY < <(compgen -W network -- "$cur") ;;
	NAME) mapfile -t COMPREPLY < <(compgen -W 'cgroupfs systemd disabled' -- "$cur") ;;
	esac
}

_ociruntime() {
	local program=$1 cur=${COMP_WORDS[COMP_CWORD]} command= kind= root=() args=0 i word
	# Go through the words in front, to find the command and whether the last
	# one is a flag that wants a value.
	local flags
	flags=$(_ociruntime_flags "$program")
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ -n "$kind" ]; then
			kind=
			continue
		fi
		case $word in
		-*)
			kind=$(sed -n "s/^$word //p" <<<"$flags")
			if [ "$word" = --root ] && [ $((i + 1)) -lt "$COMP_CWORD" ]; then
				root=(--root "${COMP_WORDS[i + 1]}")
			fi
			;;
		*)
			if [ -z "$command" ]; then
				command=$word
				flags=$(_ociruntime_flags "$program" "$command")
			else
				args=$((args + 1))
			fi
			;;
		esac
	done
	COMPREPLY=()
	if [ -n "$kind" ]; then
		_ociruntime_value "$word" "$kind"
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(cut -d' ' -f1 <<<"$flags")" -- "$cur")
	elif [ -z "$command" ] || [ "$command" = help ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_ociruntime_commands "$program")" -- "$cur")
	elif [ "$args" = 0 ]; then
		case $command in
		create | run | restore | spec | features | list) ;;
		*) mapfile -t COMPREPLY < <(compgen -W "$("$program" "${root[@]}" list -q 2>/dev/null)" -- "$cur") ;;
		esac
	elif [ "$command" = kill ] && [ "$args" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -A signal -- "$cur")
	fi
}

complete -F _ociruntime ociruntime
