/* SHOW BACKENDS: what main knows about each address of PostgreSQL. Main thread. */
#include "admin/console.h"
#include "admin/metrics.h"
#include "admin/rows.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "base/clock.h"
#include "net/loop.h"
#include "pool/backend.h"

/* clang-format off */
#define BACKENDS_COLUMNS \
    COLUMN_TEXT("host"),         COLUMN_TEXT("addr"), \
    COLUMN_INT("port"),          COLUMN_TEXT("state"), \
    COLUMN_TEXT("since"),        COLUMN_TEXT("last_success"), \
    COLUMN_TEXT("last_failure"), COLUMN_TEXT("failure_class"), \
    COLUMN_TEXT("failure"),      COLUMN_BIG("attempts"), \
    COLUMN_INT("failures"),      COLUMN_BIG("next_attempt_ms"), \
    COLUMN_INT("pools_waiting"), COLUMN_BIG("connect_query_failures"), \
    COLUMN_BIG("resolve_us"),    COLUMN_BIG("connect_us"), \
    COLUMN_BIG("tls_us"),        COLUMN_BIG("authenticate_us"), \
    COLUMN_TEXT("role")
/* clang-format on */

const struct message_column backends_columns[] = {BACKENDS_COLUMNS, {NULL, 0, 0}};
const struct message_column backend_hints_columns[] = {BACKENDS_COLUMNS, COLUMN_TEXT("hint"), {NULL, 0, 0}};

const struct message_column backend_times_columns[] = {
    COLUMN_TEXT("host"), COLUMN_TEXT("addr"),   COLUMN_INT("port"), COLUMN_INT("up"),
    COLUMN_BIG("login"), COLUMN_BIG("failure"), {NULL, 0, 0},
};

static const char *state_text(const struct backend *b, uint64_t now_us)
{
	if (b->down)
		return "down";
	if (backend_silent_since_us(b, now_us) != 0)
		return "silent";
	if (b->overtaken_us != 0)
		return "slow"; /* another host answered sooner by far */
	return b->success_us > 0 ? "up" : "unknown";
}

/* Loop time as wall clock; never: NULL. */
static void put_time(struct row *r, const struct view *v, uint64_t at_us)
{
	if (at_us == 0)
		row_text(r, NULL);
	else
		row_time(r, at_us + v->wall_offset_us);
}

/* NULL: none is planned, for nothing is wrong or nobody wants one. */
static void put_next_attempt(struct row *r, const struct backend *b, uint64_t now_us)
{
	if (!b->down)
		row_text(r, NULL);
	else
		row_number(r, b->retry.next_try_us > now_us ? (b->retry.next_try_us - now_us) / US_PER_MS : 0);
}

static void put_phases(struct row *r, const struct backend *b)
{
	const uint64_t phases[] = {b->good.resolve_us, b->good.connect_us, b->good.tls_us, b->good.auth_us};

	for (unsigned i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (b->login_us == 0)
			row_text(r, NULL);
		else
			row_number(r, phases[i]);
	}
}

static void put_place(struct row *r, const struct backend *b)
{
	bool local = address_is_unix(&b->address);
	char text[128];

	row_text(r, b->host);
	row_text(r, local ? b->address.u.local.sun_path : address_text(&b->address, text, sizeof(text)));
	row_int(r, address_port(&b->address));
}

static void put_backend(struct row *r, const struct view *v, const struct backend *b, uint64_t now_us)
{
	put_place(r, b);
	row_text(r, state_text(b, now_us));
	put_time(r, v,
	         b->down || backend_silent_since_us(b, now_us) == 0 ? b->since_us : backend_silent_since_us(b, now_us));
	put_time(r, v, b->login_us);
	put_time(r, v, b->failure_us);
	row_text(r, b->failure_us == 0 ? NULL : b->last_class);
	row_text(r, b->failure_us == 0 ? NULL : b->last_text);
	row_number(r, b->total_attempts);
	row_int(r, b->n_failures);
	put_next_attempt(r, b, now_us);
	row_int(r, list_count(&b->blocked));
	row_number(r, b->n_connect_query_failed);
	put_phases(r, b);
	row_text(r, server_role_name(b->role));
}

/* Whether it answers, as far as known: NULL is "nobody has tried yet". */
static void put_up(struct row *r, const struct backend *b, uint64_t now_us)
{
	if (b->down || backend_silent_since_us(b, now_us) != 0)
		row_number(r, 0);
	else if (b->success_us > 0)
		row_number(r, 1);
	else
		row_text(r, NULL);
}

/* Counted from the clock as it was when the process began, so that the same moment is the same number each time. */
static void put_wall_us(struct row *r, const struct view *v, uint64_t at_us)
{
	if (at_us == 0)
		row_text(r, NULL);
	else
		row_number(r, at_us + v->console->control->opener->wall_offset_us);
}

static void put_backend_times(struct view *v, const struct backend *b, uint64_t now_us)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	put_place(&r, b);
	put_up(&r, b, now_us);
	put_wall_us(&r, v, b->login_us);
	put_wall_us(&r, v, b->failure_us);
	row_end(&r);
}

/* For /metrics: times as numbers. */
void show_backend_times(struct view *v)
{
	const struct control *control = v->console->control;
	uint64_t now_us = loop_now_us(control->loop);
	struct list *node;

	list_each (node, &control->opener->backends.all)
		put_backend_times(v, container_of(node, struct backend, on_all), now_us);
}

/* `with_hint`: a further column, what to do about the last failure. */
static void write_backends(struct view *v, bool with_hint)
{
	const struct control *control = v->console->control;
	uint64_t now_us = loop_now_us(control->loop);
	struct list *node;

	list_each (node, &control->opener->backends.all) {
		const struct backend *b = container_of(node, struct backend, on_all);
		struct row r;

		row_begin(&r, &v->out, v->n_columns);
		put_backend(&r, v, b, now_us);
		if (with_hint)
			row_text(&r, b->failure_us == 0 ? NULL : b->last_hint);
		row_end(&r);
	}
}

void show_backends(struct view *v)
{
	write_backends(v, false);
}

void show_backend_hints(struct view *v)
{
	write_backends(v, true);
}
