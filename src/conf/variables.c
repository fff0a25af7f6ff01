/*
 * Which environment variables are for us, by the rows of environment.def, and what they say: their own value, or that
 * of the file that NAME_FILE names. What the values mean is conf/images.c's business. Any thread.
 */
#include "conf/variables.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/entries.h"
#include "conf/entry.h"
#include "conf/value.h"
#include "os/error.h"

#define MAX_NAME 100 /* bytes; longer names are nobody's */
#define MAX_DSN_DIGITS 6

static const struct variable_row rows[] = {
#define VARIABLE(name, image, use, target, standard, doc) {#name, IMAGE_##image, USE_##use, target, standard, doc},
#include "conf/environment.def"
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Nobody sets variables with these beginnings for another program than a pooler, or hardly. */
static const char *const prefixes[] = {"PGBOUNCER_", "DATABASES_", "DATABASE_", "DB_", "POSTGRESQL_"};

#define N_PREFIXES (sizeof(prefixes) / sizeof(prefixes[0]))

const struct variable_row *variable_row_at(unsigned i)
{
	return i < N_ROWS ? &rows[i] : NULL;
}

const struct variable_row *variable_row_of(const char *name)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

const char *image_name(enum image image)
{
	static const char *const names[N_IMAGES] = {"any image", "edoburu/pgbouncer", "pgbouncer/pgbouncer",
	                                            "bitnami/pgbouncer"};

	return names[image];
}

bool variable_is_yes(const char *value)
{
	static const char *const words[] = {"yes", "true", "1", NULL};

	return value_word(value, words) >= 0;
}

/* ---- what is wrong ---- */

/* A place for one more; NULL: there are enough. */
static struct conf_error *next_error(struct variables *v)
{
	struct variable_errors *errors = &v->errors;

	if (errors->n == VARIABLES_MAX_ERRORS)
		return NULL;
	memset(&errors->at[errors->n], 0, sizeof(errors->at[0]));
	return &errors->at[errors->n++];
}

/* `variable` NULL: it is not a single one's fault. */
static void PRINTF(3, 0) fail_with(struct variables *v, const struct variable *variable, const char *fmt, va_list args)
{
	struct conf_error *error = next_error(v);
	char text[600];

	if (error == NULL)
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	if (variable == NULL)
		(void)conf_fail(error, NULL, 0, "%s", text);
	else
		(void)conf_fail(error, NULL, 0, "environment variable %s: %s", variable->said, text);
}

void variable_fail(struct variables *v, const struct variable *variable, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail_with(v, variable, fmt, args);
	va_end(args);
}

void variable_fail_as(struct variables *v, const struct variable *variable, const struct conf_error *why)
{
	struct conf_error *error = next_error(v);

	if (error == NULL)
		return;
	(void)conf_fail(error, NULL, 0, "environment variable %s: %s", variable->said, why->text);
	conf_hint(error, "%s", why->hint);
}

void variables_fail(struct variables *v, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail_with(v, NULL, fmt, args);
	va_end(args);
}

void variables_hint(struct variables *v, const char *fmt, ...)
{
	char text[sizeof(v->errors.at[0].hint)];
	va_list args;

	if (v->errors.n == 0)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	conf_hint(&v->errors.at[v->errors.n - 1], "%s", text);
}

/* ---- names ---- */

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* "pool_mode" of "POOL_MODE"; false if that is not in capitals, or longer than any name. */
static bool to_small(const char *name, char *small, size_t size)
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++) {
		char c = name[i];

		if (i + 1 == size || !((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
		small[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	small[i] = '\0';
	return i > 0;
}

static bool to_capitals(const char *prefix, const char *name, char *capitals, size_t size)
{
	int n = snprintf(capitals, size, "%s%s", prefix, name);

	for (char *c = capitals; *c != '\0'; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	return n > 0 && (size_t)n < size;
}

static const char *find_key(const char *name)
{
	const char *key;

	for (unsigned i = 0; (key = conf_database_key(i)) != NULL; i++)
		if (strcmp(key, name) == 0)
			return key;
	return NULL;
}

static bool is_setting(const char *capitals, struct variable *out)
{
	char name[MAX_NAME];

	if (!to_small(capitals, name, sizeof(name)))
		return false;
	out->image = IMAGE_ANY;
	out->use = USE_SETTING;
	out->setting = setting_find(name);
	if (out->setting != N_SETTINGS)
		return true;
	out->use = USE_UNUSED;
	out->doc = "the command it belonged to is gone";
	return setting_is_dropped(name);
}

static bool is_key(const char *capitals, struct variable *out)
{
	char name[MAX_NAME];

	if (!to_small(capitals, name, sizeof(name)))
		return false;
	out->image = IMAGE_PROJECT;
	out->use = USE_KEY;
	out->target = find_key(name);
	return out->target != NULL;
}

/* PGBOUNCER_DSN_12 */
static bool is_numbered_entry(const char *name, struct variable *out)
{
	const char *digits = name + strlen("PGBOUNCER_DSN_");
	int number;

	if (!starts_with(name, "PGBOUNCER_DSN_") || strspn(digits, "0123456789") != strlen(digits) ||
	    strlen(digits) > MAX_DSN_DIGITS || !value_decimal(digits, &number))
		return false;
	out->image = IMAGE_BITNAMI;
	out->use = USE_ENTRIES;
	out->number = (unsigned)number;
	out->is_numbered = true;
	return true;
}

static void take_row(const struct variable_row *row, struct variable *out)
{
	out->image = row->image;
	out->use = row->use;
	out->target = row->target;
	out->doc = row->doc;
	if (row->use == USE_SETTING)
		out->setting = setting_find(row->target);
}

/* What a variable of this name is for. False: we know none of this name. */
static bool resolve(const struct environment *e, const char *name, struct variable *out)
{
	const struct variable_row *row = variable_row_of(name);

	out->setting = N_SETTINGS;
	if (row != NULL && !(e->is_superuser && strcmp(name, "PGBOUNCER_USER") == 0)) {
		take_row(row, out);
		return true;
	}
	if (is_numbered_entry(name, out))
		return true;
	if (starts_with(name, "PGBOUNCER_") && is_setting(name + strlen("PGBOUNCER_"), out))
		return true;
	if (starts_with(name, "DATABASES_") && is_key(name + strlen("DATABASES_"), out))
		return true;
	/* shells and many programs set USER; and SERVICE_NAME, which is an alias, means something else to many */
	return is_setting(name, out) && strcmp(name, "USER") != 0 && strcmp(name, "SERVICE_NAME") != 0;
}

/* What Kubernetes, and Docker's old links, tell each container about services of these names: nothing that people
   set. */
static bool is_service_link(const char *name, const char *value)
{
	static const char *const schemes[] = {"tcp://", "udp://", "sctp://"};
	const char *port = strstr(name, "_PORT_");

	if (ends_with(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") != NULL)
		return true;
	if (port != NULL && port[6] >= '0' && port[6] <= '9')
		return true;
	for (size_t i = 0; ends_with(name, "_PORT") && i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (starts_with(value, schemes[i]))
			return true;
	return false;
}

static const char *prefix_of(const char *name)
{
	for (size_t i = 0; i < N_PREFIXES; i++)
		if (starts_with(name, prefixes[i]))
			return prefixes[i];
	return NULL;
}

/* The name that was meant, into `best`; false if none is near. Candidates are made one at a time, so the best one is
   copied. */
static bool find_nearest(const char *name, char *best, size_t size)
{
	struct conf_nearest nearest;
	char candidate[MAX_NAME];
	const char *key;

	conf_nearest_init(&nearest, name);
	best[0] = '\0';
#define TRY(prefix, text)                                                                                              \
	do {                                                                                                           \
		size_t before = nearest.distance;                                                                      \
                                                                                                                       \
		if (to_capitals(prefix, text, candidate, sizeof(candidate)))                                           \
			conf_nearest_try(&nearest, candidate);                                                         \
		if (nearest.distance < before)                                                                         \
			snprintf(best, size, "%s", candidate);                                                         \
	} while (0)
	for (size_t i = 0; i < N_ROWS; i++)
		TRY("", rows[i].name);
	for (int id = 0; id < N_SETTINGS; id++)
		TRY("PGBOUNCER_", setting_name((enum setting_id)id));
	for (unsigned i = 0; (key = conf_database_key(i)) != NULL; i++)
		TRY("DATABASES_", key);
#undef TRY
	/* at most half of what is behind the beginning that many have */
	return best[0] != '\0' && 2 * nearest.distance <= strlen(name) - strlen(prefix_of(name));
}

static bool note_unknown(struct variables *v, const char *name)
{
	char best[MAX_NAME];

	if (find_nearest(name, best, sizeof(best)))
		return texts_add(&v->notices, "environment variable %.*s is not known, perhaps %s is meant", MAX_NAME,
		                 name, best);
	return texts_add(&v->notices, "environment variable %.*s is not known", MAX_NAME, name);
}

/* ---- the list ---- */

static void free_variable(struct variable *variable)
{
	if (variable->value != NULL)
		mem_wipe(variable->value, strlen(variable->value));
	mem_free(variable->value);
	mem_free(variable->name);
	mem_free(variable->said);
}

struct variable *variables_find(struct variables *v, const char *name)
{
	for (unsigned i = 0; i < v->n; i++)
		if (strcmp(v->all[i].name, name) == 0)
			return &v->all[i];
	return NULL;
}

/* The environment may have a name twice: the first one counts, as for getenv. */
static bool is_repeated(const struct variables *v, const char *said)
{
	for (unsigned i = 0; i < v->n; i++)
		if (strcmp(v->all[i].said, said) == 0)
			return true;
	return false;
}

static bool make_room(struct variables *v)
{
	unsigned capacity = v->capacity == 0 ? 32 : v->capacity * 2;
	struct variable *all;

	if (v->n < v->capacity)
		return true;
	all = (struct variable *)mem_resize(v->all, capacity * sizeof(v->all[0]));
	if (all == NULL)
		return false;
	v->all = all;
	v->capacity = capacity;
	return true;
}

/* Adds a variable that is like `kind`; false when out of memory. */
static bool add(struct variables *v, const struct variable *kind, const char *name, const char *said, const char *value)
{
	struct variable *variable;

	if (!make_room(v))
		return false;
	variable = &v->all[v->n];
	*variable = *kind;
	variable->name = mem_copy_str(name);
	variable->said = mem_copy_str(said);
	variable->value = mem_copy_str(value);
	if (variable->name != NULL && variable->said != NULL && variable->value != NULL) {
		v->n++;
		return true;
	}
	free_variable(variable);
	return false;
}

/* Compose files set variables to nothing when they mean that they are not set, and the images take it so. These two
   have a meaning when empty: none. */
static bool counts_when_empty(const struct variable *kind)
{
	return kind->use == USE_SETTING &&
	       (kind->setting == SETTING_unix_socket_dir || kind->setting == SETTING_http_listen);
}

static bool take(struct variables *v, const struct variable *kind, const char *name, const char *said,
                 const char *value)
{
	struct variable *other;

	if ((value[0] == '\0' && !counts_when_empty(kind)) || is_repeated(v, said))
		return true;
	other = variables_find(v, name);
	if (other != NULL) {
		variables_fail(v, "environment variables %s and %s are both set", other->said, said);
		variables_hint(v, "Keep one of them.");
		return true;
	}
	return add(v, kind, name, said, value);
}

/* "NAME=value" whose name has `len` bytes. */
static bool look_at(struct variables *v, const struct environment *e, const char *text, size_t len)
{
	const char *value = text + len + 1;
	char said[MAX_NAME + 1], name[MAX_NAME + 1];
	struct variable kind;

	if (len == 0 || len > MAX_NAME)
		return true;
	memcpy(said, text, len);
	said[len] = '\0';
	if (is_service_link(said, value))
		return true;
	memset(&kind, 0, sizeof(kind));
	if (resolve(e, said, &kind))
		return take(v, &kind, said, said, value);
	if (len > 5 && ends_with(said, "_FILE")) {
		memcpy(name, said, len - 5);
		name[len - 5] = '\0';
		memset(&kind, 0, sizeof(kind));
		if (resolve(e, name, &kind))
			return take(v, &kind, name, said, value);
	}
	return value[0] == '\0' || prefix_of(said) == NULL || note_unknown(v, said);
}

/* ---- NAME_FILE ---- */

static bool is_from_file(const struct variable *variable)
{
	return strcmp(variable->name, variable->said) != 0;
}

/* One newline at the end is the editor's. */
static void cut_newline(struct str *content)
{
	if (content->len == 0 || content->data[content->len - 1] != '\n')
		return;
	content->len--;
	if (content->len > 0 && content->data[content->len - 1] == '\r')
		content->len--;
	content->data[content->len] = '\0';
}

/* False if the content is no value. */
static bool check_content(struct variables *v, const struct variable *variable, const struct str *content)
{
	if (content->len == 0)
		variable_fail(v, variable, "file \"%.200s\" is empty", variable->value);
	else if (memchr(content->data, '\0', content->len) != NULL)
		variable_fail(v, variable, "there is a zero byte in file \"%.200s\"", variable->value);
	else
		return true;
	return false;
}

/* bitnami/pgbouncer goes on without such a line, unless it is told not to. */
static bool may_be_missing(struct variables *v, const struct variable *variable)
{
	const struct variable *fails = variables_find(v, "PGBOUNCER_FAIL_ON_INVALID_DSN_FILE");

	return variable->is_numbered && (fails == NULL || !variable_is_yes(fails->value));
}

static bool miss_file(struct variables *v, struct variable *variable, int error)
{
	char path[200], reason[128];

	snprintf(path, sizeof(path), "%s", variable->value);
	if (may_be_missing(v, variable)) {
		variable->value[0] = '\0';
		return texts_add(&v->notices, "environment variable %s has no effect: could not read file \"%s\": %s",
		                 variable->said, path, os_error_text(error, reason, sizeof(reason)));
	}
	if (error == EFBIG)
		variable_fail(v, variable, "file \"%s\" is too long: more than %d bytes", path, ENVIRONMENT_MAX_VALUE);
	else
		variable_fail(v, variable, "could not read file \"%s\": %s", path,
		              os_error_text(error, reason, sizeof(reason)));
	if (error == ENOENT)
		variables_hint(v,
		               "%s is the path of a file that holds the value. Mount it into the container, or set "
		               "%s to the value itself.",
		               variable->said, variable->name);
	return true;
}

/* The content takes the place of the path. False when out of memory. */
static bool read_value(struct variables *v, struct variable *variable, const struct environment *e)
{
	struct str content;
	bool good = true;
	char *value;
	int error;

	str_init(&content, ENVIRONMENT_MAX_VALUE);
	error = e->read(e->context, variable->value, &content);
	if (error == ENOMEM) {
		good = false;
	} else if (error != 0) {
		good = miss_file(v, variable, error);
	} else {
		cut_newline(&content);
		if (check_content(v, variable, &content)) {
			value = mem_copy(content.data, content.len);
			good = value != NULL;
			if (good) {
				mem_free(variable->value);
				variable->value = value;
			}
		}
	}
	conf_forget(&content);
	return good;
}

static bool read_values(struct variables *v, const struct environment *e)
{
	for (unsigned i = 0; i < v->n; i++) {
		struct variable *variable = &v->all[i];

		if (is_from_file(variable)) {
			if (!read_value(v, variable, e))
				return false;
		} else if (strlen(variable->value) > ENVIRONMENT_MAX_VALUE) {
			variable_fail(v, variable, "the value is too long: more than %d bytes", ENVIRONMENT_MAX_VALUE);
		}
	}
	return true;
}

bool variables_read(struct variables *v, const struct environment *e)
{
	memset(v, 0, sizeof(*v));
	for (char *const *at = e->variables; *at != NULL; at++) {
		const char *equals = strchr(*at, '=');

		if (equals != NULL && !look_at(v, e, *at, (size_t)(equals - *at)))
			return false;
	}
	return read_values(v, e);
}

void variables_fini(struct variables *v)
{
	for (unsigned i = 0; i < v->n; i++)
		free_variable(&v->all[i]);
	mem_free(v->all);
	texts_fini(&v->notices);
	memset(v, 0, sizeof(*v));
}
