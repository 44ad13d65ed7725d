# Completion of ociruntime for bash: source this file, or put it into
# /usr/share/bash-completion/completions/ociruntime.
#
# Commands and flags are taken from the program's own help, so that they are
# always those of the program that is installed.

# _ociruntime_flags PROGRAM [COMMAND]: "--flag" or "--flag ARG" a line, out of the help; short forms, too.
_ociruntime_flags() {
	"$1" help ${2:+"$2"} 2>/dev/null |
		sed -n 's/^   \(--[^ ,]*\)\( [^ ,]\+\|\)\(, \(-[^ ]*\)\( [^ ]\+\)\?\|\)  .*/\1\2\n\4\5/p' | grep .
}

_ociruntime_commands() {
	"$1" help 2>/dev/null | sed -n '/^COMMANDS:/,/^$/s/^   \([a-z]*\)[ ,].*/\1/p'
}

# _ociruntime_formats PROGRAM COMMAND FLAG: the two formats that the help of a flag names.
_ociruntime_formats() {
	"$1" help ${2:+"$2"} 2>/dev/null | sed -n '/^   --[a-z-]*format /s/.* \([a-z]*\) or \([a-z]*\) (default.*/\1 \2/p'
}

# _ociruntime_value KIND: completes the value of a flag by what its help calls it.
_ociruntime_value() {
	case $1 in
	DIR) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	FILE | SOCKET) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	FORMAT) mapfile -t COMPREPLY < <(compgen -W "$(_ociruntime_formats "$program" "$command")" -- "$cur") ;;
	WHEN) mapfile -t COMPREPLY < <(compgen -W 'true false auto' -- "$cur") ;;
	MODE) mapfile -t COMPREPLY < <(compgen -W 'soft full strict ignore' -- "$cur") ;;
	MEANS) mapfile -t COMPREPLY < <(compgen -W 'iptables nftables skip' -- "$cur") ;;
	NAMESPACE) mapfile -t COMPREPLY < <(compgen -W network -- "$cur") ;;
	NAME) mapfile -t COMPREPLY < <(compgen -W 'cgroupfs systemd disabled' -- "$cur") ;;
	esac
}

# _ociruntime_containers: the containers, of the --root that is given.
_ociruntime_containers() {
	mapfile -t COMPREPLY < <(compgen -W "$("$program" "${root[@]}" list -q 2>/dev/null)" -- "$cur")
}

_ociruntime() {
	local program=$1 cur command= kind= root=() args=0 flags i word words=() flag= front=
	# Readline makes three words of --flag=value, or one where the shell breaks words otherwise. Here
	# they are two, as in --flag value.
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		=) [ "$i" -lt "$COMP_CWORD" ] || words+=('') ;;
		--*=*)
			words+=("${word%%=*}" "${word#*=}")
			[ "$i" -lt "$COMP_CWORD" ] || front=${word%%=*}=
			;;
		*) words+=("$word") ;;
		esac
	done
	# Of the word that the cursor is in counts what stands in front of it.
	word=${COMP_LINE:COMP_POINT}
	cur=${words[-1]%"${word%%[[:space:]=]*}"}
	# Go through the words in front, to find the command and whether the last
	# one is a flag that wants a value.
	flags=$(_ociruntime_flags "$program")
	for word in "${words[@]::${#words[@]}-1}"; do
		if [ -n "$kind" ]; then
			[ "$flag" != --root ] || root=(--root "${word/#\~/$HOME}")
			kind=
			continue
		fi
		case $word in
		-*) flag=$word kind=$(sed -n "s/^$word //p" <<<"$flags") ;;
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
		_ociruntime_value "$kind"
		[ -z "$front" ] || COMPREPLY=("${COMPREPLY[@]/#/$front}")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(cut -d' ' -f1 <<<"$flags")" -- "$cur")
	elif [ -z "$command" ] || [ "$command" = help ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_ociruntime_commands "$program")" -- "$cur")
	else
		case $command:$args in
		create:* | run:* | restore:* | spec:* | check:* | features:* | list:*) ;;
		kill:1) mapfile -t COMPREPLY < <(compgen -W "$(compgen -A signal SIG | sed 'p; s/^SIG//')" -- "$cur") ;;
		*:0 | stats:* | explain:1)
			_ociruntime_containers
			# What explain compares may be bundles, too.
			if [[ $command == explain && " ${words[*]} " == *" --diff "* ]]; then
				mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$cur")
			fi
			;;
		esac
	fi
}

complete -F _ociruntime ociruntime
