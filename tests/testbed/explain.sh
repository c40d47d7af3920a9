#!/bin/bash
# explain.sh: the ways in to user dev, and the errors that claw-linger-setup --explain has to know. Inside a host, as root:
#
#   scripts/testbed exec HOST bash /opt/testbed/explain.sh by WAY LINE    run a line of bash by a way in; status is LINE's
#   scripts/testbed exec HOST bash /opt/testbed/explain.sh make STATE...  put dev into states, one after the other
#   scripts/testbed exec HOST bash /opt/testbed/explain.sh texts          write every error as systemd here words it
#
#   WAY      how LINE comes to run
#   root     root, entered from outside: no session
#   login    dev, in a login session of its own
#   sudo     root types sudo -u dev
#   sudo-E   root, in a login session, types sudo -E -u dev with its own environment
#   su       root, in a login session, types su dev: it keeps root's XDG_RUNTIME_DIR
#   su-l     root, in a login session, types su - dev: no session of dev's is opened
#   setpriv  root, in a login session, drops to dev and keeps its environment
#   bare     dev, with an empty environment
#   cron     a crontab of dev's. CRONTAB: a line above it
#
#   STATE    on, off (linger, nobody logged in), dead (dev lingers, and its manager was killed), by-hand (off, and somebody
#            made /run/user/1000), mode (on, with /run/user/1000 closed), owner (on, with /run/user/1000 root's), bus (on,
#            without its session bus), units (a few units, see below), twin (of the gateway's unit), logind (masked), clean
#            (on, and nothing of all this)

set -euo pipefail

uid=1000
runtime=/run/user/$uid
units=/home/dev/.config/systemd/user
export LC_ALL=C

fail() {
  echo "explain.sh: $*" >&2
  exit 2
}

as_dev() {
  setpriv --reuid dev --regid dev --init-groups env -i HOME=/home/dev USER=dev PATH="$PATH" LC_ALL=C \
    XDG_RUNTIME_DIR=$runtime "$@"
}

wait_until() {
  local deadline=$((SECONDS + 30))
  until "$@" &>/dev/null; do
    ((SECONDS < deadline)) || fail "it never came true: $*"
    sleep 0.05
  done
}

# ---- the ways in

by() { # WAY LINE
  local way=$1 line
  line="cd /; export PATH=/opt/bind:$PATH LC_ALL=C; $2"
  case $way in
    root) env -u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS bash -c "$line" ;;
    login) su -l dev -c "bash -c $(printf %q "$line")" ;;
    sudo) sudo -u dev bash -c "$line" ;;
    sudo-E) in_roots_session sudo -E -u dev bash -c "$line" ;;
    su) in_roots_session su dev -c "bash -c $(printf %q "$line")" ;;
    su-l) in_roots_session su -l dev -c "bash -c $(printf %q "$line")" ;;
    setpriv) in_roots_session setpriv --reuid dev --regid dev --init-groups bash -c "$line" ;;
    bare) setpriv --reuid dev --regid dev --init-groups env -i bash -c "$line" ;;
    cron) by_cron "$line" ;;
    *) fail "no such way: '$way'" ;;
  esac
}

in_roots_session() {
  su -l root -c "exec $(printf '%q ' "$@")"
}

by_cron() {
  local folder=/var/tmp/explain-cron status
  rm -rf $folder
  install -d -o dev $folder
  printf '%s\n' "$1" >$folder/line
  {
    printf '%s\n' ${CRONTAB:+"$CRONTAB"}
    echo "@reboot dev bash $folder/line >$folder/out 2>&1; echo \$? >$folder/status"
  } >/etc/cron.d/explain
  # A cron that starts after a boot runs it at once.
  rm -f /run/crond.reboot
  systemctl reset-failed cron
  systemctl restart cron
  for _ in {1..700}; do
    [[ ! -s $folder/status ]] || break
    sleep 0.1
  done
  rm -f /etc/cron.d/explain
  status=$(<$folder/status)
  cat $folder/out
  return "$status"
}

# ---- the states

make() { # STATE
  case $1 in
    on)
      systemctl unmask -q systemd-logind.service
      systemctl start systemd-logind.service
      loginctl enable-linger dev
      wait_until test -S $runtime/bus -a -S $runtime/systemd/private
      ;;
    off)
      loginctl disable-linger dev
      loginctl terminate-user dev 2>/dev/null || :
      systemctl stop user@$uid.service user-runtime-dir@$uid.service
      wait_until bash -c "[ ! -e $runtime ] && ! loginctl show-user dev"
      ;;
    dead)
      make on
      systemctl kill -s KILL user@$uid.service
      wait_until bash -c "! systemctl is-active -q user@$uid.service"
      ;;
    by-hand)
      make off
      mkdir -m 700 $runtime
      chown dev: $runtime
      ;;
    mode) make on && chmod 000 $runtime ;;
    owner) make on && chown root: $runtime ;;
    bus) make on && as_dev systemctl --user stop -q dbus.socket dbus.service ;;
    logind)
      make on
      systemctl mask -q --now systemd-logind.service
      ;;
    units) make_units ;;
    twin)
      as_dev mkdir -p $units
      as_dev tee $units/openclaw-gateway.service >/etc/systemd/system/openclaw-gateway.service <<<$'[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=default.target'
      systemctl daemon-reload
      as_dev systemctl --user daemon-reload
      as_dev systemctl --user enable -q openclaw-gateway.service
      ;;
    clean)
      rm -f /tmp/explain-well
      systemctl unmask -q systemd-logind.service
      systemctl stop -q lim.service openclaw-gateway.service 2>/dev/null || :
      as_dev systemctl --user stop -q lim.service mine.service hidden.service openclaw-gateway.service 2>/dev/null || :
      chown dev: $runtime 2>/dev/null || :
      chmod 0700 $runtime 2>/dev/null || :
      rm -rf $units /etc/systemd/system/{openclaw-gateway,lim,g}.service /etc/systemd/system/user@$uid.service.d
      systemctl daemon-reload
      make on
      as_dev systemctl --user daemon-reload
      as_dev systemctl --user reset-failed
      ;;
    *) fail "no such state: '$1'" ;;
  esac
}

# lim.service     in both managers; fails until systemd gives it up; with /tmp/explain-well it runs
# mine.service    only dev's, runs
# hidden.service  installed for every user's manager, masked by dev
# conf.service    dev's; ends with status 78, as the gateway does without a configuration
make_units() {
  as_dev mkdir -p $units
  as_dev tee $units/lim.service >/etc/systemd/system/lim.service <<-'END'
	[Unit]
	StartLimitBurst=2
	StartLimitIntervalSec=1000
	[Service]
	ExecStart=sh -c '[ -e /tmp/explain-well ] && exec sleep 1000; exit 1'
	Restart=always
	RestartSec=50ms
	END
  as_dev tee $units/mine.service >/dev/null <<<$'[Service]\nExecStart=sleep 1000'
  echo $'[Service]\nExecStart=sleep 1000' >/usr/lib/systemd/user/hidden.service
  as_dev tee $units/conf.service >/dev/null <<-'END'
	[Service]
	ExecStart=sh -c "echo 'Missing config. Run `openclaw setup` or set gateway.mode=local (or pass --allow-unconfigured).'; exit 78"
	Restart=always
	RestartPreventExitStatus=78
	END
  systemctl daemon-reload
  as_dev systemctl --user daemon-reload
  as_dev systemctl --user mask -q hidden.service
  systemctl start lim.service
  as_dev systemctl --user start lim.service conf.service
  wait_until bash -c "systemctl show -p NRestarts,SubState lim.service | paste -s | grep -q 'NRestarts=2.*failed'"
  wait_until as_dev bash -c "systemctl --user show -p NRestarts,SubState lim.service | paste -s | grep -q 'NRestarts=2.*failed'"
  wait_until as_dev bash -c "systemctl --user is-failed -q conf.service"
}

# ---- the texts

text() { # NAME CMD...: what CMD says as it fails
  echo "# $1"
  "${@:2}" 2>&1 </dev/null || :
  echo
}

texts() {
  local dev=(setpriv --reuid dev --regid dev --init-groups env -i LC_ALL=C PATH="$PATH" HOME=/home/dev)
  local at=("${dev[@]}" "XDG_RUNTIME_DIR=$runtime")
  make off
  text 'not logged in' loginctl show-user dev
  text 'no manager' "${at[@]}" systemctl --user start x.service
  text 'linger without a name' "${dev[@]}" loginctl enable-linger
  make clean
  text 'no environment' "${dev[@]}" systemctl --user start x.service
  text 'busctl without environment' "${dev[@]}" busctl --user list
  text 'foreign runtime folder' env XDG_RUNTIME_DIR=$runtime systemctl --user start x.service
  text 'root at the bus of another' env -u XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS=unix:path=$runtime/bus busctl --user list
  text 'machine' "${dev[@]}" systemctl --user -M dev@ status
  text 'not booted' unshare -m sh -c 'mount -t tmpfs none /run && systemctl start x.service'
  text 'no system bus' unshare -m sh -c 'mount -t tmpfs none /run/dbus && loginctl enable-linger dev'
  text 'linger of another' "${dev[@]}" loginctl enable-linger root
  text 'no such user' loginctl enable-linger nosuch
  text 'rights' "${dev[@]}" systemctl start cron.service
  text 'rights without a unit' "${dev[@]}" systemctl daemon-reload
  make units
  text 'start of no unit' "${at[@]}" systemctl --user start nosuch
  text 'status of no unit' "${at[@]}" systemctl --user status nosuch
  text 'enable of no unit' "${at[@]}" systemctl --user enable nosuch
  text 'stop of no unit' "${at[@]}" systemctl --user stop nosuch
  text 'start of a masked unit' "${at[@]}" systemctl --user start hidden
  text 'status of a masked unit' "${at[@]}" systemctl --user status hidden
  text 'enable of a masked unit' "${at[@]}" systemctl --user enable hidden
  text 'start limit of a user unit' "${at[@]}" systemctl --user status lim
  text 'start limit of a system unit' journalctl -u lim -n 3
  text 'configuration' "${at[@]}" systemctl --user status conf
  text 'network' "${at[@]}" systemctl --user status network-online.target
  as_dev systemctl --user start mine.service
  touch $units/mine.service
  text 'changed on disk' "${at[@]}" systemctl --user start mine
  make dead
  text 'manager killed' "${at[@]}" systemctl --user start x.service
  make on
  systemctl start user@$uid.service
  systemctl mask -q --now systemd-logind.service
  text 'logind masked' loginctl enable-linger dev
  systemctl unmask -q systemd-logind.service
  systemctl start systemd-logind.service
  systemctl mask -q --now polkit.service
  text 'linger without polkit' "${dev[@]}" loginctl enable-linger dev
  systemctl unmask -q polkit.service
  make clean
}

verb=${1:-}
(($# == 0)) || shift
case $verb in
  by) by "$@" ;;
  make) for state; do make "$state"; done ;;
  texts) texts ;;
  *) fail "no such command: '$verb'" ;;
esac
