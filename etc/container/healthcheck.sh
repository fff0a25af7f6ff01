#!/bin/sh
# Whether the pooler that is process 1 accepts connections, where the configuration says that it listens with which it was started
configuration=$(tr '\0' '\n' < /proc/1/cmdline | tail -n 1)
case $configuration in
-* | '') configuration=--env ;;
esac
exec pgbouncer ready "$configuration"
