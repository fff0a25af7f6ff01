/* The steps of a start, each with its own words. Main thread, before other threads exist. */
#include "main/start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "conf/url.h"
#include "main/environment.h"
#include "main/rules.h"
#include "main/tls.h"
#include "net/libraries.h"
#include "os/error.h"
#include "os/file.h"
#include "os/process.h"
#include "os/service.h"
#include "os/socket.h"

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

void start_say_why(struct log *log, const struct conf_error *why)
{
	struct log_event e = {.level = LEVEL_ERROR, .event = "config_refused", .text = why->text, .hint = why->hint};

	log_event(log, &e);
}

/* Behind start_say_why. */
static void say_end(struct log *log, const char *text)
{
	struct log_event e = {.level = LEVEL_FATAL, .event = "refused_again", .text = text};

	log_event(log, &e);
}

/* A file, a URL, or the environment. NULL, after saying why. */
static struct config *load(const struct options *o, struct log *log)
{
	struct conf_error why;
	struct config *c;

	if (o->environment != NULL)
		return environment_start(o->environment, log);
	memset(&why, 0, sizeof(why));
	c = conf_is_url(o->source) ? config_from_url(o->source, &why)
	                           : config_load(o->source, NULL, conf_read_file, NULL, &why);
	if (c == NULL)
		start_say_why(log, &why);
	return c;
}

static const char *failure_of(const struct options *o)
{
	if (o->environment != NULL)
		return "cannot use the environment variables";
	return conf_is_url(o->source) ? "cannot use the URL" : "cannot load config file";
}

struct config *start_load(const struct options *o, struct log *log)
{
	struct config *c = load(o, log);
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	if (c != NULL && rules_prepare(c, NULL, &rules_source, &why)) {
		if (o->environment == NULL)
			log_write(log, LEVEL_DEBUG, "configuration read: %s",
			          conf_is_url(o->source) ? "a URL" : o->source);
		return c;
	}
	if (c != NULL)
		start_say_why(log, &why);
	config_unref(c);
	say_end(log, failure_of(o));
	return NULL;
}

static bool become(const char *user, struct log *log)
{
	char reason[128];

	if (os_switch_user(user))
		return true;
	if (errno == ENOENT)
		log_write(log, LEVEL_FATAL, "could not find user '%s' to switch to", user);
	else
		log_write(log, LEVEL_FATAL, "failed to assume identity of user '%s': %s", user,
		          os_error_text(errno, reason, sizeof(reason)));
	return false;
}

/* Where accounts are chosen by whoever starts a process, it serves as any: a console of an administrator is common. */
static void remark_account(const struct settings *s, struct log *log)
{
	if (!is_empty(s->user))
		log_write(log, LEVEL_WARNING,
		          "setting user has no effect on this platform: pgweir stays what it was started as\nHINT: The "
		          "account of a service is chosen by -regservice CONFIG_FILE -U ACCOUNT.");
	if (os_is_superuser())
		log_write(
		    log, LEVEL_WARNING, "pgweir has the rights of an administrator, which it does not need\nHINT: %s",
		    service_log_name() == NULL
		        ? "As a service (-regservice CONFIG_FILE) it gets an account of its own."
		        : "Registered without -U, the service gets an account of its own: -unregservice CONFIG_FILE, "
		          "then -regservice CONFIG_FILE.");
}

bool start_user(const struct options *o, const struct settings *s, struct log *log)
{
	const char *user = o->user != NULL ? o->user : s->user;

	if (!os_can_switch_user()) {
		remark_account(s, log);
		return true;
	}
	if (!is_empty(user) && !become(user, log))
		return false;
	if (!os_is_superuser())
		return true;
	log_write(
	    log, LEVEL_FATAL,
	    "PgBouncer should not run as root\nHINT: Name an account with -u or the setting user, or start pgweir "
	    "from one.");
	return false;
}

static bool open_log(struct logging *logging, const struct settings *s)
{
	char why[512];

	if (logging_apply(logging, s, why, sizeof(why)))
		return true;
	log_write(logging->log, LEVEL_FATAL, "%s", why);
	return false;
}

bool start_account(const struct options *o, struct config *c, struct logging *logging)
{
	struct log *log = logging->log;
	bool is_root = os_can_switch_user() && os_is_superuser(), tls;
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	tls = tls_prepare(c, NULL, &why);
	if (is_root && !start_user(o, &c->settings, log))
		return false;
	if (!open_log(logging, &c->settings) || (!is_root && !start_user(o, &c->settings, log)))
		return false;
	if (tls)
		return true;
	start_say_why(log, &why);
	say_end(log, "TLS setup failed");
	return false;
}

/* Somebody answers behind it. */
static bool is_in_use(const struct address *a)
{
	bool connected = false;
	int fd = socket_connect(a, NULL, &connected);

	/* EAGAIN: its queue is full, so there is somebody */
	if (fd < 0)
		return errno == EAGAIN;
	socket_close(fd);
	return connected;
}

static bool socket_is_free(const struct settings *s, struct log *log)
{
	char path[256], lock[sizeof(path) + 8];
	struct address a;
	int n;

	/* those that systemd has opened are in use by right */
	if (is_empty(s->unix_socket_dir) || service_count_sockets() > 0)
		return true;
	n = snprintf(path, sizeof(path), "%s/.s.PGSQL.%d", s->unix_socket_dir, s->listen_port);
	if (n < 0 || (size_t)n >= sizeof(path) || !address_from_text(&a, path, 0))
		return true; /* listening will say what is wrong with it */
	snprintf(lock, sizeof(lock), "%s.lock", path);
	if (path_is_absolute(path) && file_exists(lock)) {
		log_write(log, LEVEL_FATAL, "unix port %d is in use", s->listen_port);
		return false;
	}
	if (!is_in_use(&a))
		return true;
	log_write(log, LEVEL_FATAL, "unix socket is in use, cannot continue");
	return false;
}

static bool pidfile_is_free(const struct settings *s, struct log *log)
{
	char reason[128];

	if (is_empty(s->pidfile))
		return true;
	switch (pidfile_check(s->pidfile)) {
	case PIDFILE_FREE:
		return true;
	case PIDFILE_STALE:
		log_write(log, LEVEL_LOG, "stale pidfile, removing");
		return true;
	case PIDFILE_IN_USE:
		log_write(log, LEVEL_FATAL, "pidfile '%s' exists, another instance running?", s->pidfile);
		return false;
	case PIDFILE_FAILED:
		break;
	}
	log_write(log, LEVEL_FATAL, "could not read pidfile '%s': %s", s->pidfile,
	          os_error_text(errno, reason, sizeof(reason)));
	return false;
}

bool start_alone(const struct settings *s, struct log *log)
{
	return socket_is_free(s, log) && pidfile_is_free(s, log);
}

bool start_may_detach(const struct options *o, const struct settings *s, struct log *log)
{
	if (!o->daemon)
		return true;
	if (is_empty(s->pidfile)) {
		log_write(log, LEVEL_FATAL, "daemon needs pidfile configured");
		return false;
	}
	if (is_empty(s->logfile) && !s->syslog)
		log_write(log, LEVEL_WARNING,
		          "nothing will be logged in the background: neither logfile nor syslog is set");
	return true;
}

bool start_pidfile(const struct settings *s, int *fd, struct log *log)
{
	char reason[128];

	*fd = -1;
	if (is_empty(s->pidfile))
		return true;
	*fd = pidfile_create(s->pidfile);
	if (*fd >= 0)
		return true;
	log_write(log, LEVEL_FATAL, "could not open pidfile '%s': %s", s->pidfile,
	          os_error_text(errno, reason, sizeof(reason)));
	return false;
}

void start_say_up(struct log *log, const char *loop_method)
{
	char dns[64], text[512], reason[128];
	struct log_event e = {.level = LEVEL_LOG, .event = "started", .text = text};

	snprintf(text, sizeof(text), "process up: PgBouncer %s, libevent %s (%s), adns: %s, tls: %s", PGBOUNCER_VERSION,
	         libraries_event_version(), loop_method, libraries_dns_backend(dns, sizeof(dns)),
	         libraries_tls_version());
	log_event(log, &e);
	if (!service_notify("READY=1"))
		log_write(log, LEVEL_WARNING, "could not notify service manager: %s",
		          os_error_text(errno, reason, sizeof(reason)));
}
