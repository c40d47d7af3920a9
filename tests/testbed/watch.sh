#!/bin/bash
# watch.sh: what a watch costs, and how soon it tells a crash. Inside a host, as root, beside the units of crashes.sh:
#
#   watch.sh KILLS SECONDS   kills the gateway so often, then watches the monitor at rest for so long
set -euo pipefail
work=$(mktemp -d)
as_dev=(runuser -u dev -- env XDG_RUNTIME_DIR=/run/user/1000)

/opt/bind/claw-health --user dev --state "$work" --watch 30s --format json 2>"$work/errors" |
	while read -r line; do printf '%s %s\n' "$EPOCHREALTIME" "$line"; done >"$work/records" &
until grep -q '"heartbeat"' "$work/records"; do sleep 0.1; done
monitor=$(pgrep -x claw-health)
trap 'kill "$monitor"; rm -rf "$work"' EXIT
sleep 2

main() {
	"${as_dev[@]}" systemctl --user show -P MainPID openclaw-gateway
}

crashes() {
	grep -c '"event":"crash"' "$work/records" || :
}

for _ in $(seq "$1"); do
	pid=$(main)
	before=$(crashes)
	began=$EPOCHREALTIME
	kill -KILL "$pid"
	until [[ $(crashes) -gt $before ]]; do sleep 0.2; done
	told=$(grep '"event":"crash"' "$work/records" | tail -n 1)
	told=${told%% *}
	echo $(((${told/./} - ${began/./}) / 1000))
	until [[ $(main) != 0 && $(main) != "$pid" ]]; do sleep 0.1; done
done | sort -n >"$work/delays"
awk '{ all[NR] = $1 } END { printf "kill -9 to record: median %d ms, worst %d ms, of %d\n", all[int((NR + 1) / 2)], all[NR], NR }' "$work/delays"

ticks() { # of the monitor and of the programs that it ran and waited for
	awk '{ sub(/.*\) /, ""); print $12 + $13 + $14 + $15 }' "/proc/$monitor/stat"
}

before=$(ticks)
highest=0
for _ in $(seq "$2"); do
	# With whatever it runs at that moment.
	resident=$(ps -o rss= --pid "$monitor" --ppid "$monitor" | awk '{ all += $1 } END { print all }')
	[[ $resident -le $highest ]] || highest=$resident
	sleep 1
done
printf 'at rest for %s s: %s kB resident at most, %s kB of its own, ' "$2" "$highest" \
	"$(awk '/^RssAnon/ { print $2 }' "/proc/$monitor/status")"
awk -v ticks=$(($(ticks) - before)) -v hz="$(getconf CLK_TCK)" -v seconds="$2" \
	'BEGIN { printf "%.3f %% of a core\n", 100 * ticks / hz / seconds }'
