/* Values of [databases], [users] and [peers]: a name and, behind "|||", its connection string. fuzz runs: 150000 */
#include "conf/entry.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t name_len, value_len = 0;
	char *name = fuzz_part(&data, &size, &name_len, 1), *value = fuzz_part(&data, &size, &value_len, 1);
	struct conf_error why;
	struct conf_database *d;
	struct conf_user *u;
	struct conf_peer *p;

	if (value != NULL) {
		memset(&why, 0, sizeof(why));
		d = conf_database_new(name, value, "pgweir.ini", 7, &why);
		HOLDS((d == NULL) == (why.text[0] != '\0'));
		if (d != NULL)
			HOLDS(d->port >= 1 && d->port <= 65535 && (d->host != NULL) == (d->n_hosts > 0));
		conf_database_free(d);
		memset(&why, 0, sizeof(why));
		u = conf_user_new(name, value, NULL, 0, &why);
		HOLDS((u == NULL) == (why.text[0] != '\0'));
		conf_user_free(u);
		memset(&why, 0, sizeof(why));
		p = conf_peer_new(name, value, "pgweir.ini", 9, &why);
		HOLDS((p == NULL) == (why.text[0] != '\0'));
		conf_peer_free(p);
	}
	free(name);
	free(value);
	return 0;
}
