#!/bin/sh
# Starts the pooler in its own place, so that it is process 1 and gets the signals. Everything that is configured is read by the
# pooler itself ("pgbouncer --env"); this is here because other images have one, which people call with other arguments.
set -eu
ini=/etc/pgbouncer/pgbouncer.ini

case ${1-} in
'' | */run.sh) set -- pgbouncer --env ;;
-*) set -- pgbouncer --env "$@" ;; # options only
esac
# The command of other images, whose scripts would have written this file by now
if [ $# = 2 ] && [ "${1##*/}" = pgbouncer ] && [ "$2" = "$ini" ] && [ ! -e "$ini" ]; then set -- "$1" --env; fi

# The pooler refuses root
if [ "$(id -u)" = 0 ] && [ "${1##*/}" = pgbouncer ]; then
	become='setpriv --reuid pgbouncer --regid pgbouncer --init-groups'
	if ! $become true 2> /dev/null; then
		echo "pgbouncer: started as root, without the right to become another user: leave out --user (user: or runAsUser:), or give another one" >&2
		exit 1
	fi
	set -- $become "$@"
fi
exec "$@"
