# start-agent-monitor.sh - call a function of this shell every 30 seconds, and tell when it fails
# shellcheck shell=sh
#
# To be sourced by bash, dash, busybox sh or zsh:
#
#   . start-agent-monitor.sh
#   is_well() { curl -fsS --max-time 5 http://127.0.0.1:3000/health >/dev/null; }
#   startAgentMonitor bot is_well >>bot.jsonl
#   stopAgentMonitor bot
#
# The function is called in the background of this shell, each time in a shell of its own, and no longer than this
# one lives. When it has failed so many times in a row, and when it is well again, claw-health writes a record to the
# standard output that startAgentMonitor was given; what the function itself writes goes to standard error. An agent
# that systemd is to restart is better run with 'claw-health agent NAME --check COMMAND -- COMMAND'.
#
# Settings, read when a monitor is started:
#   CLAW_AGENT_INTERVAL   seconds from the start of one call to that of the next (30)
#   CLAW_AGENT_TIMEOUT    seconds after which a call is killed, with all that it started, and has failed (10)
#   CLAW_AGENT_FAILURES   failures in a row that are told (3)

# The monitors of this shell: NAME:PROCESS, each followed by a space.
claw_agent_monitors=${claw_agent_monitors:-}

startAgentMonitor() {
	[ -z "${ZSH_VERSION:-}" ] || emulate -L sh
	if [ $# -ne 2 ]; then
		echo 'startAgentMonitor: usage: startAgentMonitor NAME FUNCTION' >&2
		return 2
	fi
	case $1 in
	'' | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*)
		echo "startAgentMonitor: cannot monitor '$1': a name has letters, digits, '-', '_' and '.'" >&2
		return 2
		;;
	esac
	for claw_agent_number in "${CLAW_AGENT_INTERVAL:-30}" "${CLAW_AGENT_TIMEOUT:-10}" "${CLAW_AGENT_FAILURES:-3}"; do
		case $claw_agent_number in
		'' | 0* | *[!0-9]* | ???????*)
			echo "startAgentMonitor: cannot monitor '$1': not a whole number above 0 and below a million: $claw_agent_number" >&2
			return 2
			;;
		esac
	done
	if ! command -v "$2" >/dev/null; then
		echo "startAgentMonitor: cannot monitor '$1': there is no function '$2'" >&2
		return 2
	fi
	if ! command -v claw-health >/dev/null; then
		echo "startAgentMonitor: cannot monitor '$1': claw-health is not on PATH" >&2
		return 2
	fi
	if claw_agent_of "$1" && kill -0 "$claw_agent_process" 2>/dev/null; then
		echo "startAgentMonitor: cannot monitor '$1': it is monitored already" >&2
		return 1
	fi
	claw_agent_forget "$1"
	claw_agent_loop "$1" "$2" </dev/null &
	claw_agent_monitors="$claw_agent_monitors$1:$! "
}

stopAgentMonitor() {
	[ -z "${ZSH_VERSION:-}" ] || emulate -L sh
	if [ $# -ne 1 ] || ! claw_agent_of "$1"; then
		echo "stopAgentMonitor: cannot stop '${1:-}': it is not monitored by this shell" >&2
		return 1
	fi
	claw_agent_forget "$1"
	kill "$claw_agent_process" 2>/dev/null
	wait "$claw_agent_process" 2>/dev/null
	return 0
}

# Sets claw_agent_process to that of the monitor of that name; fails where there is none.
claw_agent_of() {
	case " $claw_agent_monitors" in
	*" $1:"*) ;;
	*) return 1 ;;
	esac
	claw_agent_process=" $claw_agent_monitors"
	claw_agent_process=${claw_agent_process##*" $1:"}
	claw_agent_process=${claw_agent_process%% *}
}

claw_agent_forget() {
	claw_agent_of "$1" || return 0
	claw_agent_monitors=" $claw_agent_monitors"
	claw_agent_monitors="${claw_agent_monitors%%" $1:"*} ${claw_agent_monitors#*" $1:$claw_agent_process "}"
	claw_agent_monitors=${claw_agent_monitors# }
}

# The state and the start of a process, which tell it from a later one of the same number.
claw_agent_life() {
	claw_agent_stat=
	{ read -r claw_agent_stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	# The name stands in parentheses, and may hold anything.
	claw_agent_stat=${claw_agent_stat##*) }
	case $claw_agent_stat in Z* | X* | '') return 1 ;; esac
	# shellcheck disable=SC2086 # words
	set -- $claw_agent_stat
	shift 19
	claw_agent_began=$1
}

# Does the shell live that this is a monitor of?
claw_agent_is_wanted() {
	claw_agent_life "$$" && [ "$claw_agent_began" = "$claw_agent_shell_began" ]
}

# Ends a process and all that it started, each stopped first so that it starts nothing more.
claw_agent_end() {
	kill -STOP "$1" 2>/dev/null || return 0
	claw_agent_children=
	{ read -r claw_agent_children <"/proc/$1/task/$1/children"; } 2>/dev/null
	# shellcheck disable=SC2086 # words, of which the calls below make others
	set -- "$1" $claw_agent_children
	while [ $# -gt 1 ]; do
		claw_agent_end "$2"
		claw_agent_first=$1
		shift 2
		set -- "$claw_agent_first" "$@"
	done
	kill -KILL "$1" 2>/dev/null
}

# Calls the function once; its status, or 124 where its time was up.
claw_agent_call() {
	("$1") >&2 &
	claw_agent_called=$!
	claw_agent_left=$((claw_agent_timeout * 10))
	while claw_agent_life "$claw_agent_called"; do
		if [ "$claw_agent_left" -le 0 ] || ! claw_agent_is_wanted; then
			claw_agent_end "$claw_agent_called"
			wait "$claw_agent_called" 2>/dev/null
			return 124
		fi
		claw_agent_left=$((claw_agent_left - 1))
		sleep 0.1
	done
	wait "$claw_agent_called"
}

claw_agent_loop() {
	[ -z "${ZSH_VERSION:-}" ] || emulate -L sh
	set +eu
	claw_agent_called=
	trap '[ -z "$claw_agent_called" ] || claw_agent_end "$claw_agent_called"; exit 0' TERM INT HUP
	claw_agent_interval=${CLAW_AGENT_INTERVAL:-30}
	claw_agent_timeout=${CLAW_AGENT_TIMEOUT:-10}
	claw_agent_most=${CLAW_AGENT_FAILURES:-3}
	claw_agent_failures=0
	claw_agent_life "$$" || exit 1
	claw_agent_shell_began=$claw_agent_began
	while claw_agent_is_wanted; do
		claw_agent_next=$(($(date +%s) + claw_agent_interval))
		claw_agent_call "$2"
		claw_agent_status=$?
		claw_agent_called=
		claw_agent_is_wanted || exit 0
		if [ "$claw_agent_status" -eq 0 ]; then
			[ "$claw_agent_failures" -lt "$claw_agent_most" ] ||
				claw-health agent "$1" --report pass --words "well again, after $claw_agent_failures failures in a row"
			claw_agent_failures=0
		else
			claw_agent_failures=$((claw_agent_failures + 1))
			claw_agent_words="status $claw_agent_status"
			[ "$claw_agent_status" -ne 124 ] || claw_agent_words="no end within $claw_agent_timeout s"
			[ "$claw_agent_failures" -ne "$claw_agent_most" ] ||
				claw-health agent "$1" --report fail \
					--words "its check failed, in a row: $claw_agent_failures; the last: $claw_agent_words"
		fi
		# A clock that is set meanwhile makes no rest longer than the interval.
		claw_agent_rest=$((claw_agent_next - $(date +%s)))
		[ "$claw_agent_rest" -le "$claw_agent_interval" ] || claw_agent_rest=$claw_agent_interval
		while [ "$claw_agent_rest" -gt 0 ] && claw_agent_is_wanted; do
			claw_agent_rest=$((claw_agent_rest - 1))
			sleep 1
		done
	done
}
