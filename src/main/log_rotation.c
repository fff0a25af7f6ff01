/*
 * Gives the log file another name and begins a new one. Main thread.
 *
 *   log_rotation_look ─> another file has its name: reopen
 *                     └> too large, or its period is over: set_aside ─> reopen ─> remove_old
 *
 * Several processes may write the same file: a name is taken with an empty file first, which only one of them can make,
 * and the others see at their next look that theirs is not the one any more.
 */
#include "main/log_rotation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/local_time.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/directory.h"
#include "os/error.h"
#include "os/file.h"

#define RETRY_US (60 * US_PER_S)
#define MAX_NAME_BYTES 65536
#define STAMP "-%Y-%m-%d_%H%M%S"
#define STAMP_SHAPE "-dddd-dd-dd_dddddd" /* d: a digit */
#define STAMP_BYTES (sizeof(STAMP_SHAPE) - 1)
#define D "[0-9]"
#define STAMP_PATTERN "-" D D D D "-" D D "-" D D "_" D D D D D D

void log_rotation_fini(struct log_rotation *r)
{
	mem_free(r->path);
	memset(r, 0, sizeof(*r));
}

/* As in PostgreSQL, periods begin at multiples of their length in local time. */
static int64_t period_at(const struct log_rotation *r, int64_t wall_s)
{
	int64_t age_s = (int64_t)(r->age_us / US_PER_S);

	return age_s == 0 ? 0 : (wall_s + local_time_offset_s((time_t)wall_s)) / age_s;
}

bool log_rotation_is_on(const struct log_rotation *r)
{
	return r->path != NULL && (r->size_bytes > 0 || r->age_us > 0);
}

void log_rotation_begin(struct log_rotation *r, const struct settings *s, uint64_t wall_us)
{
	int64_t last_s = (int64_t)(wall_us / US_PER_S);
	struct file_facts facts = {.bytes = 0};

	log_rotation_fini(r);
	if (s->logfile == NULL || s->logfile[0] == '\0')
		return;
	/* a pipe's or a device's name is not ours to give away: /dev/stdout */
	if (file_look(s->logfile, &facts) && !file_is_plain(s->logfile))
		return;
	r->path = mem_copy_str(s->logfile);
	r->size_bytes = s->log_rotation_size_bytes;
	r->age_us = s->log_rotation_age_us;
	r->keep = s->log_rotation_keep;
	/* one that was written before a stop of some days is of that time */
	if (facts.bytes > 0)
		last_s = facts.changed_s;
	r->period = period_at(r, last_s);
}

/* ---- names ---- */

/* Bytes of the path before what is its suffix: "dir/pgweir" of "dir/pgweir.log". */
static size_t stem_len(const char *path)
{
	size_t directory = path_directory_len(path);
	const char *name = path + directory, *dot = strrchr(name, '.');

	return directory + (dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name));
}

/* "dir/pgweir-2026-05-08_120000.log"; false: out of memory. */
static bool put_old_name(struct str *out, const char *path, uint64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / US_PER_S);
	size_t stem = stem_len(path);
	char stamp[64];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), STAMP, &tm);
	str_add(out, path, stem);
	str_add_str(out, stamp);
	str_add_str(out, path + stem);
	return !out->failed;
}

/* A name of an old file of this log, and not one that happens to begin like it. */
static bool is_old_name(const char *name, const char *path)
{
	size_t directory = path_directory_len(path), stem = stem_len(path) - directory;
	const char *shape = STAMP_SHAPE;

	if (strncmp(name, path + directory, stem) != 0)
		return false;
	name += stem;
	for (; *shape != '\0'; shape++, name++)
		if (*shape == 'd' ? *name < '0' || *name > '9' : *name != *shape)
			return false;
	return strcmp(name, path + directory + stem) == 0;
}

/* ---- what goes wrong ---- */

static void tell(struct log_rotation *r, struct log *log, const char *text, const char *hint)
{
	struct log_event e = {.level = LEVEL_WARNING, .text = text, .hint = hint};

	if (!r->failure_told)
		log_event(log, &e);
	r->failure_told = true;
}

/* With errno set. */
static void fail(struct log_rotation *r, struct log *log, const char *to, uint64_t wall_us)
{
	char reason[128], text[1024];

	snprintf(text, sizeof(text), "could not rename log file \"%.300s\" to \"%.300s\": %s", r->path, to,
	         os_error_text(errno, reason, sizeof(reason)));
	tell(r, log, text,
	     "The log goes on in the old file. The account that pgweir runs as needs the right to make, rename and "
	     "remove "
	     "files in that directory; log_rotation_size = 0 and log_rotation_age = 0 leave the file as it is.");
	r->not_before_us = wall_us + RETRY_US;
}

/* Another one has its name, or nobody has any more. With errno set. */
static void fail_to_open(struct log_rotation *r, struct log *log, uint64_t wall_us)
{
	char reason[128], text[512];

	snprintf(text, sizeof(text), "could not open log file \"%.300s\" again: %s", r->path,
	         os_error_text(errno, reason, sizeof(reason)));
	tell(r, log, text, "The log goes on in the file that had this name before.");
	r->not_before_us = wall_us + RETRY_US;
}

/* ---- old files ---- */

static void remove_named(struct log_rotation *r, struct log *log, const char *of, const char *name)
{
	struct str path;
	char reason[128], text[1024];

	str_init(&path, MAX_NAME_BYTES);
	str_add(&path, of, path_directory_len(of));
	str_add_str(&path, name);
	if (!path.failed && !file_remove(str_text(&path)) && errno != ENOENT) {
		snprintf(text, sizeof(text), "could not remove old log file \"%.300s\": %s", str_text(&path),
		         os_error_text(errno, reason, sizeof(reason)));
		tell(r, log, text, NULL);
	}
	str_fini(&path);
}

/* Those of the file `of`. Their names in order are the files in order. */
static void remove_old(struct log_rotation *r, struct log *log, const char *of)
{
	size_t directory_len = path_directory_len(of), n = 0, kept = (size_t)r->keep;
	char *directory = directory_len == 0 ? mem_copy_str(".") : mem_copy(of, directory_len), **names = NULL;
	/* patterns see a leading dot only where they have one */
	const char *pattern = of[directory_len] == '.' ? ".*" STAMP_PATTERN "*" : "*" STAMP_PATTERN "*";

	if (r->keep > 0 && directory != NULL && directory_names(directory, pattern, &names) == 0) {
		for (size_t i = 0; names[i] != NULL; i++)
			n += is_old_name(names[i], of);
		for (size_t i = 0; names[i] != NULL && n > kept; i++) {
			if (!is_old_name(names[i], of))
				continue;
			remove_named(r, log, of, names[i]);
			n--;
		}
	}
	directory_names_free(names);
	mem_free(directory);
}

/* ---- the change ---- */

/* Opens what has the file's name now. False with errno set. */
static bool reopen(struct log_rotation *r, struct log *log, uint64_t wall_us)
{
	int fd = file_open_append(r->path);

	if (fd < 0 || !log_take_file(log, fd))
		return false;
	r->period = period_at(r, (int64_t)(wall_us / US_PER_S));
	return true;
}

/* The file gets the other name, if nobody has it; false with errno set: it has its own. */
static bool set_aside(const char *path, const char *to)
{
	int saved;

	if (!file_make(to))
		return false;
	if (file_rename(path, to))
		return true;
	saved = errno;
	(void)file_remove(to);
	errno = saved;
	return false;
}

/* A link stays, and what it leads to gets the other name: somebody wants the log to be there. */
static void rotate(struct log_rotation *r, struct log *log, uint64_t wall_us)
{
	char *of = path_followed(r->path);
	struct str to;
	int saved;

	str_init(&to, MAX_NAME_BYTES);
	if (of == NULL || !put_old_name(&to, of, wall_us)) {
		errno = ENOMEM;
		fail(r, log, "", wall_us);
	} else if (!set_aside(of, str_text(&to))) {
		/* twice in a second, or another process is doing it: the next look will see */
		if (errno != EEXIST)
			fail(r, log, str_text(&to), wall_us);
	} else if (!reopen(r, log, wall_us)) {
		saved = errno;
		(void)!file_rename(str_text(&to), of);
		errno = saved;
		fail(r, log, str_text(&to), wall_us);
	} else {
		r->failure_told = false;
		remove_old(r, log, of);
	}
	str_fini(&to);
	mem_free(of);
}

/* After a failure; a clock that has been set back meanwhile does not make it longer. */
static bool is_time_to_look(const struct log_rotation *r, uint64_t wall_us)
{
	return wall_us >= r->not_before_us || r->not_before_us - wall_us > RETRY_US;
}

void log_rotation_look(struct log_rotation *r, struct log *log, uint64_t wall_us)
{
	int64_t period = period_at(r, (int64_t)(wall_us / US_PER_S));
	struct file_facts facts;

	if (!log_rotation_is_on(r) || !is_time_to_look(r, wall_us))
		return;
	if (!file_is_at(r->path, log_file(log))) {
		if (reopen(r, log, wall_us))
			r->failure_told = false;
		else
			fail_to_open(r, log, wall_us);
		return;
	}
	if (!file_look(r->path, &facts))
		return;
	if (facts.bytes == 0)
		r->period = period; /* nothing in it would be worth a file of its own */
	if (period != r->period || (r->size_bytes > 0 && facts.bytes >= r->size_bytes))
		rotate(r, log, wall_us);
}
