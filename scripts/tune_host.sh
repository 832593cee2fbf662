#!/usr/bin/env bash
# Shows how this host is set up for low latency, and with --apply sets what can be set until the next boot.
# It writes to /sys only, changes no file and no kernel command line, and says how to undo what it did.
set -euo pipefail

apply=false
case "${1:-}" in
'') ;;
--apply) apply=true ;;
*)
    echo "usage: $0 [--apply]" >&2
    exit 2
    ;;
esac
if $apply && [[ $(id -u) != 0 ]]; then
    echo "$0: --apply needs root" >&2
    exit 1
fi

undo=()

# set_file FILE WANTED WHAT: shows a setting and sets it when it may.
set_file() {
    local file=$1 wanted=$2 what=$3 now active
    if [[ ! -r $file ]]; then
        printf '%-22s not on this host\n' "$what"
        return
    fi
    now=$(<"$file")
    # "always [madvise] never": the one in brackets is active.
    active=$(sed -n 's/.*\[\(.*\)\].*/\1/p' <<<"$now")
    active=${active:-$now}
    if [[ $active == "$wanted" ]]; then
        printf '%-22s %s\n' "$what" "$active"
    elif ! $apply; then
        printf '%-22s %s  (would be set to %s)\n' "$what" "$active" "$wanted"
    elif printf '%s' "$wanted" 2>/dev/null >"$file"; then
        printf '%-22s %s -> %s\n' "$what" "$active" "$wanted"
        undo+=("echo $active > $file")
    else
        printf '%-22s %s  (the kernel refused %s)\n' "$what" "$active" "$wanted"
    fi
}

for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    if [[ -e $cpu/cpufreq/scaling_governor ]]; then
        set_file "$cpu/cpufreq/scaling_governor" performance "governor ${cpu##*/}"
    fi
done
set_file /sys/kernel/mm/transparent_hugepage/enabled madvise 'transparent hugepages'
set_file /sys/kernel/mm/transparent_hugepage/defrag madvise 'hugepage defrag'
set_file /sys/kernel/mm/ksm/run 0 'page merging'

clock=/sys/devices/system/clocksource/clocksource0/current_clocksource
[[ ! -r $clock ]] || printf '%-22s %s\n' 'clock source' "$(<"$clock")"
printf '%-22s %s\n' 'isolated cores' "$(cat /sys/devices/system/cpu/isolated 2>/dev/null || true)"
printf '%-22s %s\n' 'memory lock limit' "$(ulimit -l) KiB"
if [[ -r /proc/self/timerslack_ns ]]; then
    printf '%-22s %s ns\n' 'timer slack' "$(</proc/self/timerslack_ns)"
fi

cat <<'TEXT'

What this script does not set, because it lasts longer than a boot or belongs to one service:
  memory lock     LimitMEMLOCK=infinity in the service, or a line in /etc/security/limits.d
  isolated cores  isolcpus=2-3 nohz_full=2-3 rcu_nocbs=2-3 on the kernel's command line, for the cores of hot threads
  clock source    clocksource=tsc tsc=reliable on the kernel's command line, where the hardware has a steady counter
  timer slack     TimerSlackNSec=1 in the service
  interrupts      IRQBALANCE_BANNED_CPULIST with the cores of hot threads
TEXT
if ((${#undo[@]} > 0)); then
    printf '\nTo undo:\n'
    printf '  %s\n' "${undo[@]}"
fi
