# shellcheck shell=sh disable=SC2154 # box.sh sets what these use
# services.sh - start, stop and restart the services

start() {
	begin "$@"
	bring_up start_service
}

restart() {
	begin "$@"
	silence 15m
	bring_up restart_service
}

stop() {
	begin "$@"
	silence 1h
	# The monitor first: it need not tell what a person does.
	for service in monitor gateway; do
		case $services in
		*"$service"*) stop_service "$service" ;;
		esac
	done
	exit "$status"
}

begin() {
	options "$@"
	need_systemd
	find_owner
	find_services
}

# Does that to each service that is there, and waits until the gateway answers.
bring_up() { # CMD
	awaited=
	for service in $services; do
		if ! is_within_reach "$service" || ! is_there "$service"; then continue; fi
		enable_service "$service"
		[ "$service" = monitor ] || awaited=yes
		"$1" "$service"
	done
	[ ! "$awaited" ] || wait_until_up
	# What is not well now is news.
	end_silence restart
	end_silence stop
	exit "$status"
}

# What a person does to the gateway is no news, for a while.
silence() { # TIME
	case $services in
	*gateway*) ;;
	*) return 0 ;;
	esac
	for subject in "unit:user/$gateway" 'gateway*'; do
		notify silence --for "$1" --why "deploy $verb" "$subject"
	done
}

end_silence() { # VERB
	# Where there is none, that is well.
	notify silence --end "deploy $1" 2>/dev/null
}

# Has claw-notify do that, where the monitor tells anybody.
notify() {
	is_root && [ "$(setting CLAW_NOTIFY_TO '')$(setting CLAW_NOTIFY_ALSO '')" ] || return 0
	"$(tool claw-notify)" "$@" >/dev/null || [ $? -eq 1 ] || warn "cannot be silent: claw-notify $1 failed"
}

start_service() {
	if [ "$(property "$1" ActiveState)" = active ]; then
		printf 'the %s runs already\n' "$1"
		return
	fi
	if with_progress "starting the $1" control "$1" start "$(unit "$1")"; then
		printf 'started the %s\n' "$1"
	else
		warn "cannot start the $1: $why"
	fi
}

restart_service() {
	limit=$(property "$1" TimeoutStopUSec)
	if with_progress "restarting the $1, which may take $limit to stop" control "$1" restart "$(unit "$1")"; then
		printf 'restarted the %s\n' "$1"
	else
		warn "cannot restart the $1: $why"
	fi
}

# What a person starts also starts at boot, and does so after its start limit.
enable_service() {
	asked "cannot have the $1 start at boot" control "$1" --quiet enable "$(unit "$1")" || :
	control "$1" reset-failed "$(unit "$1")" 2>/dev/null || :
}

# It stays stopped, also after a reboot: what is disabled is not started at boot.
stop_service() {
	unit=$(unit "$1")
	if [ "$1" = gateway ] && ! user_manager_runs; then
		# Its files can be read all the same.
		asked 'cannot keep the gateway from starting at boot' \
			as_owner env SYSTEMD_OFFLINE=1 systemctl --user --quiet disable "$unit" || return 0
		printf 'the gateway does not run, as the user manager of %s does not; %s\n' "$owner" "$(stays gateway)"
		return
	fi
	if [ "$(property "$1" LoadState)" = not-found ]; then
		printf 'there is no %s\n' "$unit"
		return
	fi
	is_within_reach "$1" || return 0
	stays=$(stays "$1")
	asked "cannot keep the $1 from starting at boot" control "$1" --quiet disable "$unit" || stays='until the next boot'
	limit=$(property "$1" TimeoutStopUSec)
	if with_progress "stopping the $1, which may take $limit" control "$1" stop "$unit"; then
		printf 'stopped the %s: %s\n' "$1" "$stays"
	else
		failed "cannot stop the $1: $why"
	fi
}

stays() { # SERVICE
	printf 'it stays so, also after a reboot, until: %s start %s' "$self" "$1"
}
