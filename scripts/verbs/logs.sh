# shellcheck shell=sh disable=SC2154 # box.sh sets what this uses
# logs.sh - the last lines of both services, each from its own journal, in the order of time

logs() {
	options "$@"
	lines=50
	follow=
	# shellcheck disable=SC2086 # options hold no spaces
	set -- $arguments
	while [ $# -gt 0 ]; do
		case $1 in
		-n | --lines)
			[ $# -gt 1 ] || complain "logs: $1 takes a number"
			lines=$2
			shift
			;;
		-n*) lines=${1#-n} ;;
		--lines=*) lines=${1#*=} ;;
		-f | --follow) follow=yes ;;
		*) complain "logs takes -n LINES, -f and --user NAME, not '$1'" ;;
		esac
		shift
	done
	case $lines in
	'' | *[!0-9]*) complain "logs: '$lines' is no number of lines" ;;
	esac
	need_systemd
	find_owner
	can_read_both
	if [ ! "$follow" ]; then
		{ journal gateway -n "$lines" && journal monitor -n "$lines"; } | in_order
		exit "$status"
	fi
	# What comes from a second ago on is followed; what was before is put in order first.
	from=$(($(date +%s) - 1))
	{ journal gateway -n "$lines" --until="@$from" && journal monitor -n "$lines" --until="@$from"; } | in_order
	journal gateway --follow --no-tail --since="@$from" | shown &
	journal monitor --follow --no-tail --since="@$from" | shown &
	# shellcheck disable=SC2046 # numbers
	trap 'kill $(jobs -p) 2>/dev/null' EXIT
	trap exit INT TERM HUP
	wait
}

# Without the right to read the journal of the system, journalctl shows nothing and says all is well.
can_read_both() {
	is_root && return
	journalctl --system -q -n 1 2>/dev/null | grep -q . ||
		failed "cannot read the monitor's journal as $owner: sudo deploy logs, or join the group systemd-journal"
}

# The lines of a service, each as `STAMP SOURCE LINE`, and what belongs to a line behind the same two.
journal() { # SERVICE OPTION...
	service=$1
	shift
	case $service in
	gateway) set -- "$@" "_UID=$uid" "_SYSTEMD_USER_UNIT=$gateway" + "_UID=$uid" "USER_UNIT=$gateway" ;;
	monitor) set -- "$@" "_SYSTEMD_UNIT=$monitor" + _PID=1 "UNIT=$monitor" ;;
	esac
	# What belongs to the line before it is set in; it gets that line's stamp.
	journalctl --quiet --no-pager --utc --output=short-iso-precise "$@" | sed -u "
		/^[0-9]/ {
			h
			s/ .*//
			x
			s/^\([^ ]*\) [^ ]* /\1 $service /
			b
		}
		G
		s/^\(.*\)\n\(.*\)/\2 $service \1/"
}

# By their stamps; lines of one stamp stay as they were.
in_order() {
	sort --stable --key=1,1 | shown
}

# Seconds are enough for people.
shown() {
	sed -u 's/^\([^ ]*T[0-9:]*\)[.,][0-9]*[^ ]* /\1Z /'
}
