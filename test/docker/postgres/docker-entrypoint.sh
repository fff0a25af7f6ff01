#!/bin/bash
# Understands what most people give the official image: POSTGRES_PASSWORD, POSTGRES_USER, POSTGRES_DB,
# POSTGRES_HOST_AUTH_METHOD, POSTGRES_INITDB_ARGS, the *_FILE forms, and files in /docker-entrypoint-initdb.d.
set -euo pipefail

if [ "${1:-}" != postgres ] && [ "${1#-}" = "${1:-}" ]; then exec "$@"; fi
[ "${1:-}" = postgres ] || set -- postgres "$@"

if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA"
	chown -R postgres:postgres /var/lib/postgresql
	chmod 700 "$PGDATA"
	exec setpriv --reuid postgres --regid postgres --init-groups "$BASH_SOURCE" "$@"
fi

from_file()
{
	local file=${1}_FILE
	[ -z "${!file:-}" ] || export "$1=$(< "${!file}")"
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do from_file "$name"; done
	user=${POSTGRES_USER:-postgres}
	database=${POSTGRES_DB:-$user}
	method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
	if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
		echo "Error: Database is uninitialized and superuser password is not specified. Set POSTGRES_PASSWORD." >&2
		exit 1
	fi
	# shellcheck disable=SC2086
	initdb --username="$user" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-}") --auth-local=trust --auth-host=trust \
		--encoding=UTF8 --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-}
	printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
	sed -i "s/^#listen_addresses = .*/listen_addresses = '*'/; s,^#unix_socket_directories = .*,unix_socket_directories = '/var/run/postgresql'," \
		"$PGDATA/postgresql.conf"
	# without TCP, so that nobody takes the server for ready meanwhile
	pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
	[ "$database" = postgres ] || psql -v ON_ERROR_STOP=1 -q -U "$user" -d postgres -c "CREATE DATABASE \"${database//\"/\"\"}\""
	for file in /docker-entrypoint-initdb.d/*; do
		case $file in
		*.sh) . "$file" ;;
		*.sql) psql -v ON_ERROR_STOP=1 -q -U "$user" -d "$database" -f "$file" ;;
		esac
	done
	pg_ctl -D "$PGDATA" -w -m fast stop
fi
exec "$@"
