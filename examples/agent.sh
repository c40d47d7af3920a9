#!/bin/sh
# agent.sh - an agent in Node.js as a unit of its own, with a check: what pm2 or supervisord would be used for
set -eu

# The key is read by systemd at each start, and stands in no command and no unit.
umask 077
mkdir -p ~/.config/bot
[ -e ~/.config/bot/env ] || echo 'BOT_TOKEN=put-it-here' >~/.config/bot/env

claw-health agent bot --persist --dir ~/bot --env-file ~/.config/bot/env --memory-max 512M \
	--http http://127.0.0.1:3000/health -- node bot.js

claw-health agent      # how all of them are
# claw-health agent bot --stop
