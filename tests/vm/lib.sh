# Settings of the test machines; each may be set in the environment.
VM_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VM_OUT=${VM_OUT:-${XDG_CACHE_HOME:-$HOME/.cache}/ociruntime-vm} # what build makes
VM_RUNS=${VM_RUNS:-${TMPDIR:-/tmp}/ociruntime-vm.$(id -u)}        # a directory for each running machine
VM_SUITE=${VM_SUITE:-trixie}                                     # of Debian's: the user space
VM_KERNEL=${VM_KERNEL:-$VM_SUITE}                               # of Debian's: the suite that the kernel is from
VM_SET=$VM_OUT/kernels/$VM_KERNEL                               # what is made for that kernel
VM_MEM=${VM_MEM:-2048}                                          # MiB
VM_SMP=${VM_SMP:-2}
VM_PORTS=${VM_PORTS:-6} # commands at the same time
VM_QEMU=${VM_QEMU:-qemu-system-x86_64}
# Without cx16, since QEMU 7.2 spoils EFLAGS in a plain cmpxchg16b, which the kernel's allocator uses (seen with Linux 6.12).
VM_CPU=${VM_CPU:-qemu64,-cx16,+rdrand}
VM_SHARE_AT=${VM_SHARE_AT:-/host}
VM_CMDLINE="root=/dev/vda rw console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable rcupdate.rcu_expedited=1 random.trust_cpu=on net.ifnames=0 psi=1 systemd.show_status=0 ${VM_APPEND:-}"

vm_log() { printf 'vm: %s\n' "$*" >&2; }

# vm_took SECONDS-AT-BEGIN WHAT: says how long something took.
vm_took() { vm_log "$2: $(($(date +%s) - $1)) s"; }

# vm_name: the machine in words.
vm_name() { echo "Linux $(cat "$VM_SET/version" 2>/dev/null || echo "of $VM_KERNEL")"; }

# vm_skip REASON: ends the script without an error, or with one where the machines are a must (VM_REQUIRED=1).
vm_skip() {
  vm_log "skipped: $*"
  exit ${VM_REQUIRED:+1}
}

# vm_emulator RUN SHARE MEMSHARE(on|off): the emulator's command line in Q, the same for the boot whose state is saved and for each restore.
vm_emulator() {
  local run=$1 share=$2 memshare=$3 i
  Q=("$VM_QEMU" -accel tcg,thread=multi -M pc,vmport=off,hpet=off -cpu "$VM_CPU" -smp "$VM_SMP" -m "$VM_MEM"
    -object "memory-backend-file,id=ram0,size=${VM_MEM}M,mem-path=$VM_SET/ram,share=$memshare" -machine memory-backend=ram0
    -nodefaults -display none -no-user-config -no-reboot -rtc base=utc,clock=host
    -serial "file:$run/console.log"
    -device virtio-blk-pci,drive=d0,id=vd0
    -drive "file=$VM_OUT/swap.img,format=raw,if=none,id=d1,cache=unsafe,snapshot=on"
    -device virtio-blk-pci,drive=d1,id=vd1
    -drive "file=$VM_SET/modules.img,format=raw,if=none,id=d2,readonly=on"
    -device virtio-blk-pci,drive=d2,id=vd2
    -device virtio-serial-pci,id=vs0,max_ports=$((VM_PORTS + 1))
    -fsdev "local,id=fs0,path=$share,security_model=none,multidevs=remap"
    -device virtio-9p-pci,fsdev=fs0,mount_tag=share,id=p9
    -qmp "unix:$run/qmp.sock,server=on,wait=off"
    -pidfile "$run/pid")
  for ((i = 0; i < VM_PORTS; i++)); do
    Q+=(-chardev "socket,id=c$i,path=$run/port.$i.sock,server=on,wait=off"
      -device "virtserialport,bus=vs0.0,nr=$((i + 1)),chardev=c$i,name=vm.$i")
  done
}

# What restoring a machine needs: its memory stays in the file that it was saved in.
VM_SHARED_RAM=(migrate-set-capabilities '{"capabilities": [{"capability": "x-ignore-shared", "state": true}]}')
