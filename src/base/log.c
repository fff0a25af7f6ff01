/*
 * The log. Any thread may write: a record is built on the stack and goes out
 * in one write per target. Targets and format are changed by the main thread only;
 * they are atomics, and a file is exchanged under its descriptor number.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/local_time.h"
#include "base/mem.h"
#include "base/printable.h"

#define MARK "..." /* where something was cut off */
#define MARK_BYTES (sizeof(MARK) - 1)
#define HEAD_MAX 128
#define FIELDS_MAX 600 /* names, quotes and numbers of a JSON record */
#define RECORD_MAX (HEAD_MAX + LOG_TEXT_MAX + 2 * LOG_MORE_MAX + 4 * LOG_NAME_MAX + 3 * LOG_WORD_MAX + FIELDS_MAX)

struct log {
	atomic_int file_fd; /* -1: no file */
	atomic_bool to_stderr;
	atomic_int max_level;
	atomic_int format; /* enum log_format */
	log_sink *_Atomic sink;
	log_journal *_Atomic journal;
};

static const char *const level_word[] = {"FATAL", "ERROR", "WARNING", "LOG", "DEBUG", "NOISE"};

struct log *log_new(void)
{
	struct log *l = mem_new(struct log);

	if (l == NULL)
		return NULL;
	atomic_init(&l->file_fd, -1);
	atomic_init(&l->to_stderr, true);
	atomic_init(&l->max_level, LEVEL_LOG);
	atomic_init(&l->format, LOG_FORMAT_TEXT);
	atomic_init(&l->sink, NULL);
	atomic_init(&l->journal, NULL);
	return l;
}

void log_free(struct log *l)
{
	int fd;

	if (l == NULL)
		return;
	fd = atomic_load(&l->file_fd);
	if (fd >= 0)
		close(fd);
	mem_free(l);
}

bool log_take_file(struct log *l, int fd)
{
	int old = atomic_load(&l->file_fd), saved;
	bool good;

	if (fd < 0 || old < 0) {
		atomic_store(&l->file_fd, fd);
		if (old >= 0)
			close(old);
		return true;
	}
	/* the number stays valid for threads that are about to write */
	good = dup2(fd, old) >= 0;
	saved = errno;
	close(fd);
	errno = saved;
	return good;
}

int log_file(const struct log *l)
{
	return atomic_load(&l->file_fd);
}

void log_set_stderr(struct log *l, bool on)
{
	atomic_store(&l->to_stderr, on);
}

void log_set_format(struct log *l, enum log_format format)
{
	atomic_store(&l->format, (int)format);
}

void log_set_sink(struct log *l, log_sink *sink)
{
	atomic_store(&l->sink, sink);
}

void log_set_journal(struct log *l, log_journal *journal)
{
	atomic_store(&l->journal, journal);
}

void log_set_verbose(struct log *l, int verbose)
{
	atomic_store(&l->max_level, LEVEL_LOG + (verbose < 0 ? 0 : verbose > 2 ? 2 : verbose));
}

bool log_wants(const struct log *l, enum log_level level)
{
	return (int)level <= atomic_load_explicit(&l->max_level, memory_order_relaxed);
}

/* ---- building ---- */

/* A record under construction. The parts' limits add up to less than its size, so that none can push out another. */
struct record {
	char data[RECORD_MAX];
	size_t len;
};

/* How newlines of a text are written. */
enum breaks {
	BREAK_BLANK, /* the text stays one line */
	BREAK_TAB    /* newline and tab */
};

static void put(struct record *r, const char *bytes, size_t len)
{
	if (len > sizeof(r->data) - 1 - r->len) /* cannot happen while RECORD_MAX is right */
		len = sizeof(r->data) - 1 - r->len;
	memcpy(r->data + r->len, bytes, len);
	r->len += len;
}

static void put_text(struct record *r, const char *text)
{
	put(r, text, strlen(text));
}

/* A character as it is written into a line of text: its bytes in `out`. */
static size_t plain_char(const char *at, struct printable_char c, enum breaks breaks, char out[4])
{
	if (c.kind == PRINTABLE_PLAIN) {
		memcpy(out, at, c.len);
		return c.len;
	}
	if (c.code == '\n' && breaks == BREAK_TAB) {
		memcpy(out, "\n\t", 2);
		return 2;
	}
	out[0] = c.code == '\t' ? '\t' : c.code == '\n' ? ' ' : '?';
	return 1;
}

/* The same inside a JSON string. */
static size_t json_char(const char *at, struct printable_char c, char out[8])
{
	const char *escape = "\"\"\\\\\nn\tt\rr";

	if (c.kind == PRINTABLE_INVALID) {
		memcpy(out, "\xef\xbf\xbd", 3);
		return 3;
	}
	for (; *escape != '\0'; escape += 2) {
		if (c.code != (unsigned char)escape[0])
			continue;
		out[0] = '\\';
		out[1] = escape[1];
		return 2;
	}
	if (c.kind == PRINTABLE_PLAIN) {
		memcpy(out, at, c.len);
		return c.len;
	}
	return (size_t)snprintf(out, 8, "\\u%04x", (unsigned)c.code & 0xffffu); /* none is above */
}

/* At most `max` bytes of it, the mark included. */
static void put_plain(struct record *r, size_t max, enum breaks breaks, const char *text)
{
	size_t left = strlen(text), end = r->len + max;

	while (left > 0) {
		struct printable_char c = printable_first(text, left);
		char out[4];
		size_t len = plain_char(text, c, breaks, out);

		if (r->len + len + MARK_BYTES > end) {
			put_text(r, MARK);
			return;
		}
		put(r, out, len);
		text += c.len;
		left -= c.len;
	}
}

static void put_json(struct record *r, size_t max, const char *text)
{
	size_t left = strlen(text), end = r->len + max;

	while (left > 0) {
		struct printable_char c = printable_first(text, left);
		char out[8];
		size_t len = json_char(text, c, out);

		if (r->len + len + MARK_BYTES > end) {
			put_text(r, MARK);
			return;
		}
		put(r, out, len);
		text += c.len;
		left -= c.len;
	}
}

/* ---- text ---- */

/* "2026-05-08 12:00:00.123 UTC [pid] LEVEL " */
static void put_head(struct record *r, enum log_level level, uint64_t now_us)
{
	time_t seconds = (time_t)(now_us / US_PER_S);
	struct tm tm;
	char day[32], zone[32], head[HEAD_MAX];

	localtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm);
	local_time_zone(&tm, seconds, zone, sizeof(zone));
	snprintf(head, sizeof(head), "%s.%03u %s [%ld] %s ", day, (unsigned)(now_us % US_PER_S / US_PER_MS), zone,
	         (long)getpid(), level_word[level]);
	put_text(r, head);
}

static void put_more(struct record *r, const char *label, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	put_text(r, label);
	put_plain(r, LOG_MORE_MAX, BREAK_TAB, text);
}

/* Everything behind the head. */
static void put_body(struct record *r, const struct log_event *e, enum breaks breaks)
{
	if (e->who != NULL) {
		put_plain(r, 3 * LOG_NAME_MAX, BREAK_BLANK, e->who);
		put_text(r, " ");
	}
	put_plain(r, LOG_TEXT_MAX, breaks, e->text == NULL ? "" : e->text);
	put_more(r, "\n\tDETAIL: ", e->detail);
	put_more(r, "\n\tHINT: ", e->hint);
}

/* ---- JSON ---- */

static void put_string(struct record *r, const char *name, size_t max, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	put_text(r, ",\"");
	put_text(r, name);
	put_text(r, "\":\"");
	put_json(r, max, value);
	put_text(r, "\"");
}

static void put_number(struct record *r, const char *name, uint64_t value)
{
	char text[64];

	if (value == 0)
		return;
	snprintf(text, sizeof(text), ",\"%s\":%" PRIu64, name, value);
	put_text(r, text);
}

/* RFC 3339: "2026-05-08T12:00:00.123+00:00" */
static void put_time(struct record *r, uint64_t now_us)
{
	time_t seconds = (time_t)(now_us / US_PER_S);
	struct local_time_ahead a = local_time_ahead_of_utc(seconds);
	struct tm tm;
	char day[32], text[HEAD_MAX];

	localtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "{\"time\":\"%s.%03u%c%02u:%02u\"", day, (unsigned)(now_us % US_PER_S / US_PER_MS),
	         a.sign, a.hours, a.minutes);
	put_text(r, text);
}

static void put_object(struct record *r, const struct log_event *e, uint64_t now_us)
{
	put_time(r, now_us);
	put_string(r, "level", LOG_WORD_MAX, level_word[e->level]);
	put_number(r, "pid", (uint64_t)getpid());
	put_string(r, "event", LOG_WORD_MAX, e->event);
	put_string(r, "class", LOG_WORD_MAX, e->class);
	put_string(r, "database", LOG_NAME_MAX, e->database);
	put_string(r, "user", LOG_NAME_MAX, e->user);
	put_string(r, "host", LOG_NAME_MAX, e->host);
	put_string(r, "address", LOG_NAME_MAX, e->address);
	put_number(r, "port", e->port > 0 ? (uint64_t)e->port : 0);
	put_number(r, "client", e->client);
	put_number(r, "server", e->server);
	put_string(r, "incident", LOG_WORD_MAX, e->incident);
	put_number(r, "count", e->count);
	put_string(r, "text", LOG_TEXT_MAX, e->text);
	put_string(r, "detail", LOG_MORE_MAX, e->detail);
	put_string(r, "hint", LOG_MORE_MAX, e->hint);
	put_text(r, "}");
}

/* ---- writing ---- */

static void write_to(int fd, const struct record *r)
{
	/* a log that cannot be written has nobody to tell */
	ssize_t n = write(fd, r->data, (unsigned)r->len);

	(void)n;
}

/* Those who know level and time themselves get the text alone. */
static void write_bodies(struct log *l, const struct log_event *e, enum breaks breaks, log_journal *journal)
{
	log_sink *sink = e->level > LEVEL_LOG ? NULL : atomic_load(&l->sink);
	struct record r;

	if (sink == NULL && journal == NULL)
		return;
	r.len = 0;
	put_body(&r, e, breaks);
	r.data[r.len] = '\0';
	if (sink != NULL)
		sink(e, r.data);
	if (journal == NULL || journal(e->level, r.data))
		return;
	r.len = 0;
	put_head(&r, e->level, clock_wall_us());
	put_body(&r, e, breaks);
	put_text(&r, "\n");
	write_to(STDERR_FILENO, &r);
}

static void write_record(struct log *l, const struct log_event *e, enum breaks breaks)
{
	bool json = atomic_load(&l->format) == LOG_FORMAT_JSON, to_stderr = atomic_load(&l->to_stderr);
	log_journal *journal = json || !to_stderr ? NULL : atomic_load(&l->journal);
	int fd = atomic_load(&l->file_fd);
	uint64_t now_us = clock_wall_us();
	struct record r;

	r.len = 0;
	if (json) {
		put_object(&r, e, now_us);
	} else {
		put_head(&r, e->level, now_us);
		put_body(&r, e, breaks);
	}
	put_text(&r, "\n");
	if (fd >= 0)
		write_to(fd, &r);
	if (to_stderr && journal == NULL)
		write_to(STDERR_FILENO, &r);
	write_bodies(l, e, breaks, journal);
}

void log_event(struct log *l, const struct log_event *e)
{
	if (log_wants(l, e->level))
		write_record(l, e, BREAK_BLANK);
}

void log_name_connection(const struct log_event *e, char side, const void *connection, char who[LOG_WHO_BYTES])
{
	bool v6 = strchr(e->address, ':') != NULL;

	snprintf(who, LOG_WHO_BYTES, "%c-0x%" PRIxPTR ": %.*s/%.*s@%s%s%s:%d", side, (uintptr_t)connection,
	         LOG_NAME_MAX, e->database, LOG_NAME_MAX, e->user, v6 ? "[" : "", e->address, v6 ? "]" : "", e->port);
}

void log_write(struct log *l, enum log_level level, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX + 2]; /* one byte more than fits: then it is seen that something is cut off */
	struct log_event e = {.level = level, .text = text};
	va_list args;

	if (!log_wants(l, level))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	write_record(l, &e, BREAK_TAB);
}
