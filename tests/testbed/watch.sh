#!/bin/bash
# watch.sh: how soon a watch tells of trouble, and what it costs, beside monit and a Node monitor that watch the same.
# Inside a host with the unit of gateway.sh, as root:
#
#   watch.sh KILLS SECONDS   kills the gateway so often; then, a few times, kills it and lets it hang until each of
#                            them has noticed; then watches them at rest for so long
#
# monit and node are taken from PATH; the one that is not there, or does not run, is said and left out.
set -euo pipefail
shopt -s inherit_errexit
work=/run/bench
unit=openclaw-gateway.service
url=http://127.0.0.1:18789/healthz
# So often for each of them: they poll every 30 s, so each of these takes up to a minute.
noticed=4
hangs=3

say() {
	echo "watch.sh: $*" >&2
}

as_dev() {
	runuser -u dev -- env XDG_RUNTIME_DIR=/run/user/1000 "$@"
}

# ---- the gateway

gateway() { # SETTING...: starts it anew with these settings of its unit
	local folder=/home/dev/.config/systemd/user/$unit.d
	as_dev mkdir -p "$folder"
	printf '%s\n' '[Unit]' StartLimitIntervalSec=0 '[Service]' "$@" | as_dev tee "$folder/bench.conf" >/dev/null
	as_dev systemctl --user daemon-reload
	as_dev systemctl --user restart $unit
}

main() {
	as_dev systemctl --user show -P MainPID $unit
}

# ---- those who watch it: a unit each, which notes "TIME up" and "TIME down" in a file of its name

watchers=(claw)
declare -A called=([claw]='claw-health | claw-heal' [monit]=monit [node]='a Node monitor')

start_claw() {
	mkfifo "$work/records"
	# Stamped by somebody else, so that this costs the pipe nothing.
	while read -r line; do
		printf '%s %s\n' "$EPOCHREALTIME" "$line"
	done <>"$work/records" >"$work/stamped" &
	stamper=$!
	# As scripts/monitor does it: no shell stays.
	# shellcheck disable=SC2016 # that shell is to expand it
	systemd-run -q -u bench-claw -p Type=notify -p NotifyAccess=all -p WatchdogSec=60 -p StateDirectory=claw \
		-E RECORDS="$work/records" bash -c 'exec /opt/bind/claw-health --user dev --watch 30s --format json \
			> >(exec /opt/bind/claw-heal --user dev --format json >"$RECORDS")'
}

start_monit() {
	monit -V >/dev/null 2>&1 || return
	printf '%s\n' '#!/bin/sh' "echo \"\$(date +%s.%N) \$1\" >>$work/monit" >"$work/note"
	chmod 755 "$work/note"
	cat >"$work/monitrc" <<-MONIT
		set daemon 30
		set pidfile $work/monit.pid
		set idfile $work/monit.id
		set statefile $work/monit.state
		check system box
		  if cpu usage > 95% for 3 cycles then alert
		  if memory usage > 90% then alert
		check process gateway matching "openclaw/gateway.pl"
		  if does not exist then exec "$work/note down" else if succeeded then exec "$work/note up"
		  if cpu > 95% for 3 cycles then alert
		  if memory > 90% then alert
		  if failed port 18789 protocol http request "/healthz" with timeout 5 seconds
		    then exec "$work/note down" else if succeeded then exec "$work/note up"
	MONIT
	chmod 600 "$work/monitrc"
	systemd-run -q -u bench-monit "$(command -v monit)" -I -c "$work/monitrc"
}

start_node() {
	node -e '' 2>/dev/null || return
	systemd-run -q -u bench-node -p User=dev -E XDG_RUNTIME_DIR=/run/user/1000 -p StandardOutput="file:$work/node" \
		"$(command -v node)" /opt/testbed/poller.mjs $unit $url
}

cgroup() { # WATCHER
	echo "/sys/fs/cgroup$(systemctl show -P ControlGroup "bench-$1")"
}

# ---- what they tell

crashes() {
	grep -c '"tool":"claw-health","event":"crash"' "$work/stamped" || :
}

seen() { # WATCHER up|down: when it last told so, in seconds
	case $1-$2 in
	# That one process hangs once more is no other crash, and is told by the look that finds it.
	claw-down) grep -e '"event":"crash"' -e '"event":"check","subject":"gateway:[^"]*","status":"fail"' "$work/stamped" ;;
	claw-up) grep '"event":"check","subject":"gateway:[^"]*","status":"pass"' "$work/stamped" ;;
	*) grep " $2\$" "$work/$1" ;;
	esac 2>/dev/null | tail -n 1 | cut -d' ' -f1
}

after() { # WATCHER up|down TIME: how many seconds after that it told so; nothing where it did not
	local at
	at=$(seen "$1" "$2" || :)
	awk -v at="${at:-0}" -v since="$3" 'BEGIN { if (at > since) printf "%.3f\n", at - since }'
}

all_tell() { # up|down TIME: waits until each of them has told so, but not for ever
	local watcher end=$((SECONDS + 130))
	for watcher in "${watchers[@]}"; do
		until [[ $(after "$watcher" "$1" "$2") ]]; do
			((SECONDS < end)) || break
			sleep 0.5
		done
	done
}

# ---- the figures

from_a_kill_to_its_record() { # KILLS
	local pid before began told
	for _ in $(seq "$1"); do
		pid=$(main)
		before=$(crashes)
		began=$EPOCHREALTIME
		kill -KILL "$pid"
		until [[ $(crashes) -gt $before ]]; do sleep 0.2; done
		told=$(grep '"tool":"claw-health","event":"crash"' "$work/stamped" | tail -n 1 | cut -d' ' -f1)
		echo $(((${told/./} - ${began/./}) / 1000))
		until [[ $(main) != 0 && $(main) != "$pid" ]]; do sleep 0.1; done
	done | sort -n | awk '
		{ all[NR] = $1 }
		END { printf "kill -9 to record: median %d ms, worst %d ms, of %d\n", all[int((NR + 1) / 2)], all[NR], NR }'
}

trouble() { # KIND NUMBER OF: a trouble at one of the moments between two polls, and how soon each noticed
	local began watcher is=down
	sleep "$((RANDOM % 10)).$((RANDOM % 10))"
	sleep $((30 * ($2 - 1) / $3))
	began=$EPOCHREALTIME
	case $1 in
	kill) kill -KILL "$(main)" ;;
	hang) kill -STOP "$(main)" ;;
	esac
	all_tell down "$began"
	for watcher in "${watchers[@]}"; do
		echo "$1 $watcher $(after "$watcher" $is "$began")"
	done
	began=$EPOCHREALTIME
	case $1 in
	kill) as_dev systemctl --user start $unit ;;
	hang) kill -CONT "$(main)" ;;
	esac
	all_tell up "$began"
}

how_soon_it_is_noticed() {
	local number kind watcher
	# It stays as it is: claw-heal leaves alone what is disabled.
	as_dev systemctl --user -q disable $unit
	gateway Restart=no
	all_tell up "$EPOCHREALTIME"
	{
		for number in $(seq $noticed); do trouble kill "$number" $noticed; done
		for number in $(seq $hangs); do trouble hang "$number" $hangs; done
	} >"$work/noticed"
	for kind in kill hang; do
		for watcher in "${watchers[@]}"; do
			awk -v kind=$kind -v watcher="$watcher" -v called="${called[$watcher]}" '
				$1 == kind && $2 == "claw" { sum += $3; n++ }
				$1 == kind && $2 == watcher { of++; if (NF == 3) { own += $3; count++; if ($3 > most) most = $3 } }
				END {
					printf "noticed a %s: %-24s", kind, called
					if (count) printf "mean %7.2f s, worst %6.2f s, %8.1f x, ", own / count, most, (own / count) / (sum / n)
					printf "%d of %d\n", count, of
				}' "$work/noticed"
		done
	done
	as_dev systemctl --user -q enable $unit
}

microseconds() { # WATCHER: all that it and what it ran has taken of a processor
	awk '$1 == "usage_usec" { print $2 }' "$(cgroup "$1")/cpu.stat"
}

resident() { # WATCHER: in kB, of every process that it has at this moment, and who they are
	local pids
	mapfile -t pids <"$(cgroup "$1")/cgroup.procs"
	cat "${pids[@]/%//status}" 2>/dev/null |
		awk '/^Name/ { name = $2 } /^VmRSS/ { all += $2; who = who " " name } END { print all + 0 who }'
}

at_rest() { # SECONDS
	local watcher now
	local -A before highest total who
	cd /proc
	for watcher in "${watchers[@]}"; do
		before[$watcher]=$(microseconds "$watcher")
		highest[$watcher]=0
		total[$watcher]=0
	done
	for _ in $(seq "$1"); do
		for watcher in "${watchers[@]}"; do
			now=$(resident "$watcher")
			((${now%% *} <= ${highest[$watcher]})) || who[$watcher]=${now#* }
			now=${now%% *}
			total[$watcher]=$((total[$watcher] + now))
			((now <= highest[$watcher])) || highest[$watcher]=$now
		done
		sleep 1
	done
	for watcher in "${watchers[@]}"; do
		awk -v name="${called[$watcher]}" -v seconds="$1" -v highest="${highest[$watcher]}" -v sum="${total[$watcher]}" \
			-v used=$(($(microseconds "$watcher") - before[$watcher])) \
			-v ours="${total[claw]}" -v first="${first_used:-}" 'BEGIN {
				if (first == "") first = used
				printf "at rest: %-24s%8.1f MiB resident, %6.1f at most, %6.2f x; %7.3f %% of a core, %6.2f x\n",
					name, sum / seconds / 1024, highest / 1024, sum / ours, used / seconds / 1e4, used / first
			}'
		echo "         at most: ${who[$watcher]}"
		: "${first_used:=$(($(microseconds claw) - before[claw]))}"
	done
}

rm -rf "$work"
mkdir -m 755 "$work"
trap 'systemctl stop "bench-*" 2>/dev/null || :; kill "$stamper" 2>/dev/null || :; rm -rf "$work"' EXIT
gateway RestartSec=50ms
start_claw
for other in monit node; do
	if "start_$other"; then
		watchers+=("$other")
	else
		say "no $other that runs here: it is left out"
	fi
done
until grep -q '"heartbeat"' "$work/stamped"; do sleep 0.1; done
sleep 2

from_a_kill_to_its_record "$1"
how_soon_it_is_noticed
gateway RestartSec=5
/opt/bind/claw-heal --user dev --format json reset "user/$unit" >/dev/null
# What just started is looked at more often.
sleep 100
at_rest "$2"
