#!/bin/bash
# monitor.sh: the monitor's unit as `deploy install` puts it in, and what it wrote. Inside a host with the tools on
# /opt/bind and the project in /opt/claw, as root:
#
#   monitor.sh start [LINE]...   puts it in with these lines in a drop-in, and starts it; TARGETS in the environment
#                                is what it looks at, by default everything
#   monitor.sh told              what it wrote
set -euo pipefail
unit=openclaw-agent-monitor.service

start() {
	mkdir -p /usr/local/lib/claw /etc/systemd/system/$unit.d
	ln -sf /opt/bind/claw-* /usr/local/bin
	sed "s|--watch 30s|& ${TARGETS:-}|" /opt/claw/scripts/monitor >/usr/local/lib/claw/monitor
	chmod 755 /usr/local/lib/claw/monitor
	sed 's|@prefix@|/usr/local|; s|@uid@|1000|; s|@workspace@|/home/dev/.openclaw/workspace|' \
		/opt/claw/scripts/units/$unit >/etc/systemd/system/$unit
	printf '%s\n' "$@" >/etc/systemd/system/$unit.d/test.conf
	systemctl daemon-reload
	systemctl start $unit
}

case ${1:-} in
start) start "${@:2}" ;;
told) journalctl --quiet --output=cat _SYSTEMD_UNIT=$unit _TRANSPORT=stdout ;;
*)
	sed -n '2,/^set -euo/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
