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
    not contains -- $command create run restore spec check features list help
    and begin
        contains -- $command stats explain
        or test (__ociruntime_args) -eq 0
    end
end

# How many words that are no flags stand behind the command.
function __ociruntime_args
    set -l words (commandline -opc)
    set -l at (contains -i -- (__ociruntime_command) $words)
    count (string match -v -- '-*' $words[(math $at + 1)..-1])
end

# Whether the command on the line is one of these.
function __ociruntime_in
    set -l command (__ociruntime_command)
    and contains -- $command $argv
end

# The formats that the help of --format names.
function __ociruntime_formats
    ociruntime help (__ociruntime_command) 2>/dev/null | string match -r '^   --format .* ([a-z]+) or ([a-z]+) \(default' -g
end

# Whether "kill ID" is complete, and a signal may follow.
function __ociruntime_wants_signal
    __ociruntime_in kill
    and test (__ociruntime_args) -eq 1
end

function __ociruntime_signals
    for s in (kill -l | string split ' ')
        string match -rq '^[A-Z]' $s
        and printf '%s\n' $s SIG$s
    end
end

complete -c ociruntime -f
complete -c ociruntime -n 'not __ociruntime_command' -a '(__ociruntime_commands)'
complete -c ociruntime -n 'test (__ociruntime_command) = help 2>/dev/null' -a '(__ociruntime_commands)'
complete -c ociruntime -n 'string match -q -- "-*" (commandline -ct)' -a '(__ociruntime_flags)'
complete -c ociruntime -n __ociruntime_wants_container -a '(ociruntime list -q 2>/dev/null)' -d container
# What explain compares may be bundles, too.
complete -c ociruntime -n '__ociruntime_in explain; and contains -- --diff (commandline -opc)' -a '(__fish_complete_directories)'
complete -c ociruntime -n __ociruntime_wants_signal -a '(__ociruntime_signals)' -d signal
for flag in root image-path work-path parent-path
    complete -c ociruntime -l $flag -r -a "(__fish_complete_directories)"
end
complete -c ociruntime -l bundle -s b -r -a '(__fish_complete_directories)'
for flag in log pid-file trace html process resources console-socket pidfd-socket
    complete -c ociruntime -l $flag -r -F
end
complete -c ociruntime -l log-format -x -a 'text json'
complete -c ociruntime -n '__ociruntime_in list ps stats inspect check' -l format -s f -x -a '(__ociruntime_formats)'
complete -c ociruntime -l rootless -x -a 'true false auto'
complete -c ociruntime -l cgroup-manager -x -a 'cgroupfs systemd disabled'
complete -c ociruntime -l manage-cgroups-mode -x -a 'soft full strict ignore'
complete -c ociruntime -l network-lock -x -a 'iptables nftables skip'
complete -c ociruntime -l empty-ns -x -a network
