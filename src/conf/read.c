/* Reads the files of a configuration, whole, from the places where they may be. Any thread. */
#include "conf/read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/directory.h"
#include "os/file.h"

int conf_read_file(void *context, const char *path, struct str *out)
{
	char piece[8192];
	FILE *file;
	int error = 0;

	(void)context;
	file = file_open(path);
	if (file == NULL)
		return errno;
	for (;;) {
		size_t n;

		errno = 0;
		n = fread(piece, 1, sizeof(piece), file);
		str_add(out, piece, n);
		if (n < sizeof(piece) || out->failed)
			break;
	}
	if (ferror(file))
		error = errno != 0 ? errno : EIO;
	else if (out->failed)
		error = out->len + sizeof(piece) > out->limit ? EFBIG : ENOMEM;
	fclose(file);
	mem_wipe(piece, sizeof(piece));
	return error;
}

int conf_list_directory(void *context, const char *directory, const char *pattern, char ***names)
{
	(void)context;
	return directory_names(directory, pattern, names);
}

bool conf_text_begin(const char *content, size_t len, const char *file, size_t *skip, struct conf_error *why)
{
	static const char utf8[] = "\xEF\xBB\xBF", little[] = "\xFF\xFE", big[] = "\xFE\xFF";

	if (len >= 2 && (memcmp(content, little, 2) == 0 || memcmp(content, big, 2) == 0)) {
		(void)conf_fail(why, file, 0, "could not load file \"%.400s\": its text is in UTF-16, not in UTF-8",
		                file);
		conf_hint(
		    why, "Save it as UTF-8: Notepad asks for the encoding in \"Save as\"; iconv -f UTF-16 -t UTF-8 and "
		         "PowerShell's Set-Content -Encoding utf8 convert it.");
		return false;
	}
	*skip = len >= 3 && memcmp(content, utf8, 3) == 0 ? 3 : 0;
	return true;
}

void conf_forget(struct str *content)
{
	if (content->data != NULL)
		mem_wipe(content->data, content->capacity);
	str_fini(content);
}

char *conf_path_beside(const char *beside, const char *name)
{
	size_t len = path_directory_len(beside);
	struct str path;

	if (path_is_absolute(name) || len == 0)
		return NULL;
	str_init(&path, 64 * 1024);
	str_add(&path, beside, len);
	str_add_str(&path, name);
	if (path.failed)
		str_fini(&path);
	return str_take(&path);
}

int conf_read_near(conf_read *read, void *context, const char *name, const char *beside, struct str *out, char **found)
{
	char *path = mem_copy_str(name);
	int error, second;

	if (path == NULL)
		return ENOMEM;
	error = read(context, path, out);
	if (error == ENOENT) {
		char *other = conf_path_beside(beside, name);

		if (other != NULL) {
			str_clear(out);
			second = read(context, other, out);
			mem_free(path);
			path = other;
			error = second;
		}
	}
	if (error == 0)
		*found = path;
	else
		mem_free(path);
	return error;
}
