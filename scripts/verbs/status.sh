# shellcheck shell=sh disable=SC2154 # box.sh sets what this uses
# status.sh - both services, what happened to them last, and what to do next

status() {
	options "$@"
	[ -z "$arguments" ] || complain "status takes no argument but --user NAME"
	need_systemd
	find_owner
	exec "$health" --user "$owner" "unit:user/$gateway" "unit:system/$monitor" gateway linger last-crash backup
}
