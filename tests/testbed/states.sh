#!/bin/bash
# states.sh: put units of both managers, the system's and user dev's (lingering), into every state that the tools must
# tell apart, and wait until each is really reached. Run it inside a host, as root:
#
#   scripts/testbed exec HOST bash /opt/testbed/states.sh [--no-limits]
#
# --no-limits: the host does not enforce MemoryMax (a container), so oom.service is not made.
# Prints nothing but errors; exits 0 when every unit is in its state, 1 when one is not. Can be run again.
#
#   unit                 managers      state
#   ok.service           system, user  active
#   exits3.service       system, user  failed, exit status 3
#   killed.service       system, user  failed, by signal 9
#   limit.service        system, user  failed, its start limit hit
#   loops.service        system, user  crash-looping for ever, once a second
#   activating.service   system, user  activating, for ever (Type=notify, and never ready)
#   stopped.service      system, user  inactive, stopped on purpose after it ran (enabled: a reboot starts it)
#   masked.service       system, user  masked
#   watchdog.service     system, user  failed, by its watchdog
#   twin.service         system, user  active in both at once
#   oldlimit.service     system, user  active, with the outdated MemoryLimit=
#   oom.service          system, user  failed, by the kernel's out-of-memory killer (it takes 200 MB of its 50)
#   online.service       user          active, ordered after network-online.target, which user managers do not have
#   missing.service      none          does not exist

set -euo pipefail

user=dev
limits=yes
case ${1:-} in
  '') ;;
  --no-limits) limits=no ;;
  *) echo "states.sh: unknown argument '$1'" >&2 && exit 2 ;;
esac

uid=$(id -u "$user")
home=$(getent passwd "$user" | cut -d: -f6)

as_user() {
  setpriv --reuid "$user" --regid "$user" --init-groups env HOME="$home" XDG_RUNTIME_DIR="/run/user/$uid" "$@"
}

manager() { # system|user ARG...: ask one of the two managers
  if [[ $1 == user ]]; then as_user systemctl --user "${@:2}"; else systemctl "${@:2}"; fi
}

unit() { # NAME: stdin becomes a unit of both managers
  tee "/etc/systemd/system/$1.service" | as_user tee "$home/.config/systemd/user/$1.service" >/dev/null
}

vendor_unit() { # NAME: the same, installed as a package would, so that it can be masked
  tee "/usr/lib/systemd/system/$1.service" >"/usr/lib/systemd/user/$1.service"
}

write_units() {
  as_user mkdir -p "$home/.config/systemd/user"

  unit ok <<-'END'
	[Service]
	ExecStart=sleep infinity
	END

  unit exits3 <<-'END'
	[Service]
	ExecStart=sh -c 'exit 3'
	END

  unit killed <<-'END'
	[Service]
	ExecStart=sh -c 'kill -KILL $$$$'
	END

  unit limit <<-'END'
	[Unit]
	StartLimitIntervalSec=60
	StartLimitBurst=3
	[Service]
	ExecStart=sh -c 'exit 1'
	Restart=always
	RestartSec=100ms
	END

  unit loops <<-'END'
	[Unit]
	StartLimitIntervalSec=0
	[Service]
	ExecStart=sh -c 'exit 1'
	Restart=always
	RestartSec=1s
	END

  unit activating <<-'END'
	[Service]
	Type=notify
	ExecStart=sleep infinity
	TimeoutStartSec=infinity
	END

  # Enabled, as any real service that someone stops: a manager forgets an inactive unit that nothing refers to.
  unit stopped <<-'END'
	[Service]
	ExecStart=sleep infinity
	[Install]
	WantedBy=default.target
	END

  vendor_unit masked <<-'END'
	[Service]
	ExecStart=sleep infinity
	END

  unit watchdog <<-'END'
	[Service]
	Type=notify
	NotifyAccess=all
	ExecStart=sh -c 'systemd-notify --ready; exec sleep infinity'
	WatchdogSec=1s
	END

  unit twin <<-'END'
	[Service]
	ExecStart=sleep infinity
	END

  unit oldlimit <<-'END'
	[Service]
	ExecStart=sleep infinity
	MemoryLimit=100M
	END

  unit oom <<-'END'
	[Service]
	ExecStart=sh -c 'head -c 200M /dev/zero | tail'
	MemoryMax=50M
	MemorySwapMax=0
	END

  unit online <<-'END'
	[Unit]
	Wants=network-online.target
	After=network-online.target
	[Service]
	ExecStart=sleep infinity
	END
  rm /etc/systemd/system/online.service
}

start_units() { # MANAGER
  local starting=(ok exits3 killed limit loops activating watchdog twin oldlimit)
  [[ $1 == system ]] || starting+=(online)
  [[ $limits == no ]] || starting+=(oom)
  manager "$1" daemon-reload
  manager "$1" reset-failed
  manager "$1" --quiet mask masked.service
  manager "$1" --quiet enable stopped.service
  manager "$1" --no-block restart "${starting[@]/%/.service}"
  manager "$1" start stopped.service
  manager "$1" stop stopped.service
}

states() { # MANAGER: a line a unit, its name and what its properties must come to be (regular expressions)
  cat <<-'END'
	ok ActiveState=active SubState=running
	exits3 ActiveState=failed SubState=failed Result=exit-code ExecMainStatus=3
	killed ActiveState=failed SubState=failed Result=signal ExecMainStatus=9
	limit ActiveState=failed SubState=failed ExecMainStatus=1 NRestarts=3
	loops Result=exit-code ExecMainStatus=1 NRestarts=[2-9][0-9]*
	activating ActiveState=activating SubState=start
	stopped ActiveState=inactive SubState=dead Result=success ExecMainStartTimestampMonotonic=[1-9][0-9]*
	masked LoadState=masked ActiveState=inactive
	watchdog ActiveState=failed SubState=failed Result=watchdog
	twin ActiveState=active SubState=running
	oldlimit ActiveState=active SubState=running
	missing LoadState=not-found ActiveState=inactive
	END
  [[ $1 == system ]] || echo online ActiveState=active SubState=running
  [[ $limits == no ]] || echo oom ActiveState=failed SubState=failed Result=oom-kill
}

wait_until_reached() { # MANAGER
  local wanted deadline=$((SECONDS + 90)) missed
  mapfile -t wanted < <(states "$1")
  while missed=$(missed "$1" "${wanted[@]}") && [[ $missed ]]; do
    if ((SECONDS >= deadline)); then
      printf "states.sh: not reached in the $1 manager: %s\n" "$missed" >&2
      return 1
    fi
    sleep 0.2
  done
}

missed() { # MANAGER WANTED...: print those that are not in their state
  local properties=Id,LoadState,ActiveState,SubState,Result,ExecMainStatus,ExecMainStartTimestampMonotonic,NRestarts
  local manager=$1 wanted property name state
  shift
  declare -A now
  while read -r name state; do now[$name]=$state; done < <(
    manager "$manager" show --property="$properties" "${@/% */.service}" |
      awk 'BEGIN { RS = ""; FS = "\n" } { $1 = $1; match($0, /Id=[^.]*/); print substr($0, RSTART + 3, RLENGTH - 3), $0 }'
  )
  for wanted; do
    for property in ${wanted#* }; do
      [[ " ${now[${wanted%% *}]} " =~ \ $property\  ]] || echo "$wanted, but ${now[${wanted%% *}]}"
    done
  done
}

loginctl enable-linger "$user"
until as_user test -S "/run/user/$uid/bus"; do sleep 0.1; done
write_units
for manager in system user; do start_units "$manager"; done
for manager in system user; do wait_until_reached "$manager" || failed=yes; done
[[ ! ${failed:-} ]]
