#!/bin/bash
# caller.sh: run a command inside a host as a caller of some kind would, and end with its status. As root:
#
#   scripts/testbed exec HOST bash /opt/testbed/caller.sh WAY USER set|unset CMD...
#
# WAY: root (no other user then), sudo, su, su-l (su -), cron, ssh: how USER came to type CMD.
# set, unset: the variables that say where the user services are, whatever the way left there.

set -euo pipefail

way=$1 user=$2 variables=$3
shift 3
uid=$(id -u "$user")
case $variables in
  set) environment="XDG_RUNTIME_DIR=/run/user/$uid DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus" ;;
  unset) environment='-u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS' ;;
esac
command="env $environment $(printf '%q ' "$@")"

by_cron() { # as a job of the time when cron starts, which does not let one wait for the minute
  rm -f /tmp/cron.*
  mkfifo /tmp/cron.done
  printf '%s\n' "$command" >/tmp/cron.sh
  printf '@reboot %s sh /tmp/cron.sh </dev/null >/tmp/cron.stdout 2>/tmp/cron.stderr; echo $? >/tmp/cron.status; echo >/tmp/cron.done\n' \
    "$user" >/etc/cron.d/caller
  touch /tmp/cron.{stdout,stderr,status}
  chown "$user" /tmp/cron.*
  rm -f /run/crond.reboot
  systemctl reset-failed cron
  systemctl restart cron
  timeout 60 head -c 1 /tmp/cron.done >/dev/null
  rm -f /etc/cron.d/caller
  cat /tmp/cron.stdout
  cat /tmp/cron.stderr >&2
  return "$(cat /tmp/cron.status)"
}

by_ssh() {
  local home
  home=$(getent passwd "$user" | cut -d: -f6)
  [[ -e /root/.ssh/caller ]] || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/caller
  [[ -e $home/.ssh/authorized_keys ]] || install -D -m 600 -o "$user" -g "$user" /root/.ssh/caller.pub "$home/.ssh/authorized_keys"
  chown "$user:$user" "$home/.ssh"
  systemctl start ssh
  ssh -q -i /root/.ssh/caller -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$user@127.0.0.1" "$command"
}

case $way in
  root) eval "$command" ;;
  sudo) # shellcheck disable=SC2086 # words
    if [[ $user == root ]]; then
      echo 'dev ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/caller
      su -l dev -c "sudo $command"
    else
      eval "sudo -u $user $command"
    fi
    ;;
  su) su "$user" -c "$command" ;;
  su-l) su -l "$user" -c "$command" ;;
  cron) by_cron ;;
  ssh) by_ssh ;;
  *) echo "caller.sh: no such way: '$way'" >&2 && exit 2 ;;
esac
