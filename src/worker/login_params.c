/* Which start-up parameters are followed, passed on, ignored and refused (reference: PgBouncer 1.26). Thread: the
 * client's worker.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/stream.h"
#include "os/process.h"
#include "worker/login.h"
#include "worker/params.h"

#define HINT_MAX 4096u
#define APPLICATION_NAME_MOST 1024u
#define OWN_MOST_BYTES 8192u      /* of one value */
#define OPTIONS_MOST_BYTES 16384u /* of a replication connection */
#define OPTIONS_TOO_LONG "It may have 16384 bytes on a replication connection."
#define REPLICATION_MOST_BYTES 65536u
#define NAME_BEFORE_HOST 128u /* bytes of it that the client's address is added to */
#define HOST_NAME_BYTES 256u
#define OWN_TOO_LONG "One value may have 8192 bytes, all session parameters of a client together 16384."

static const char *const tracked_names[] = {
    "client_encoding",  "DateStyle",     "TimeZone",    "standard_conforming_strings",
    "application_name", "IntervalStyle", "search_path", "default_transaction_read_only",
    "scram_iterations"};

static bool is_tracked(const struct client *c, const char *name)
{
	for (size_t i = 0; i < sizeof(tracked_names) / sizeof(tracked_names[0]); i++)
		if (strcasecmp(name, tracked_names[i]) == 0)
			return true;
	return conf_list_has_parameter(c->worker->config->settings.track_extra_parameters, name);
}

static bool is_ignored(const struct client *c, const char *name)
{
	return conf_list_has_parameter(c->worker->config->settings.ignore_startup_parameters, name);
}

/* Asked for by JDBC and others at every start, and the same as the default since PostgreSQL 12. */
static bool changes_nothing(const char *name, const char *value)
{
	return strcasecmp(name, "extra_float_digits") == 0 && value[0] >= '1' && value[0] <= '3' && value[1] == '\0';
}

/* ---- refusing ---- */

static bool is_plain_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
	size_t len = strlen(name);

	return len > 0 && len < 64 && strspn(name, letters) == len;
}

/* Not those that only a start-up packet can have. */
static bool can_be_set(const char *name)
{
	static const char *const never[] = {"user", "database", "options", "replication"};

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strcasecmp(name, never[i]) == 0)
			return false;
	return !params_is_fixed(name) && strncmp(name, "_pq_.", 5) != 0;
}

/* The line of the configuration with this name added. */
static void add_line(struct str *hint, const char *setting, const char *list, const char *name)
{
	bool has_list = list != NULL && list[strspn(list, " \t")] != '\0';

	str_printf(hint, "\"%s = %s%s%s\"", setting, has_list ? list : "", has_list ? ", " : "", name);
}

static enum step refuse_with(struct client *c, const char *text, const char *detail, const char *hint)
{
	bool compatible = c->worker->config->settings.error_sqlstate == ERROR_SQLSTATE_COMPATIBLE;
	struct words words = {"FATAL", compatible ? SQLSTATE_PROTOCOL : SQLSTATE_NOT_SUPPORTED, text, detail, hint};

	client_note(c, "client_parameters", NULL, text, hint);
	client_fail(c, &words);
	return STEP_CLOSED;
}

/* One that is neither followed nor ignored: which setting would let it in, and as what. */
static enum step refuse_name(struct client *c, const char *where, const char *name)
{
	const struct settings *set = &c->worker->config->settings;
	char text[256];
	enum step step;
	struct str hint;

	snprintf(text, sizeof(text), "unsupported startup parameter%s: %.128s", where, name);
	if (!is_plain_name(name))
		return refuse_with(c, text, NULL, NULL);
	str_init(&hint, HINT_MAX);
	str_add_str(&hint, "To let such clients in without it, set ");
	add_line(&hint, "ignore_startup_parameters", set->ignore_startup_parameters, name);
	str_add_str(&hint, " in the section [pgbouncer] and reload.");
	if (can_be_set(name)) {
		str_add_str(&hint, " To have it set on each server that the client is given, set ");
		add_line(&hint, "track_extra_parameters", set->track_extra_parameters, name);
		str_add_str(&hint, " and restart.");
	}
	step = refuse_with(c, text, NULL, hint.failed ? NULL : str_text(&hint));
	str_fini(&hint);
	return step;
}

static enum step refuse_size(struct client *c, const char *name, const char *detail)
{
	char text[192];

	snprintf(text, sizeof(text), "startup parameter is too long: %.128s", name);
	return refuse_with(c, text, detail, NULL);
}

static enum step set_own(struct client *c, const char *name, const char *value)
{
	struct login *l = c->login;
	struct params *with;

	if (strlen(value) > OWN_MOST_BYTES || !params_have_room(l->own, name, value))
		return refuse_size(c, name, OWN_TOO_LONG);
	with = params_with(l->own, name, value);
	if (with == NULL)
		return login_no_memory(c);
	l->own = with;
	return STEP_WAIT;
}

/* Its front, `most` bytes at most, cut between characters of UTF-8. */
static size_t front_of(const char *value, size_t most)
{
	size_t len = strnlen(value, most + 1);

	if (len <= most)
		return len;
	len = most;
	while (len > 0 && ((unsigned char)value[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* PostgreSQL keeps 63 bytes of it; so a longer one is cut, never refused. */
static enum step set_application_name(struct client *c, const char *value)
{
	size_t len = front_of(value, APPLICATION_NAME_MOST);
	char *cut;
	enum step step;

	if (value[len] == '\0')
		return set_own(c, "application_name", value);
	cut = (char *)mem_copy(value, len);
	if (cut == NULL)
		return login_no_memory(c);
	step = set_own(c, "application_name", cut);
	mem_free(cut);
	return step;
}

/* Followed, ignored or refused; `where` is part of what the client is told. */
static enum step take_setting(struct client *c, const char *where, const char *name, const char *value,
                              bool ignore_unknown)
{
	if (is_ignored(c, name))
		return STEP_WAIT;
	if (strcasecmp(name, "application_name") == 0)
		return set_application_name(c, value);
	if (is_tracked(c, name))
		return set_own(c, name, value);
	if (ignore_unknown || changes_nothing(name, value))
		return STEP_WAIT;
	return refuse_name(c, where, name);
}

/* One "-c name=value" of the parameter "options". */
struct option_walk {
	struct client *c;
	bool ignore_unknown;
};

static bool take_option(void *arg, const char *name, const char *value)
{
	struct option_walk *walk = (struct option_walk *)arg;

	return take_setting(walk->c, " in options", name, value, walk->ignore_unknown) != STEP_CLOSED;
}

static enum step take_options(struct client *c, struct bytes value)
{
	struct option_walk walk = {.c = c, .ignore_unknown = is_ignored(c, "options")};

	switch (startup_options(value.data, value.len, take_option, &walk)) {
	case OPTIONS_DONE:
		return STEP_WAIT;
	case OPTIONS_FORM:
		return login_refuse(c, "client_parameters", SQLSTATE_NOT_SUPPORTED, OPTIONS_FORM_TEXT);
	case OPTIONS_STOPPED:
		return STEP_CLOSED;
	case OPTIONS_NO_MEMORY:
		break;
	}
	return login_no_memory(c);
}

static bool begins(const char *word, size_t least, const char *value)
{
	size_t len = strlen(value);

	return len >= least && len <= strlen(word) && strncasecmp(word, value, len) == 0;
}

/* "database", or what PostgreSQL reads as true; PgBouncer takes anything else for no. */
static bool wants_replication(const char *value)
{
	return strcmp(value, "database") == 0 || begins("true", 1, value) || begins("yes", 1, value) ||
	       begins("on", 2, value) || strcmp(value, "1") == 0;
}

static enum step take_param(struct client *c, bool replicates, struct bytes name, struct bytes value)
{
	if (strcmp(name.data, "user") == 0 || strcmp(name.data, "database") == 0 || startup_is_protocol_option(name))
		return STEP_WAIT;
	if (strcmp(name.data, "replication") == 0)
		return STEP_WAIT;
	if (strcmp(name.data, "options") == 0)
		return replicates ? STEP_WAIT : take_options(c, value);
	return take_setting(c, "", name.data, value.data, false);
}

/* As PgBouncer writes it: "10.0.0.5:4711", "[::1]:4711", "unix(1234@machine):6432". */
static void write_host(const struct client *c, char *text, size_t size)
{
	const struct peer *peer = stream_peer(c->stream);
	char addr[96], machine[HOST_NAME_BYTES];

	(void)peer_text(peer, addr, sizeof(addr));
	if (peer->family == PEER_UNIX)
		snprintf(text, size, "unix(%d@%s):%d", (int)peer_pid(peer), os_machine_name(machine, sizeof(machine)),
		         c->worker->config->settings.listen_port);
	else
		snprintf(text, size, peer->family == PEER_V6 ? "[%s]:%u" : "%s:%u", addr, peer->port);
}

static enum step add_host_to_name(struct client *c)
{
	const char *name = params_value(c->login->own, "application_name");
	char host[128 + HOST_NAME_BYTES], text[NAME_BEFORE_HOST + sizeof(host) + 4];

	if (name == NULL || name[0] == '\0')
		name = "app";
	write_host(c, host, sizeof(host));
	snprintf(text, sizeof(text), "%.*s - %s", (int)front_of(name, NAME_BEFORE_HOST), name, host);
	return set_own(c, "application_name", text);
}

/* ---- replication connections: their server is opened for them, with what they ask for ---- */

static bool is_replication(const struct startup *s, struct bytes *value)
{
	return startup_find_param(s, "replication", value) && wants_replication(value->data);
}

static void add_pair(struct str *out, const char *name, const char *value)
{
	str_add(out, name, strlen(name) + 1);
	str_add(out, value, strlen(value) + 1);
}

/* For the start-up message to its server: "options" as they came, and what its session shall have from the start. */
static enum step take_replication(struct client *c, const struct startup *s, struct bytes value)
{
	struct replication *r;
	const char *name, *own;
	struct bytes options;
	struct str out;

	str_init(&out, REPLICATION_MOST_BYTES);
	add_pair(&out, "replication", value.data);
	if (startup_find_param(s, "options", &options)) {
		if (options.len > OPTIONS_MOST_BYTES)
			return refuse_size(c, "options", OPTIONS_TOO_LONG);
		add_pair(&out, "options", options.data);
	}
	for (unsigned i = 0; params_at(c->login->own, i, &name, &own); i++)
		add_pair(&out, name, own);
	r = out.failed ? NULL : (struct replication *)mem_alloc(sizeof(*r) + out.len);
	if (r != NULL) {
		r->kind = strcmp(value.data, "database") == 0 ? REPLICATION_LOGICAL : REPLICATION_PHYSICAL;
		r->len = out.len;
		memcpy(r->params, out.data, out.len);
	}
	str_fini(&out);
	c->login->replication = r;
	return r == NULL ? login_no_memory(c) : STEP_WAIT;
}

enum step login_take_params(struct client *c, const struct startup *s)
{
	const char *at = NULL;
	struct bytes name, value, kind;
	bool replicates = is_replication(s, &kind);

	c->login->physical = replicates && strcmp(kind.data, "database") != 0;
	while (startup_next_param(s, &at, &name, &value)) {
		enum step step = take_param(c, replicates, name, value);

		if (step == STEP_CLOSED)
			return step;
	}
	if (c->worker->config->settings.application_name_add_host && add_host_to_name(c) == STEP_CLOSED)
		return STEP_CLOSED;
	return replicates && !c->login->console ? take_replication(c, s, kind) : STEP_WAIT;
}
