#!/bin/bash
# pipe.sh: a storm over the monitor: its tools are killed while a gateway crashes and hangs. Inside a host with the
# unit of gateway.sh and the project in /opt/claw, as root:
#
#   pipe.sh set-up           the gateway, which systemd starts anew at once; fragile.service, which only claw-heal
#                            starts; and the monitor's unit
#   pipe.sh storm KILLS SEED kills each tool so often in random order, with crashes in between; prints a line for each:
#                              killed TOOL SECONDS            it was back after so long
#                              crashed SUBJECT INVOCATION CAUSE
#                              hung SUBJECT INVOCATION
#   pipe.sh starts           when fragile.service was started, each time, in seconds; the first one was by set-up
set -euo pipefail
gateway=openclaw-gateway.service
units=/home/dev/.config/systemd/user
monitor=openclaw-agent-monitor.service
tools=(claw-health claw-heal)

as_dev() {
	runuser -u dev -- env XDG_RUNTIME_DIR=/run/user/1000 "$@"
}

set_up() {
	as_dev mkdir -p $units/$gateway.d
	printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=100ms\nLimitCORE=0\n' |
		as_dev tee $units/$gateway.d/storm.conf >/dev/null
	printf '[Service]\nExecStart=/bin/sleep infinity\n' | as_dev tee $units/fragile.service >/dev/null
	as_dev systemctl --user daemon-reload
	as_dev systemctl --user start $gateway fragile
	# What it gave up it tries again as soon as its budget lets it.
	TARGETS='gateway unit unit:user/fragile.service' bash /opt/testbed/monitor.sh start \
		'[Unit]' StartLimitIntervalSec=0 '[Service]' RestartSec=500ms \
		'Environment=CLAW_USER=dev CLAW_HEAL_UNITS=user/fragile.service CLAW_HEAL_COOL_DOWN=30s'
}

within() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.05
	done
}

below() { # N
	echo $((RANDOM % $1))
}

pid_of() { # TOOL: of the pipe that runs now; 0 where it does not
	local main
	main=$(systemctl show -P MainPID $monitor)
	case $1 in
	claw-health) [[ $main != 0 && $(cat "/proc/$main/comm" 2>/dev/null) == "$1" ]] && echo "$main" || echo 0 ;;
	*) pgrep -P "$main" -x "$1" || echo 0 ;;
	esac
}

whole() { # waits until it is
	within 30 is_whole || {
		echo "pipe.sh: the pipe does not run" >&2
		systemctl status --no-pager --lines=30 $monitor >&2 || :
		exit 1
	}
}

is_whole() { # but for the process that was killed
	local tool pid
	for tool in "${tools[@]}"; do
		pid=$(pid_of "$tool")
		[[ $pid != 0 && $pid != "${1:-}" ]] || return 1
	done
}

strike() { # TOOL
	local pid began
	whole
	pid=$(pid_of "$1")
	began=$(date +%s)
	kill -KILL "$pid"
	# claw-heal may bring to an end what it has begun; the watchdog ends it after a minute.
	within 90 is_whole "$pid" || {
		echo "pipe.sh: the pipe did not come back after a kill of $1" >&2
		exit 1
	}
	echo "killed $1 $(($(date +%s) - began))"
}

process() { # UNIT: sets $pid and $invocation of one that runs
	local lines
	lines=$(as_dev systemctl --user show -p MainPID -p InvocationID "$1")
	pid=$(sed -n 's/^MainPID=//p' <<<"$lines")
	invocation=$(sed -n 's/^InvocationID=//p' <<<"$lines")
	[[ $pid != 0 ]]
}

answers() { # so it heeds signals by then
	{ true 3<>/dev/tcp/127.0.0.1/18789; } 2>/dev/null
}

fault() {
	local which=gateway unit=$gateway pid invocation signal cause
	(($(below 4))) || which=fragile unit=fragile.service
	case $which in
	fragile) within 1 process $unit || return 0 ;; # nobody may start it now
	*) within 15 answers && process $unit ;;
	esac
	case $which-$(below 12) in
	gateway-[0-3]) signal=USR2 cause=exit ;;
	gateway-11) signal=STOP ;;
	*-[4-6]) signal=SEGV cause=signal ;;
	*) signal=KILL cause=signal ;;
	esac
	kill -$signal "$pid" 2>/dev/null || return 0
	if [[ $signal == STOP ]]; then
		echo "hung unit:user/$unit $invocation"
		sleep $((5 + $(below 30)))
		# Somebody may have ended it meanwhile.
		kill -CONT "$pid" 2>/dev/null || :
	else
		echo "crashed unit:user/$unit $invocation $cause"
	fi
}

storm() { # KILLS SEED
	local left=() tool at
	RANDOM=$2
	for tool in "${tools[@]}"; do
		for _ in $(seq "$1"); do left+=("$tool"); done
	done
	while ((${#left[@]})); do
		for _ in $(seq "$(below 4)"); do
			sleep "0.$(below 4)"
			fault
		done
		at=$(below ${#left[@]})
		if (($(below 3))); then
			# Often it dies while it tells.
			sleep "0.0$(below 10)"
		else
			# Or what was told waits to be read.
			whole
			kill -STOP "$(pid_of claw-heal)"
			fault
			sleep "$(below 2).$(below 10)"
		fi
		strike "${left[at]}"
		left=("${left[@]:0:at}" "${left[@]:at+1}")
		case $(below 4) in
		0) ;;
		1) sleep $((4 + $(below 8))) ;;
		*) sleep "$(below 3).$(below 10)" ;;
		esac
	done
}

case ${1:-} in
set-up) set_up ;;
storm) storm "$2" "$3" ;;
starts)
	journalctl --quiet --output=short-unix _UID=1000 USER_UNIT=fragile.service \
		MESSAGE_ID=39f53479d3a045ac8e11786248231fbf | cut -d' ' -f1
	;;
*)
	sed -n '2,/^set -euo/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
