# Completion of ociruntime for fish: put this file into
# /usr/share/fish/vendor_completions.d or ~/.config/fish/completions.
#
# Commands and flags are taken from the program's own help, so that they are
# always those of the program that is installed.

# The command on the line, if there is one yet.
function __ociruntime_command
    set -l words (commandline -opc)
    set -e words[1]
    set -l known (__ociruntime_commands | string split -f1 \t)
    for word in $words
        if contains -- $word $known
            echo $word
            return 0
        end
    end
    return 1
end

function __ociruntime_commands
    ociruntime help 2>/dev/null | string match -r '^   ([a-z]+)(?:, [a-z])?  +([^ ].*)$' -g | while read -l name
        read -l summary
        printf '%s\t%s\n' $name $summary
    end
end

# The flags of the command on the line, or the global ones.
function __ociruntime_flags
    set -l command (__ociruntime_command)
    for line in (ociruntime help $command 2>/dev/null)
        set -l m (string match -r '^   (--[^ ,]+)(?: [^ ,]+)?(?:, -[a-z](?: [^ ]+)?)?  +(.*)$' -g -- $line)
        or continue
        printf '%s\t%s\n' $m[1] $m[2]
    end
end

function __ociruntime_wants_container
    set -l command (__ociruntime_command)
    or return 1
    not contains -- $command create run restore spec features list help
end

complete -c ociruntime -f
complete -c ociruntime -n 'not __ociruntime_command' -a '(__ociruntime_commands)'
complete -c ociruntime -n 'test (__ociruntime_command) = help 2>/dev/null' -a '(__ociruntime_commands)'
complete -c ociruntime -n 'string match -q -- "-*" (commandline -ct)' -a '(__ociruntime_flags)'
complete -c ociruntime -n __ociruntime_wants_container -a '(ociruntime list -q 2>/dev/null)' -d container
for flag in bundle root image-path work-path parent-path
    complete -c ociruntime -l $flag -r -a '(__fish_complete_directories)'
end
for flag in log pid-file trace process resources console-socket pidfd-socket
    complete -c ociruntime -l $flag -r -F
end
complete -c ociruntime -l log-format -x -a 'text json'
complete -c ociruntime -l format -x -a 'table json'
complete -c ociruntime -l rootless -x -a 'true false auto'
complete -c ociruntime -l cgroup-manager -x -a 'cgroupfs systemd disabled'
complete -c ociruntime -l manage-cgroups-mode -x -a 'soft full strict ignore'
complete -c ociruntime -l network-lock -x -a 'iptables nftables skip'
complete -c ociruntime -l empty-ns -x -a network
