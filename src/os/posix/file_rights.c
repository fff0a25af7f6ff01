/* Rights of files, by their modes. Any thread. */
#include "os/file_rights.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool file_rights_look(const char *path, struct file_rights *out)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	out->others_read = (st.st_mode & S_IROTH) != 0;
	out->others_change = (st.st_mode & (S_IWOTH | S_IWGRP)) != 0;
	snprintf(out->how, sizeof(out->how), "its mode is %04o", (unsigned)(st.st_mode & 07777));
	return true;
}

/* A path as a shell takes it; what does not fit is left out. */
static const char *shell_word(const char *path, char *buf, size_t size)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+-";
	size_t used = 1;

	if (path[0] != '\0' && path[strspn(path, plain)] == '\0') {
		snprintf(buf, size, "%s", path);
		return buf;
	}
	buf[0] = '\'';
	for (; *path != '\0' && used + 6 < size; path++) {
		const char *quote = *path == '\'' ? "'\\''" : "";

		if (quote[0] != '\0')
			used += (size_t)snprintf(buf + used, size - used, "%s", quote);
		else
			buf[used++] = *path;
	}
	snprintf(buf + used, size - used, "'");
	return buf;
}

/* A group may be how the pooler's account reads it. */
const char *file_rights_close(const char *path, char *buf, size_t size)
{
	char word[1024];

	snprintf(buf, size, "chmod 640 %s", shell_word(path, word, sizeof(word)));
	return buf;
}

const char *file_rights_give(const char *path, const char *account, char *buf, size_t size)
{
	char word[1024];

	(void)shell_word(path, word, sizeof(word));
	snprintf(buf, size, "chown %s %s; chmod 600 %s", account, word, word);
	return buf;
}
