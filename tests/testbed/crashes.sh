#!/bin/bash
# crashes.sh: units of user dev that end in every way there is, for tests of what is told of it. Inside a host, as dev:
#
#   crashes.sh set-up     write the units, and start the gateway
#   crashes.sh KIND...    let each happen, and wait until that unit is up again or down for good; prints what has
#                         to be told, a line each: SUBJECT INVOCATION CAUSE
#   crashes.sh kinds      the kinds, one a line; those that are no crash begin with "no-"
set -euo pipefail
gateway=openclaw-gateway.service
stability=~/.openclaw/logs/stability
fifo=~/.openclaw/crash.fifo

kinds() {
	printf '%s\n' exit signal segv abort oom exception rejection stack preload heap config flood dog limit pre \
		no-restart no-exit no-term no-stop
}

set_up() {
	local units=~/.config/systemd/user
	mkdir -p "$units" "$stability"
	chmod 700 ~/.openclaw
	[[ -p $fifo ]] || mkfifo "$fifo"
	cat >"$units/$gateway" <<UNIT
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=bash /opt/testbed/crashes.sh gateway
Restart=always
RestartSec=50ms
SuccessExitStatus=0 143
KillMode=mixed
TimeoutStopSec=5
LimitCORE=0
MemoryMax=64M
MemorySwapMax=0
UNIT
	printf '[Service]\nExecStart=sleep infinity\nWatchdogSec=200ms\nLimitCORE=0\n' >"$units/dog.service"
	printf '[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=60\n[Service]\nExecStart=bash -c "exit 5"\nRestart=always\nRestartSec=50ms\n' \
		>"$units/limit.service"
	printf '[Service]\nExecStartPre=false\nExecStart=true\n' >"$units/pre.service"
	systemctl --user daemon-reload
	systemctl --user start "$gateway"
}

has_limits() {
	[[ $(systemd-detect-virt) == uml ]]
}

bundle() { # REASON NAME: what OpenClaw writes
	local file
	file=openclaw-stability-$(date -u +%Y-%m-%dT%H-%M-%S-%3NZ)-$$-$1.json
	printf '{"version":1,"reason":"%s","error":{"name":"%s","message":"bundled","stack":"%s: bundled\\n    at run (/home/dev/agent.js:1:2)"}}\n' \
		"$1" "$2" "$2" >"$stability/$file"
}

say() {
	printf '%s\n' "$@" >&2
}

gateway() {
	local kind
	# Asked to end in order, it ends with an error: nobody crashed.
	trap 'exit 1' USR1
	echo "ready, token=0123456789abcdef0123456789abcdef0123456789abcdef"
	while read -r kind <"$fifo"; do
		case $kind in
		exit) exit 3 ;;
		signal) kill -KILL $$ ;;
		segv) kill -SEGV $$ ;;
		abort) kill -ABRT $$ ;;
		exception)
			bundle uncaught_exception TypeError
			say '[openclaw] OpenClaw hit an unexpected runtime error.' '[openclaw] Reason: bundled'
			exit 1
			;;
		rejection)
			bundle unhandled_rejection Error
			say '[openclaw] Unhandled promise rejection: Error: bundled'
			exit 1
			;;
		stack)
			say /home/dev/a.js:1 'throw new RangeError("far")' ' ^' '' 'RangeError: far' \
				'    at run (/home/dev/a.js:1:7)' '' 'Node.js v26.10.0'
			exit 1
			;;
		preload)
			say "claw-preload: {\"origin\":\"unhandledRejection\",\"pid\":$$,\"name\":\"Error\",\"message\":\"told\"}"
			exit 1
			;;
		heap)
			say 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'
			kill -ABRT $$
			;;
		oom) head -c 200M /dev/zero | tail ;;
		config) exit 78 ;;
		flood)
			# Not so much that the journal takes in no more.
			head -c 50000 /dev/zero | tr '\0' x | fold -w 100
			exit 4
			;;
		no-exit) exit 0 ;;
		no-term) kill -TERM $$ ;;
		esac
	done
}

show() { # PROPERTY UNIT
	systemctl --user show -P "$1" "$2"
}

within() {
	for _ in {1..300}; do
		! "$@" || return 0
		sleep 0.05
	done
	echo "crashes.sh: not within 15 s: $*" >&2
	exit 1
}

is_anew() { # INVOCATION
	[[ $(show ActiveState $gateway) == active && $(show InvocationID $gateway) != "$1" ]]
}

is_failed() { # UNIT
	[[ $(show ActiveState "$1") == failed ]]
}

told() { # UNIT INVOCATION CAUSE
	echo "unit:user/$1 $2 $3"
}

happen() { # KIND
	local invocation
	invocation=$(show InvocationID $gateway)
	case $1 in
	dog | limit | pre)
		systemctl --user reset-failed "$1" 2>/dev/null || :
		systemctl --user start "$1" 2>/dev/null || :
		within is_failed "$1.service"
		invocation=$(show InvocationID "$1.service")
		;;
	no-restart) systemctl --user restart $gateway ;;
	no-stop)
		# It is killed for not ending in time, and nobody crashed.
		systemctl --user kill -s STOP --kill-whom=main $gateway
		systemctl --user stop $gateway
		systemctl --user reset-failed $gateway 2>/dev/null || :
		systemctl --user start $gateway
		;;
	oom)
		if has_limits; then
			echo oom >"$fifo"
			within is_anew "$invocation"
			told $gateway "$invocation" oom
			return
		fi
		# A container has no memory limit: what the manager would note is noted for it.
		printf '%s\n' MESSAGE_ID=fe6faa94e7774663a0da52717891d8ef "MESSAGE=$gateway: oom" "USER_UNIT=$gateway" \
			"USER_INVOCATION_ID=$invocation" | logger --journald
		echo signal >"$fifo"
		;;
	*) echo "$1" >"$fifo" ;;
	esac
	case $1 in
	dog) told dog.service "$invocation" watchdog ;;
	pre) told pre.service "$invocation" exit ;;
	limit)
		told limit.service "$invocation" exit
		told limit.service "$invocation" start-limit
		;;
	exit | config | flood) told $gateway "$invocation" exit ;;
	signal | segv | abort) told $gateway "$invocation" signal ;;
	oom | heap) told $gateway "$invocation" oom ;;
	exception | stack) told $gateway "$invocation" uncaught-exception ;;
	rejection | preload) told $gateway "$invocation" unhandled-rejection ;;
	esac
	case $1 in
	dog | limit | pre) ;;
	*) within is_anew "$invocation" ;;
	esac
}

case ${1:-} in
set-up) set_up ;;
gateway) gateway ;;
kinds) kinds ;;
*) for kind in "$@"; do happen "$kind"; done ;;
esac
