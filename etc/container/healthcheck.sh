#!/bin/sh
# Whether the pooler that is process 1 accepts connections, where the configuration says that it listens with which it was started:
# the word of its command that is no option and belongs to none
tr '\0' '\n' < /proc/1/cmdline | {
	read -r before
	configuration=--env
	while read -r word; do
		case $before:$word in
		-*u:* | --user:* | *:-*) ;;
		*) configuration=$word ;;
		esac
		before=$word
	done
	exec pgbouncer ready "$configuration"
}
