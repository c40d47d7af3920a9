# shellcheck shell=sh disable=SC2154,SC2034 # box.sh and the verbs set what this uses, and use what this sets
# ledger.sh - what install put in: a line a path, written before the path is made
#
# Lines are `folder PATH`, `file PATH`, `link PATH`, `settings PATH`; `own PATH` and `own-folder PATH`, in the home of the
# gateway's owner and with the owner's rights, as root follows no link there; `owner NAME`, `prefix PATH` and `unit PATH`,
# for whom and where it is installed; and three of services: `enabled SERVICE`, which was
# not; `started SERVICE`, which a person has stopped where it is disabled now; `stale SERVICE`, whose manager does not
# yet know what was put in.

changes=0
made=

# Sets the folder of what is kept between runs, the ledger in it, and the file of settings.
find_ledger() {
	if is_root; then
		state=/var/lib/claw
		settings=/etc/claw/claw.env
	else
		state=${XDG_STATE_HOME:-$home/.local/state}/claw
		settings=${XDG_CONFIG_HOME:-$home/.config}/claw/claw.env
	fi
	ledger=$state/installed
}

is_listed() { # LINE
	[ -f "$ledger" ] && grep -qxF -e "$1" -- "$ledger"
}

list() { # LINE
	[ "$dry_run" ] || is_listed "$1" || printf '%s\n' "$1" 2>/dev/null >>"$ledger" || complain "cannot write '$ledger'"
}

forget() { # LINE
	if [ "$dry_run" ] || ! is_listed "$1"; then return; fi
	grep -vxF -e "$1" -- "$ledger" 2>/dev/null >"$ledger.claw-new" || :
	mv -f -- "$ledger.claw-new" "$ledger" || complain "cannot write '$ledger'"
}

# Begins the ledger, with the folders that this takes.
open_ledger() {
	[ ! -f "$ledger" ] || return 0
	step "make $ledger" new_ledger
}

new_ledger() {
	missing=
	folder=$(dirname -- "$state")
	while [ ! -d "$folder" ]; do
		missing="folder $folder
$missing"
		folder=$(dirname -- "$folder")
	done
	(umask 077 && mkdir -p -- "$state" && printf '%s' "$missing" >"$ledger.claw-new" && mv -f -- "$ledger.claw-new" "$ledger") ||
		complain "cannot write '$ledger'"
}

# Says a line; where it cannot be said, the work goes on, and the status tells.
tell() {
	printf '%s\n' "$1" 2>/dev/null || status=2
}

# Does something, or says in a dry run that it would.
step() { # WORDS CMD...
	changes=$((changes + 1))
	tell "${dry_run:+would }$1"
	[ -z "$dry_run" ] || return 0
	shift
	"$@"
}

# Has a service's manager do something.
try_control() { # SERVICE ARGUMENT...
	words=$([ "$1" = monitor ] || printf ' --user')
	step "run systemctl$words $(shift && printf '%s' "$*")" control "$@"
}

run_control() {
	try_control "$@" || complain 'cannot go on: systemctl failed'
}

# Has the kernel hold a gateway that runs to these limits. systemd shows those of a drop-in after a reload, and
# applies them at the next start only.
limit_gateway() { # MEMORY-MAX CPU-QUOTA
	try_control gateway set-property --runtime "$gateway" "MemoryMax=$1" "CPUQuota=$2" || return 0
	# What this left behind would win over the drop-in until the next boot.
	for name in MemoryMax CPUQuota; do
		step "remove its 50-$name.conf" as_owner rm -f "/run/user/$uid/systemd/user.control/$gateway.d/50-$name.conf"
	done
	run_control gateway daemon-reload
}

# Makes a folder and those above it that are missing.
make_folder() { # PATH MODE
	[ ! -d "$1" ] || return 0
	make_folder "$(dirname -- "$1")" 0755
	case $made in
	*"|$1|"*) return ;;
	esac
	# A dry run says it once.
	made="$made|$1|"
	step "make $1" new_folder "$1" "$2"
}

new_folder() {
	list "folder $1"
	mkdir -m "$2" -- "$1" || complain "cannot make '$1'"
}

# Puts a file, a link or a folder where it is to be, whole or not at all; settings only where there are none.
put() { # KIND MODE SOURCE TARGET
	case $1 in
	own)
		is_own "$3" "$4" || step "put $4" put_own "$3" "$4"
		return
		;;
	folder)
		make_folder "$4" "$2"
		return
		;;
	link) [ "$(readlink -- "$4")" != "$3" ] || return 0 ;;
	settings) [ ! -e "$4" ] || return 0 ;;
	file) ! cmp -s -- "$3" "$4" || [ "$(stat -c %a -- "$4")" != "${2#0}" ] || return 0 ;;
	esac
	make_folder "$(dirname -- "$4")" 0755
	step "put $4" put_anew "$@"
}

# Does a file of the owner's hold just that? Its owner may have put anything there, so time is limited.
is_own() { # SOURCE TARGET
	as_owner test -f "$2" && as_owner timeout 10 cmp -s -- - "$2" <"$1"
}

put_own() { # SOURCE TARGET
	missing=
	folder=$(dirname -- "$2")
	while ! as_owner test -d "$folder"; do
		missing="$folder
$missing"
		folder=$(dirname -- "$folder")
	done
	while read -r folder; do
		[ -z "$folder" ] || list "own-folder $folder"
	done <<MISSING
$missing
MISSING
	list 'stale gateway'
	list "own $2"
	# shellcheck disable=SC2016 # that shell is to expand it
	as_owner timeout 30 sh -c 'mkdir -p -- "$(dirname -- "$1")" && rm -f -- "$1.claw-new" && set -C && cat >"$1.claw-new" && sync -- "$1.claw-new" && mv -fT -- "$1.claw-new" "$1"' \
		deploy "$2" <"$1" || complain "cannot write '$2'"
}

put_anew() {
	list 'stale monitor'
	list "$1 $4"
	if ! write_anew "$@" || ! mv -fT -- "$4.claw-new" "$4"; then complain "cannot write '$4'"; fi
}

write_anew() {
	case $1 in
	link) ln -sfn -- "$3" "$4.claw-new" ;;
	*) cp -- "$3" "$4.claw-new" && chmod "$2" -- "$4.claw-new" && sync -- "$4.claw-new" ;;
	esac
}

# Takes out what a line of the ledger says; what is not empty, or was changed since, stays.
take_out() { # KIND PATH
	case $1 in
	file | link) remove "$2" ;;
	settings)
		if first_settings | cmp -s - "$2"; then remove "$2"; else remove "$2.claw-new"; fi
		;;
	own)
		if as_owner test -e "$2" || as_owner test -e "$2.claw-new"; then
			step "remove $2" as_owner rm -f -- "$2" "$2.claw-new"
		fi
		;;
	own-folder)
		if as_owner test -d "$2" && [ -z "$(as_owner ls -A -- "$2")" ]; then step "remove $2" as_owner rmdir -- "$2"; fi
		;;
	folder)
		if [ -d "$2" ] && [ -z "$(ls -A -- "$2")" ]; then step "remove $2" rmdir -- "$2"; fi
		;;
	esac
}

remove() {
	for path in "$1" "$1.claw-new"; do
		if [ -e "$path" ] || [ -L "$path" ]; then step "remove $path" rm -f -- "$path"; fi
	done
}

# What the settings are before anybody changes them.
first_settings() {
	cat <<SETTINGS
# Settings of the claw tools, as a shell reads them: KEY=value. See claw(7) and the pages of the tools.
# After a change: deploy install
CLAW_USER=$owner
SETTINGS
}
