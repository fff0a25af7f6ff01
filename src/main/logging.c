/* Applies logfile, log_format, syslog and verbose to the process's log. Main thread. */
#include "main/logging.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "diag/event_id.h"
#include "os/error.h"
#include "os/file.h"
#include "os/process.h"
#include "os/service.h"

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

/* For a service without syslog: what somebody has to see, and when it starts and ends. */
static void to_service_log(const struct log_event *e, const char *text)
{
	if (e->level <= LEVEL_WARNING || event_is_of_life(e))
		os_syslog_sink(e, text);
}

/* A service's own name is the better one unless another was asked for: several services have the same default. */
static const char *ident_of(const struct settings *s)
{
	const char *service = service_log_name(), *ident = or_empty(s->syslog_ident);

	return service == NULL || (s->syslog && strcmp(ident, setting_default(SETTING_syslog_ident)) != 0) ? ident
	                                                                                                   : service;
}

static void begin_service_log(struct logging *l)
{
	if (service_log_name() == NULL)
		return;
	os_syslog_open(service_log_name(), "", event_id);
	log_set_sink(l->log, to_service_log);
}

void logging_init(struct logging *l, struct log *log, int verbose, bool quiet)
{
	memset(l, 0, sizeof(*l));
	l->log = log;
	l->verbose = verbose;
	l->quiet = quiet;
	log_set_verbose(log, verbose);
	log_set_stderr(log, !quiet);
	if (service_has_journal())
		log_set_journal(log, service_journal);
	begin_service_log(l);
}

static void close_syslog(struct logging *l)
{
	if (l->ident == NULL)
		return;
	log_set_sink(l->log, NULL);
	os_syslog_close();
	mem_free(l->ident);
	mem_free(l->facility);
	l->ident = l->facility = NULL;
}

void logging_fini(struct logging *l)
{
	close_syslog(l);
	log_rotation_fini(&l->rotation);
	if (service_log_name() == NULL)
		return;
	log_set_sink(l->log, NULL);
	os_syslog_close();
}

static bool explain(const char *path, char *why, size_t size)
{
	char reason[128];

	snprintf(why, size, "could not open log file \"%s\": %s", path, os_error_text(errno, reason, sizeof(reason)));
	return false;
}

bool logging_check(const struct settings *s, char *why, size_t size)
{
	int fd;

	if (s->logfile == NULL || s->logfile[0] == '\0')
		return true;
	fd = file_open_append(s->logfile);
	if (fd < 0)
		return explain(s->logfile, why, size);
	close(fd);
	return true;
}

/* Without memory for the names the system log stays closed: the other targets go on. */
static void apply_syslog(struct logging *l, const struct settings *s)
{
	const char *ident = ident_of(s), *facility = or_empty(s->syslog_facility);

	if (s->syslog && l->ident != NULL && strcmp(l->ident, ident) == 0 && strcmp(l->facility, facility) == 0)
		return;
	close_syslog(l);
	if (!s->syslog) {
		begin_service_log(l);
		return;
	}
	l->ident = mem_copy_str(ident);
	l->facility = mem_copy_str(facility);
	if (l->ident == NULL || l->facility == NULL) {
		mem_free(l->ident);
		mem_free(l->facility);
		l->ident = l->facility = NULL;
		log_write(l->log, LEVEL_ERROR, "could not open the system log: out of memory");
		return;
	}
	os_syslog_open(l->ident, l->facility, event_id);
	log_set_sink(l->log, os_syslog_sink);
}

/* False with errno set. */
static bool open_file(struct logging *l, const struct settings *s)
{
	struct log_rotation rotation = {.path = NULL};
	bool named = or_empty(s->logfile)[0] != '\0';
	int fd = -1;

	log_rotation_begin(&rotation, s, clock_wall_us());
	if (named)
		fd = file_open_append(s->logfile);
	if ((named && fd < 0) || !log_take_file(l->log, fd)) {
		int saved = errno;

		log_rotation_fini(&rotation);
		errno = saved;
		return false;
	}
	log_rotation_fini(&l->rotation);
	l->rotation = rotation;
	return true;
}

bool logging_is_watched(const struct logging *l)
{
	return log_rotation_is_on(&l->rotation);
}

void logging_look(struct logging *l)
{
	log_rotation_look(&l->rotation, l->log, clock_wall_us());
}

bool logging_apply(struct logging *l, const struct settings *s, char *why, size_t size)
{
	if (!open_file(l, s))
		return explain(s->logfile, why, size);
	log_set_format(l->log, s->log_format);
	apply_syslog(l, s);
	log_set_verbose(l->log, s->verbose > l->verbose ? s->verbose : l->verbose);
	return true;
}
