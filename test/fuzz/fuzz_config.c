/* A configuration file and, behind "|||", its user list. fuzz runs: 60000 */
#include <errno.h>

#include "conf/config.h"
#include "fuzz.h"

struct files {
	const char *ini, *users;
	size_t ini_len, users_len;
	int n_read; /* what includes itself again and again is not the question here */
};

static int read_file(void *context, const char *path, struct str *out)
{
	struct files *f = (struct files *)context;

	if (f->n_read++ == 0)
		str_add(out, f->ini, f->ini_len);
	else if (f->users != NULL && strcmp(path, "users") == 0)
		str_add(out, f->users, f->users_len);
	else
		return ENOENT;
	return out->failed ? ENOMEM : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct files f = {0};
	char *ini = fuzz_part(&data, &size, &f.ini_len, 0), *users = fuzz_part(&data, &size, &f.users_len, 0);
	struct conf_error why;
	struct config *c;

	f.ini = ini;
	f.users = users;
	memset(&why, 0, sizeof(why));
	c = config_load("pgweir.ini", NULL, read_file, &f, &why);
	if (c == NULL)
		HOLDS(why.text[0] != '\0');
	config_unref(c);
	free(ini);
	free(users);
	return 0;
}
