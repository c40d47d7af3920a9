#!/bin/sh
# gateway.sh: give user dev a gateway that is none: it answers the health paths as OpenClaw does, and has a unit like
# the one that `openclaw gateway install` writes. For tests of what is around it. Run it inside a host, as dev:
#
#   scripts/testbed exec -u dev HOST sh /opt/testbed/gateway.sh [SECONDS]
#
# SECONDS: how long it takes to stop (default 0). At SIGUSR2 it ends with status 3.
set -eu
units=$HOME/.config/systemd/user
mkdir -p "$units/default.target.wants" "$HOME/.openclaw"
cat >"$HOME/.openclaw/gateway.pl" <<'PERL'
use strict;
use IO::Socket::INET;
my ($slow) = @ARGV;
$SIG{TERM} = sub { sleep $slow; exit 0 };
$SIG{USR2} = sub { exit 3 };
my $listener = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1', LocalPort => 18789, Listen => 9, ReuseAddr => 1) or die $!;
my %bodies = (
    healthz => '{"ok":true,"status":"live"}',
    startupz => '{"ok":true,"status":"started","version":"2026.9.6","uptimeMs":100000}',
    readyz => '{"ready":true,"failing":[],"uptimeMs":100000,"eventLoop":{"degraded":false}}');
while (1) {
    my $peer = $listener->accept or next;
    my ($path) = (<$peer> // '') =~ m{^GET /(\w+) };
    while (my $line = <$peer>) { last if $line =~ /^\r?$/ }
    my $body = $bodies{$path // ''} // '{}';
    print $peer "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n",
        'Content-Length: ', length $body, "\r\n\r\n$body";
    close $peer;
}
PERL
echo '{"gateway":{"mode":"local"}}' >"$HOME/.openclaw/openclaw.json"
chmod 600 "$HOME/.openclaw/openclaw.json"
cat >"$units/openclaw-gateway.service" <<UNIT
[Unit]
Description=OpenClaw Gateway
After=network-online.target
Wants=network-online.target
StartLimitBurst=10
StartLimitIntervalSec=300

[Service]
ExecStart=/usr/bin/perl %h/.openclaw/gateway.pl ${1:-0}
Restart=always
RestartSec=5
RestartPreventExitStatus=78
TimeoutStopSec=330
SuccessExitStatus=0 143
KillMode=mixed

[Install]
WantedBy=default.target
UNIT
ln -sf "$units/openclaw-gateway.service" "$units/default.target.wants/openclaw-gateway.service"
