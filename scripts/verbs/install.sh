# shellcheck shell=sh disable=SC2154,SC2317 # box.sh and ledger.sh set and call what this uses and has
# install.sh - put the tools and the services in, linger first, and start them
#
# Every path is written into the ledger before it is made, so that an install that was cut off at any moment
# is completed by the next one, and uninstall knows what to take out.

# shellcheck source=/dev/null # it is checked by itself
. "$here/verbs/ledger.sh"

install() {
	options "$@"
	read_arguments
	need_systemd
	find_owner
	find_ledger
	find_places
	find_limits
	find_tools
	may_install
	stage=$(mktemp -d) || complain 'cannot make a temporary folder'
	trap 'rm -rf "$stage"' EXIT
	trap 'exit 2' INT TERM HUP
	# What is said may be lost; what is done is done whole.
	trap '' PIPE
	parts >"$stage/parts"
	find_strangers

	open_ledger
	list "owner $owner"
	list "prefix $prefix"
	[ -z "$unit_file" ] || list "unit $unit_file"
	set_up_linger
	put_parts
	set_up_gateway
	[ -z "$unit_file" ] || set_up_monitor
	conclude
	exit "$status"
}

read_arguments() {
	dry_run=
	prefix=
	set -f
	IFS='
'
	# shellcheck disable=SC2086 # split at line breaks, and nothing expanded
	set -- $arguments
	unset IFS
	set +f
	while [ $# -gt 0 ]; do
		case $1 in
		--dry-run) dry_run=yes ;;
		--prefix)
			[ $# -gt 1 ] || complain 'install: --prefix takes a folder'
			prefix=$2
			shift
			;;
		--prefix=*) prefix=${1#*=} ;;
		*) complain "install takes --dry-run, --prefix DIR and --user NAME, not '$1'" ;;
		esac
		shift
	done
}

# Where things go: for root into the box, for anybody else into their home.
find_places() {
	: "${prefix:=$(setting CLAW_PREFIX '')}"
	if [ -z "$project" ]; then
		is_in=$(dirname -- "$(dirname -- "$here")")
		[ "${prefix:=$is_in}" = "$is_in" ] ||
			complain "cannot install into '$prefix': this deploy is installed in $is_in; use that of the project"
	fi
	if is_root; then
		: "${prefix:=/usr/local}"
		unit_file=/etc/systemd/system/$monitor
	else
		: "${prefix:=$home/.local}"
		unit_file=
	fi
	# In the owner's home: OpenClaw refuses to touch a service whose drop-in is somebody else's.
	drop_in=$home/.config/systemd/user/$gateway.d/claw.conf
	case $prefix in
	*[!A-Za-z0-9/_.+-]* | *//* | */. | */./* | */.. | */../* | */) complain "cannot install into '$prefix': not a plain path" ;;
	/?*) ;;
	*) complain "cannot install into '$prefix': it has to begin with /" ;;
	esac
	library=$prefix/lib/claw
	[ -f "$ledger" ] || return 0
	# What is there stays in one piece.
	for line in "owner $owner" "prefix $prefix" "unit $unit_file"; do
		there=$(sed -n "s/^${line%% *} //p" "$ledger")
		[ "${there:-${line#* }}" = "${line#* }" ] ||
			complain "cannot install with ${line%% *} '${line#* }': it is installed with '$there': $self uninstall first"
	done
}

# The gateway's limits are settings.
find_limits() {
	memory_max=$(setting CLAW_GATEWAY_MEMORY_MAX 2G)
	cpu_quota=$(setting CLAW_GATEWAY_CPU_QUOTA 80%)
	printf '%s\n' "$memory_max" | grep -Eqx '[1-9][0-9]*[GT]|[1-9][0-9]{2,}M|[1-9][0-9]?%|infinity' ||
		complain "CLAW_GATEWAY_MEMORY_MAX is '$memory_max', which is no size for a gateway: 2G, 1500M, 50% or infinity"
	printf '%s\n' "$cpu_quota" | grep -Eqx '[1-9][0-9]*%' ||
		complain "CLAW_GATEWAY_CPU_QUOTA is '$cpu_quota', which is no share of a processor: 80% or 200%"
}

# Sets the tools that go in and the folder where they are: built from the project, or those that are there.
find_tools() {
	tools=
	linger_setup=$prefix/bin/claw-linger-setup
	[ "$project" ] || return 0
	packages=
	for file in "$project"/crates/*/src/main.rs; do
		name=${file#"$project"/crates/}
		name=${name%%/*}
		tools="$tools $name"
		packages="$packages --package $name"
	done
	if command -v cargo >/dev/null; then
		say 'building what is not up to date'
		# shellcheck disable=SC2086 # a list of words
		built=$("$project/scripts/build" $packages) || complain 'cannot build the tools: cargo failed'
	else
		built=$(dirname -- "$health")
		for folder in "${CARGO_TARGET_DIR:-$project/target}"/*/release; do
			[ ! -x "$folder/claw-health" ] || built=$folder
		done
	fi
	for name in $tools; do
		[ -x "$built/$name" ] || complain "cannot find '$name' in $built: build it, not as root: $project/scripts/build"
	done
	linger_setup=$built/claw-linger-setup
}

# Can all of it be done? Says so before anything is.
may_install() {
	for path in "$ledger" "$settings" "$library/deploy" "$prefix/bin/deploy" $unit_file; do
		may_write "$path"
	done
	folder=$(existing_folder "$drop_in")
	as_owner test -w "$folder" -a -d "$folder" || complain "cannot write '$drop_in': '$folder' is not $owner's to write"
	! as_owner test -e "$drop_in" || as_owner test -f "$drop_in" || complain "cannot write '$drop_in': it is no regular file"
	[ -z "$unit_file" ] || may_be_monitor
	[ -e "$settings" ] || return 0
	named=$(setting CLAW_USER '')
	[ "${named:-$owner}" = "$owner" ] ||
		complain "cannot install for '$owner': $settings says CLAW_USER=$named: change it there first"
	[ "$named" ] || [ -z "$user" ] || ! is_root ||
		complain "cannot install for '$owner': $settings names nobody: add the line CLAW_USER=$owner first"
}

# Would the monitor's unit stand before one of the box?
may_be_monitor() {
	fragment=$(property monitor FragmentPath)
	[ "${fragment:-$unit_file}" = "$unit_file" ] ||
		complain "cannot call the monitor $monitor: that is a service of the box, in $fragment"
}

# Can that path be written, without root's writing into what belongs to somebody else?
may_write() {
	folder=$(existing_folder "$1")
	[ -d "$folder" ] || complain "cannot write '$1': '$folder' is no folder"
	if [ ! -w "$folder" ]; then
		! is_root || complain "cannot write '$1': '$folder' is read-only"
		complain "cannot write '$1': the right is missing: sudo $self install --user $owner"
	fi
	is_root || return 0
	while [ "$folder" != / ]; do
		[ "$(stat -L -c %u -- "$folder")" -eq 0 ] ||
			complain "cannot write '$1': '$folder' belongs to '$(stat -L -c %U -- "$folder")', who could lead root elsewhere"
		folder=$(dirname -- "$folder")
	done
}

# The folder above a path that is there.
existing_folder() {
	folder=$(dirname -- "$1")
	while ! as_owner test -e "$folder" && [ ! -e "$folder" ]; do folder=$(dirname -- "$folder"); done
	printf '%s\n' "$folder"
}

# What is to be there, a path a line: its kind, its mode, where it comes from, where it goes.
parts() {
	for name in $tools; do
		part file 0755 "$built/$name" "$prefix/bin/$name"
		for shell in bash zsh fish; do
			"$built/$name" --completions "$shell" >"$stage/$name.$shell" || complain "'$name --completions' failed"
		done
		part file 0644 "$stage/$name.bash" "$prefix/share/bash-completion/completions/$name"
		part file 0644 "$stage/$name.zsh" "$prefix/share/zsh/site-functions/_$name"
		part file 0644 "$stage/$name.fish" "$prefix/share/fish/vendor_completions.d/$name.fish"
	done
	if [ "$project" ]; then
		for page in "$project"/man/*.[0-9]; do
			part file 0644 "$page" "$prefix/share/man/man${page##*.}/${page##*/}"
		done
		for file in "$here"/verbs/* "$here"/units/*; do
			part file 0644 "$file" "$library/${file#"$here/"}"
		done
		part file 0755 "$here/deploy" "$library/deploy"
		part file 0755 "$here/monitor" "$library/monitor"
		for file in start-agent-monitor.sh claw-preload.cjs; do
			part file 0644 "$here/$file" "$prefix/share/claw/$file"
		done
		part link - ../lib/claw/deploy "$prefix/bin/deploy"
	fi
	first_settings >"$stage/settings"
	part settings 0644 "$stage/settings" "$settings"
	sed "s|@memory_max@|$memory_max|; s|@cpu_quota@|$cpu_quota|" "$here/units/openclaw-gateway.conf" >"$stage/drop-in"
	# OpenClaw cannot install a service that has a drop-in already.
	! has_unit || part own - "$stage/drop-in" "$drop_in"
	[ "$unit_file" ] || return 0
	part folder 0700 - /etc/claw/credentials
	workspace=$(setting CLAW_WORKSPACE "$home/.openclaw/workspace" | sed 's/%/%%/g; s/[&|\\]/\\&/g')
	sed "s|@prefix@|$prefix|; s|@uid@|$uid|; s|@workspace@|$workspace|" \
		"$here/units/openclaw-agent-monitor.service" >"$stage/unit"
	part file 0644 "$stage/unit" "$unit_file"
}

# Has OpenClaw written the gateway's unit?
has_unit() {
	as_owner test -e "$home/.config/systemd/user/$gateway"
}

part() {
	printf '%s\t%s\t%s\t%s\n' "$@"
}

# Refuses to write over what install did not put there.
find_strangers() {
	while IFS='	' read -r kind _ source target; do
		case $kind in
		settings | folder) continue ;;
		own) ! as_owner test -e "$target" || is_own "$source" "$target" || is_listed "$kind $target" ;;
		*) [ ! -e "$target" ] || cmp -s -- "$source" "$target" || is_listed "$kind $target" ;;
		esac ||
			complain "cannot write '$target': it is there already, and install did not put it there: move it away first"
	done <"$stage/parts"
}

# First of all: without it, what is started below ends with the session.
set_up_linger() {
	! "$linger_setup" --check --user "$owner" >/dev/null 2>&1 || return 0
	if [ "$dry_run" ]; then
		"$linger_setup" --dry-run --user "$owner" --format human || [ $? -eq 1 ] || status=2
		changes=$((changes + 1))
	else
		step "run claw-linger-setup --apply --user $owner" "$linger_setup" --apply --user "$owner" --format human ||
			failed "cannot make the services of $owner outlive log-out and reboot"
	fi
}

put_parts() {
	while IFS='	' read -r kind mode source target; do
		put "$kind" "$mode" "$source" "$target"
	done <"$stage/parts"
}

set_up_gateway() {
	if ! has_unit; then
		! is_listed "own $drop_in" || take_out own "$drop_in"
		warn "$owner has no $gateway yet: as $owner: openclaw gateway install; then: $(rooted "$self install")"
	elif user_manager_runs; then
		reload gateway
		if is_stale gateway && [ "$(property gateway ActiveState)" = active ]; then
			limit_gateway "$memory_max" "$cpu_quota"
		fi
		forget 'stale gateway'
		if [ "$(property gateway LoadState)" = masked ]; then
			warn "the gateway is masked: $(typed gateway) unmask $gateway"
		elif ! is_left_stopped gateway; then
			start_for_good gateway
		fi
	elif [ "$dry_run" ]; then
		# Once the manager runs, which a dry run has not started; it starts the gateway by itself.
		run_control gateway daemon-reload
		limit_gateway "$memory_max" "$cpu_quota"
	else
		failed "cannot start the gateway: the user manager of $owner does not run"
	fi
}

set_up_monitor() {
	was_active=$(property monitor ActiveState)
	reload monitor
	if is_stale monitor && [ "$was_active" = active ]; then
		try_control monitor restart "$monitor" || warn "the monitor does not restart: $self logs"
	fi
	forget 'stale monitor'
	is_left_stopped monitor || start_for_good monitor
}

# Has a manager read what was put in, where it has not yet.
reload() { # SERVICE
	! is_stale "$1" || run_control "$1" daemon-reload
}

# Was something put in that its manager does not know? In a dry run, would it be?
is_stale() { # SERVICE
	is_listed "stale $1" || { [ "$dry_run" ] && [ "$changes" -gt 0 ]; }
}

# Is a service to be left as a person stopped it?
is_left_stopped() { # SERVICE
	is_listed "started $1" || return 1
	case $(control "$1" is-enabled "$(unit "$1")" 2>/dev/null) in
	disabled | masked) say "the $1 was stopped by a person and stays so: $self start $1" ;;
	*) return 1 ;;
	esac
}

# Now and at boot.
start_for_good() { # SERVICE
	case $(control "$1" is-enabled "$(unit "$1")" 2>/dev/null) in
	# In a dry run its file is not there yet.
	disabled | not-found | '')
		list "enabled $1"
		run_control "$1" --quiet enable "$(unit "$1")"
		;;
	esac
	list "started $1"
	if [ "$(property "$1" ActiveState)" != active ]; then
		[ "$dry_run" ] || control "$1" reset-failed "$(unit "$1")" 2>/dev/null || :
		try_control "$1" start "$(unit "$1")" || warn "the $1 does not start: $self logs"
	fi
}

conclude() {
	if [ "$dry_run" ]; then
		tell "steps: $changes; nothing was changed"
		[ "$changes" -eq 0 ] || [ "$status" -eq 2 ] || status=1
		return
	fi
	if [ "$changes" -eq 0 ]; then tell 'nothing to change'; else tell "installed; steps: $changes"; fi
	[ "$unit_file" ] || failed "the monitor is a service of the system: sudo scripts/deploy install --user $owner, in the project's folder"
	[ "$(property gateway ActiveState)" != active ] || wait_until_up
	[ -z "$unit_file" ] || [ "$(property monitor ActiveState)" != failed ] ||
		warn "the monitor failed: $self logs"
	tell 'what does not pass on this box:'
	"$health" --user "$owner" --failing --format human || :
}
