#!/bin/bash
# clock.sh - what claw-notify tells in a host whose clock is set meanwhile
#
#   clock.sh wait CHANGE      it is asked to wait for 4 seconds, and the clock changes while it does
#   clock.sh again CHANGE     the same, and another process goes on
#   clock.sh silence CHANGE   a silence of 4 seconds
#
# CHANGE is what date -s understands, like '-1 day'. Prints what the service saw, the numbers of the receipts,
# and how many there were in the silence and after it. The clock of a container is that of the machine: only
# user-mode-linux has one of its own.
set -euo pipefail
grep -q 'User Mode Linux' /proc/cpuinfo || {
	echo 'clock.sh: this is no user-mode-linux host' >&2
	exit 2
}
folder=$(mktemp -d)
(umask 077 && echo 123:token >"$folder/token")
first=4
[[ $1 != silence ]] || first=0
mkfifo "$folder/in" "$folder/out"
/opt/bind/telegram "$first" <"$folder/in" >"$folder/out" &
service=$!
exec 3>"$folder/in" 4<"$folder/out"
read -r url <&4

notify() {
	/opt/bind/claw-notify 3>&- 4<&- --format json --spool "$folder/spool" --telegram-api "$url" \
		--telegram-token-file "$folder/token" --to telegram:5 --failover 1h "$@" >/dev/null
}

record() { # STATUS SEVERITY
	printf '{"time":"%s","host":"vps","tool":"t","event":"check","subject":"disk:/","status":"%s","severity":"%s","message":"%s"}\n' \
		"$(date -u +%FT%TZ)" "$1" "$2" "$1"
}

change() {
	date -s "$1" >/dev/null
}

case $1 in
wait)
	record fail ERROR | notify --patience 30s &
	waiting=$!
	sleep 1.5
	change "$2"
	wait "$waiting"
	;;
again)
	record fail ERROR | notify --patience 500ms 2>/dev/null || true
	change "$2"
	notify flush --patience 30s
	;;
silence)
	notify silence --for 4s --why 'the clock'
	record fail ERROR | notify --patience 500ms
	change "$2"
	notify flush --patience 500ms
	printf '{"told_in_silence":%s}\n' "$(find "$folder/spool" -name receipts -exec cat {} + | wc -l)"
	sleep 5
	notify flush --patience 5s
	printf '{"told_after_it":%s}\n' "$(wc -l <"$folder/spool/receipts")"
	;;
esac
record pass INFO | notify --patience 5s
change "$2"
record fail ERROR | notify --patience 5s
# Nothing is left, and nothing comes again.
notify flush
exec 3>&-
cat <&4
wait "$service"
sed 's/.*"message":\([0-9]*\).*/{"receipt":\1}/' "$folder/spool/receipts"
