# shellcheck shell=sh disable=SC2154 # deploy sets what this uses
# box.sh - whose gateway it is, and how its services are commanded

status=0

# Something is not well, and why.
warn() {
	say "$1"
	[ "$status" -eq 2 ] || status=1
}

# Something could not be done, and why; the rest goes on.
failed() {
	say "$1"
	status=2
}

is_root() {
	[ "$(id -u)" -eq 0 ]
}

# Reads the options that all verbs have; what is left is in $arguments, a word a line.
options() {
	user=
	arguments=
	while [ $# -gt 0 ]; do
		case $1 in
		--user)
			[ "${2:-}" ] || complain "$verb: --user takes a name"
			user=$2
			shift
			;;
		--user=*)
			user=${1#*=}
			[ "$user" ] || complain "$verb: --user takes a name"
			;;
		-h | --help)
			usage
			exit
			;;
		*) arguments="$arguments$1
" ;;
		esac
		shift
	done
}

# Sets $owner, $uid, $gid and $home: whose gateway it is; and the names of the units.
find_owner() {
	health=$(tool claw-health)
	found=$("$health" --whose ${user:+--user "$user"}) || exit 2
	read -r owner uid gid home <<OWNER
$found
OWNER
	is_root || [ "$(id -u)" -eq "$uid" ] ||
		complain "cannot act for '$owner': only root acts for another user: sudo $self $verb --user $owner"
	find_units
}

find_units() {
	gateway=$(setting CLAW_GATEWAY_UNIT openclaw-gateway.service)
	monitor=$(setting CLAW_MONITOR_UNIT openclaw-agent-monitor.service)
	for name in "$gateway" "$monitor"; do
		case $name in
		*[!A-Za-z0-9:_.@-]* | .* | -* | @*) complain "'$name' is no name of a service" ;;
		?*.service) ;;
		*) complain "'$name' is no name of a service: it does not end in .service" ;;
		esac
	done
}

# A setting: from the environment, or from the files of settings, which a shell can source. By then
# claw-health has refused those that somebody else could have written.
setting() { # NAME DEFAULT
	(
		eval "value=\${$1:-}"
		for file in "${XDG_CONFIG_HOME:-$home/.config}/claw/claw.env" /etc/claw/claw.env; do
			if [ "$value" ] || [ ! -r "$file" ]; then continue; fi
			# Root heeds no file in a home.
			case $file in
			/etc/claw/*) ;;
			*) ! is_root || continue ;;
			esac
			# shellcheck source=/dev/null # a file of the box
			. "$file"
			eval "value=\${$1:-}"
		done
		printf '%s\n' "${value:-$2}"
	)
}

need_systemd() {
	[ -d /run/systemd/system ] || complain \
		"systemd does not run here (process 1 is '$(cat /proc/1/comm 2>/dev/null)'), so there are no services"
}

# Runs a command with the rights of the gateway's owner, who finds its manager.
as_owner() {
	if [ "$(id -u)" -eq "$uid" ]; then
		env XDG_RUNTIME_DIR="/run/user/$uid" "$@"
	else
		setpriv --reuid "$uid" --regid "$gid" --init-groups \
			env -u DBUS_SESSION_BUS_ADDRESS HOME="$home" USER="$owner" LOGNAME="$owner" \
			XDG_RUNTIME_DIR="/run/user/$uid" "$@"
	fi
}

# systemctl to the manager of a service: the box's for the monitor, the owner's for the gateway.
control() {
	case $1 in
	monitor)
		shift
		systemctl --no-ask-password "$@"
		;;
	gateway)
		shift
		as_owner systemctl --user "$@"
		;;
	esac
}

unit() {
	case $1 in
	monitor) printf '%s\n' "$monitor" ;;
	gateway) printf '%s\n' "$gateway" ;;
	esac
}

property() { # SERVICE NAME
	control "$1" show --property="$2" --value "$(unit "$1")" 2>/dev/null || :
}

# Does the owner's manager run? Asking the box's does not start it.
user_manager_runs() {
	systemctl is-active --quiet "user@$uid.service"
}

# Can this service be commanded by this caller? Says why not.
is_within_reach() {
	case $1 in
	gateway)
		user_manager_runs && return
		failed "cannot $verb the gateway: the user manager of $owner does not run (no linger, nobody logged in): $(rooted "$(tool claw-linger-setup) --apply --user $owner")"
		return 1
		;;
	monitor)
		is_root && return
		failed "cannot $verb the monitor: it is a service of the system: sudo $self $verb monitor"
		return 1
		;;
	esac
}

# How a service's manager is commanded by the reader.
typed() { # SERVICE
	if [ "$1" = monitor ]; then
		rooted systemctl
	elif [ "$(id -u)" -eq "$uid" ]; then
		printf 'systemctl --user'
	else
		rooted "systemctl --user -M $owner@"
	fi
}

# A command as its reader types it.
rooted() {
	if is_root; then printf '%s' "$1"; else printf 'sudo %s' "$1"; fi
}

# Runs a command that may take minutes, and says on standard error that it is still at it. Where it fails, $why is
# the first line that it said.
with_progress() { # WORDS CMD...
	words=$1
	shift
	errors=$(mktemp) || complain 'cannot make a temporary file'
	"$@" 2>"$errors" &
	job=$!
	ticks=0
	while kill -0 "$job" 2>/dev/null; do
		sleep 0.2
		ticks=$((ticks + 1))
		if [ -t 2 ] && [ $((ticks % 5)) -eq 0 ]; then
			printf '\rdeploy: %s: %s s ' "$words" $((ticks / 5)) >&2
		elif [ ! -t 2 ] && [ $((ticks % 50)) -eq 0 ]; then
			say "$words: $((ticks / 5)) s"
		fi
	done
	[ ! -t 2 ] || [ "$ticks" -lt 5 ] || printf '\r\033[K' >&2
	if wait "$job"; then ended=0; else ended=$?; fi
	why=$(head -n 1 "$errors")
	rm -f "$errors"
	return "$ended"
}

# Runs a command that must succeed, and says why it did not in one line.
asked() { # WORDS CMD...
	words=$1
	shift
	why=$("$@" 2>&1) && return
	failed "$words: $(printf '%s\n' "$why" | tail -n 1)"
	return 1
}

# Sets $services to those that are named, or both, in the order in which they start.
find_services() {
	services=
	for name in $arguments; do
		case $name in
		gateway | monitor) ;;
		*) complain "$verb: there is no service '$name': it is gateway or monitor" ;;
		esac
	done
	for name in gateway monitor; do
		case " $(printf '%s' "$arguments" | tr '\n' ' ') " in
		*" $name "*) services="$services $name" ;;
		'  ')
			# Who installed without root's rights has no monitor.
			[ "$name" = gateway ] || is_root || [ "$(property monitor LoadState)" != not-found ] || continue
			services="$services $name"
			;;
		esac
	done
}

# Is the service there? Says what is wrong where it is not.
is_there() {
	case $(property "$1" LoadState) in
	loaded) return 0 ;;
	masked) failed "cannot $verb the $1: it is masked: $(typed "$1") unmask $(unit "$1")" ;;
	not-found)
		case $1 in
		gateway) failed "cannot $verb the gateway: $owner has no $gateway: $(rooted "$self install --user $owner") says how to get it" ;;
		monitor) failed "cannot $verb the monitor: there is no $monitor: $(rooted "$self install --user $owner")" ;;
		esac
		;;
	*) failed "cannot $verb the $1: systemd cannot load $(unit "$1"): systemd-analyze verify" ;;
	esac
	return 1
}

# Waits until the gateway answers, or does not get there; says which.
wait_until_up() {
	limit_seconds=150
	seconds=0
	while :; do
		found=$("$health" --user "$owner" --format json gateway 2>/dev/null) || :
		case $found in
		*'"state":"starting"'* | *'"state":"dead"'* | '') ;;
		*) break ;;
		esac
		[ "$(property gateway ActiveState)" != failed ] || break
		restarts=$(property gateway NRestarts)
		[ "${restarts:-0}" -lt 2 ] || break
		[ "$seconds" -lt "$limit_seconds" ] || break
		[ ! -t 2 ] || printf '\rdeploy: the gateway is starting: %s s ' "$seconds" >&2
		[ -t 2 ] || [ $(((seconds + 1) % 15)) -ne 0 ] || say "the gateway is starting: $((seconds + 1)) s"
		sleep 1
		seconds=$((seconds + 1))
	done
	[ ! -t 2 ] || [ "$seconds" -eq 0 ] || printf '\r\033[K' >&2
	case $found in
	*'"state":"ready"'*) printf 'the gateway is ready\n' ;;
	*)
		[ "$status" -eq 2 ] || status=1
		"$health" --user "$owner" --format human "unit:user/$gateway" gateway || :
		;;
	esac
}
