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
	command -v journalctl >/dev/null || complain 'cannot read the journal: there is no journalctl on PATH'
	find_owner
	can_read_both
	if [ ! "$follow" ]; then
		said=$(last | in_order | shown)
		[ "$said" ] || complain "the journal has no lines of $gateway of $owner, nor of $monitor"
		printf '%s\n' "$said"
		exit "$status"
	fi
	# What comes from a second ago on is followed; what was before is put in order first.
	from=$(($(date +%s) - 1))
	last --until="@$from" | in_order | shown
	pipes=$(mktemp -d) || complain 'cannot make a temporary folder'
	mkfifo "$pipes/gateway" "$pipes/monitor"
	followers=
	# timeout signals twice: the second time must not cut the waiting short.
	trap 'trap "" INT TERM HUP; kill $followers 2>/dev/null; wait; rm -rf "$pipes"' EXIT
	trap exit INT TERM HUP
	for service in gateway monitor; do
		entries "$service" --follow --no-tail --since="@$from" >"$pipes/$service" &
		followers="$followers $!"
		labelled "$service" <"$pipes/$service" | shown &
	done
	wait
}

# Without the right to read the journal of the system, journalctl shows nothing and says all is well.
can_read_both() {
	is_root && return
	journalctl --system -q -n 1 2>/dev/null | grep -q . ||
		failed "cannot read the monitor's journal as $owner: sudo $self logs, or join the group systemd-journal"
}

# The last lines of both, each with its stamp and its service.
last() { # OPTION...
	for service in gateway monitor; do
		entries "$service" --lines="$lines" "$@" | labelled "$service"
	done
}

# What the journal has of a service: of itself, and of its manager. Takes the place of a shell.
entries() { # SERVICE OPTION...
	service=$1
	shift
	case $service in
	gateway) set -- "$@" "_UID=$uid" "_SYSTEMD_USER_UNIT=$gateway" + "_UID=$uid" "USER_UNIT=$gateway" ;;
	monitor) set -- "$@" "_SYSTEMD_UNIT=$monitor" + _PID=1 "UNIT=$monitor" ;;
	esac
	exec journalctl --quiet --no-pager --utc --output=short-iso-precise "$@"
}

# Each line as `STAMP SERVICE LINE`; one that belongs to the line before it, which is set in, gets its stamp.
labelled() { # SERVICE
	sed -u "
		/^[0-9]/ {
			h
			s/ .*//
			x
			s/^\([^ ]*\) [^ ]* /\1 $1 /
			b
		}
		G
		s/^\(.*\)\n\(.*\)/\2 $1 \1/"
}

# By their stamps; lines of one stamp stay as they were.
in_order() {
	sort --stable --key=1,1
}

# Seconds are enough for people.
shown() {
	sed -u 's/^\([^ ]*T[0-9:]*\)[.,][0-9]*[^ ]* /\1Z /'
}
