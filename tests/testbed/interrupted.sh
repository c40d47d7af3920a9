#!/bin/bash
# interrupted.sh: kill `deploy install` at random moments, and see that the next one completes it. Run it inside a host
# with the project on /opt/claw, as root:
#
#   scripts/testbed exec HOST bash /opt/testbed/interrupted.sh COUNT [SEED]
#
# Each round: install is killed with all that it started, and uninstall has to leave what was there before. Then it is
# killed once more, runs to its end, has to have put what an undisturbed one puts, and uninstall has to leave what was
# there before. Prints a tally; exits 1 where a round went wrong.
set -uo pipefail
count=${1:?how often}
RANDOM=${2:-$$}
deploy=/opt/claw/scripts/deploy
wrong=0 early=0

# What is there, with what it holds; not what the box itself writes all the time.
files() {
  find /etc /usr /home /var/lib /root -xdev -not -path '/var/lib/systemd/timers/*' -not -path '/var/lib/claw/heal*' \
    -printf '%p %y %m %u %l\n' -type f -exec sha256sum {} + 2>/dev/null | sort
}

fail() {
  echo "round $round: $*" >&2
  wrong=$((wrong + 1))
}

round=0
before=$(files)
begun=$EPOCHREALTIME
$deploy install --user dev &>/tmp/install.log || [[ $? == 1 ]] || fail "install: $(tail -n 3 /tmp/install.log)"
took=$(((${EPOCHREALTIME/./} - ${begun/./}) / 1000))
installed=$(files | grep -v ' /var/lib/claw/installed$')
$deploy uninstall --user dev &>/tmp/install.log || fail "uninstall: $(tail -n 3 /tmp/install.log)"
[[ $(files) == "$before" ]] || fail "uninstall: $(diff <(echo "$before") <(files))"
cut_off() {
  local pause=$((RANDOM * took / 32768))
  setsid $deploy install --user dev &>/dev/null &
  sleep "$((pause / 1000)).$(printf %03d $((pause % 1000)))"
  kill -KILL -- -$! 2>/dev/null || early=$((early + 1))
  wait $! 2>/dev/null
}

for ((round = 1; round <= count; round++)); do
  cut_off
  $deploy uninstall --user dev &>/tmp/install.log || fail "uninstall at once: $(tail -n 3 /tmp/install.log)"
  now=$(files)
  [[ $now == "$before" ]] || fail "left behind at once: $(diff <(echo "$before") <(echo "$now"))"
  cut_off
  $deploy install --user dev &>/tmp/install.log || [[ $? == 1 ]] || fail "install: $(tail -n 3 /tmp/install.log)"
  now=$(files | grep -v ' /var/lib/claw/installed$')
  [[ $now == "$installed" ]] || fail "not all: $(diff <(echo "$installed") <(echo "$now"))"
  [[ $(systemctl is-active openclaw-agent-monitor) == active ]] || fail 'the monitor does not run'
  again=$($deploy install --user dev 2>&1)
  [[ $again == *'nothing to change'* ]] || fail "a third time: $again"
  $deploy uninstall --user dev &>/tmp/install.log || fail "uninstall: $(tail -n 3 /tmp/install.log)"
  now=$(files)
  [[ $now == "$before" ]] || fail "left behind: $(diff <(echo "$before") <(echo "$now"))"
done
echo "$((2 * count)) installs killed within $took ms ($early had ended): $wrong went wrong"
((wrong == 0))
