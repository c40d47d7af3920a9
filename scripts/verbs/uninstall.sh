# shellcheck shell=sh disable=SC2154,SC2034 # box.sh and ledger.sh set what this uses, and use what this sets
# uninstall.sh - take out what install put in

# shellcheck source=/dev/null # it is checked by itself
. "$here/verbs/ledger.sh"

uninstall() {
	options "$@"
	dry_run=
	purge=
	for argument in $arguments; do
		case $argument in
		--purge) purge=yes ;;
		--dry-run) dry_run=yes ;;
		*) complain "uninstall takes --purge, --dry-run and --user NAME, not '$argument'" ;;
		esac
	done
	is_root || find_owner
	find_ledger
	take_up_ledger
	find_owner_of_ledger
	if [ ! -f "$ledger" ] && [ ! "$purge" ]; then
		printf 'nothing is installed\n'
		exit
	fi
	[ ! -f "$ledger" ] || take_all_out
	[ ! "$purge" ] || purge_folders
	tell "${dry_run:+nothing was changed; }steps: $changes"
	exit "$status"
}

# An install that was cut off as it began has left no more than this.
take_up_ledger() {
	if [ "$dry_run" ] || [ -f "$ledger" ] || [ ! -w "$state" ]; then return; fi
	if [ -f "$ledger.claw-new" ]; then
		mv -f -- "$ledger.claw-new" "$ledger"
	else
		rmdir -- "$state" 2>/dev/null || :
	fi
}

# For whom it is installed, who may be no more.
find_owner_of_ledger() {
	named=$([ ! -f "$ledger" ] || sed -n 's/^owner //p' "$ledger")
	if [ "$user" ] && [ "$named" ] && [ "$user" != "$named" ]; then
		complain "cannot uninstall for '$user': it is installed for '$named'"
	fi
	: "${user:=$named}"
	is_gone=
	if [ "$named" ] && ! getent passwd "$named" >/dev/null; then
		is_gone=yes
		owner=$named home=/nonexistent
		find_units
	elif is_root || [ "$owner" != "${user:-$owner}" ]; then
		find_owner
	fi
}

take_all_out() {
	[ -w "$ledger" ] || complain "cannot write '$ledger': it is read-only, or the right is missing"
	if [ -d /run/systemd/system ]; then
		if is_listed 'enabled monitor' && [ "$(property monitor LoadState)" != not-found ]; then
			run_control monitor --quiet disable --now "$monitor"
		fi
		if [ ! "$is_gone" ] && is_listed 'enabled gateway' && user_manager_runs; then
			step "run systemctl --user disable $gateway" control gateway --quiet disable "$gateway" || :
		fi
	fi
	if [ "$is_gone" ]; then
		say "$owner is no more: what was in that home is left alone"
		step "remove the linger of $owner" rm -f -- "/var/lib/systemd/linger/$owner" "$state/linger-setup/$owner.json"
		take_out folder "$state/linger-setup"
	else
		take_limits_out
		take_linger_out
	fi
	take_spool_out
	lines=$(sed '1!G;h;$!d' "$ledger")
	take_lines_out
	if is_root && [ -d /run/systemd/system ]; then run_control monitor daemon-reload; fi
	step "remove $state/health, $state/heal and $ledger" rm -rf -- "$state/health" "$state/heal" "$ledger"
	take_out folder "$state"
	# Those above it are empty only now.
	take_lines_out
}

# What was not told yet goes with --purge alone.
take_spool_out() {
	[ -d "$state/notify" ] && [ ! "$purge" ] || return 0
	if "$(tool claw-notify)" --state "$state" queue >/dev/null 2>&1; then
		step "remove $state/notify" rm -rf -- "$state/notify"
	else
		warn "what was not told is kept in $state/notify: claw-notify flush tells it; uninstall --purge removes it"
	fi
}

take_linger_out() {
	linger_setup=$(sed -n 's/^file \(.*\/bin\/claw-linger-setup\)$/\1/p' "$ledger")
	# One that was cut off early has not put it there.
	[ -x "$linger_setup" ] || linger_setup=$(tool claw-linger-setup)
	[ ! -e "$state/linger-setup/$owner.json" ] ||
		say "linger of $owner goes, as install turned it on: without a log-in of theirs the gateway ends"
	step "run claw-linger-setup --remove --user $owner" "$linger_setup" --remove --user "$owner" --format human ||
		failed "cannot undo what claw-linger-setup did"
}

# The gateway goes on without its limits. This comes before linger goes, and its manager with it.
take_limits_out() {
	drop_in=$(sed -n 's/^own //p' "$ledger")
	if [ "$drop_in" ] && as_owner test -e "$drop_in"; then
		take_out own "$drop_in"
		if user_manager_runs; then
			run_control gateway daemon-reload
			[ "$(property gateway ActiveState)" != active ] || limit_gateway infinity ''
		fi
	fi
}

take_lines_out() {
	while read -r kind path; do
		case $is_gone$kind in
		yesown*) continue ;;
		esac
		take_out "$kind" "$path"
	done <<LINES
$lines
LINES
}

# Settings and what the tools keep; never a backup or a log of the workspace.
purge_folders() {
	for folder in "$state" "$(dirname -- "$settings")"; do
		[ ! -d "$folder" ] || step "remove $folder" rm -rf -- "$folder"
	done
}
