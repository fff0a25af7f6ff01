/* What a configuration of PgBouncer gets otherwise here. Pure; main thread. */
#include <string.h>

#include "base/clock.h"
#include "main/check_offline.h"

#define NEAR_RETRY_US (2 * US_PER_S) /* the longest pause after most failures; pool/outages.c */

static bool is_changed(const struct config *c, enum setting_id id)
{
	struct str text;
	const char *standard = setting_default(id);
	bool has_value, changed;

	str_init(&text, 65536);
	has_value = setting_text(&c->settings, id, &text);
	changed = strcmp(has_value ? str_text(&text) : "", standard == NULL ? "" : standard) != 0;
	str_fini(&text);
	return changed;
}

/* Who has set server_down_wait knows of it. */
static bool tells_before_it_times_out(const struct config *c, enum setting_id id)
{
	return is_changed(c, id) && !is_changed(c, SETTING_server_down_wait) &&
	       (c->settings.query_wait_timeout_us == 0 ||
	        c->settings.query_wait_timeout_us > c->settings.server_down_wait_us);
}

static bool tries_sooner(const struct config *c, enum setting_id id)
{
	return is_changed(c, id) && c->settings.server_down_wait_us != 0 &&
	       c->settings.server_login_retry_us > NEAR_RETRY_US;
}

static bool has_rules(const struct config *c, enum setting_id id)
{
	return is_changed(c, id) && c->settings.auth_type == AUTH_TYPE_HBA;
}

static bool finds_servers_by_default(const struct config *c, enum setting_id id)
{
	const char *directory = c->settings.unix_socket_dir;
	const struct conf_database *d;

	for (unsigned i = 0; (d = config_database(c, i)) != NULL; i++)
		if (d->host == NULL)
			return !is_changed(c, id) && directory != NULL && directory[0] != '\0';
	return false;
}

#define CHANGED is_changed

static const struct {
	enum setting_id id;
	bool (*applies)(const struct config *c, enum setting_id id);
	const char *text, *hint;
} rows[] = {
#define DIFFERENCE(setting, applies, text, hint) {SETTING_##setting, applies, text, hint},
#include "main/check_differences.def"
};

/* The text with the setting's value for "%s". */
static void put(struct str *out, const char *text, const char *value)
{
	const char *at = strstr(text, "%s");

	if (at == NULL) {
		str_add_str(out, text);
		return;
	}
	str_add(out, text, (size_t)(at - text));
	str_add_str(out, value);
	str_add_str(out, at + 2);
}

void check_differences(struct findings *f, const struct config *c)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str value, text;
		struct finding *n;

		if (!rows[i].applies(c, rows[i].id))
			continue;
		str_init(&value, 65536);
		str_init(&text, 131072);
		(void)setting_text(&c->settings, rows[i].id, &value);
		put(&text, rows[i].text, str_text(&value));
		n = findings_add(f, SEVERITY_NOTE, "PgBouncer", "%s", str_text(&text));
		if (rows[i].hint[0] != '\0')
			finding_remedy(n, "%s", rows[i].hint);
		str_fini(&value);
		str_fini(&text);
	}
}
