/* A file of HBA rules and, behind "|||", its user name maps, then a client's database, user and certificate's name.
   fuzz runs: 100000 */
#include <errno.h>

#include "auth/hba.h"
#include "base/mem.h"
#include "fuzz.h"

struct files {
	const char *rules, *maps;
	size_t rules_len, maps_len;
	int n_read;
};

/* Included files hold names. */
static int read_file(void *context, const char *path, struct str *out)
{
	struct files *f = (struct files *)context;

	if (strcmp(path, "rules") == 0 && f->n_read++ < 3)
		str_add(out, f->rules, f->rules_len);
	else if (strcmp(path, "maps") == 0)
		str_add(out, f->maps, f->maps_len);
	else if (strcmp(path, "n") == 0)
		str_add_str(out, "ann bob,\"all\"\n");
	else
		return ENOENT;
	return out->failed ? ENOMEM : 0;
}

static int list_files(void *context, const char *directory, const char *pattern, char ***names)
{
	char **made = (char **)mem_alloc(2 * sizeof(char *));

	(void)context;
	(void)directory;
	(void)pattern;
	made[0] = mem_copy_str("a.conf");
	*names = made;
	return 0;
}

static bool is_near(const struct peer *p, bool networks)
{
	return networks || p->bytes[0] == 127;
}

/* What is found is one of the rules, and every rule covers itself. */
static void ask(const struct hba *h, const char *database, const char *user, const char *name)
{
	static const struct peer peers[] = {
	    {.family = 1}, {.family = 4, .bytes = {127, 0, 0, 1}}, {.family = 6, .bytes = {0xfe, 0x80}}};

	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]) * 4; i++) {
		struct hba_client c = {database, user, &peers[i / 4], i % 2 == 0, i / 2 % 2 == 0, is_near};
		const struct hba_rule *rule = NULL;

		if (hba_find(h, &c, &rule) == HBA_NONE)
			continue;
		HOLDS(rule != NULL && rule->line > 0);
		HOLDS((rule->type == HBA_LOCAL) == (peers[i / 4].family == 1));
		(void)ident_check(rule->map, name, user);
	}
	for (unsigned i = 0; hba_rule_at(h, i) != NULL; i++)
		HOLDS(hba_covers(hba_rule_at(h, i), hba_rule_at(h, i)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct files f = {0};
	struct conf_source source = {read_file, list_files, &f};
	char *rules = fuzz_part(&data, &size, &f.rules_len, 0), *maps = fuzz_part(&data, &size, &f.maps_len, 0);
	char *names[3];
	struct conf_error why;
	struct hba *h;
	size_t len;

	f.rules = rules;
	f.maps = maps;
	for (int i = 0; i < 3; i++)
		names[i] = fuzz_part(&data, &size, &len, 1);
	memset(&why, 0, sizeof(why));
	h = hba_load(&source, "rules", maps == NULL ? NULL : "maps", NULL, &why);
	if (h == NULL) {
		HOLDS(why.text[0] != '\0');
	} else {
		ask(h, names[0] == NULL ? "app" : names[0], names[1] == NULL ? "ann" : names[1],
		    names[2] == NULL ? "root" : names[2]);
		shared_unref(hba_shared(h));
	}
	for (int i = 0; i < 3; i++)
		free(names[i]);
	free(rules);
	free(maps);
	return 0;
}
