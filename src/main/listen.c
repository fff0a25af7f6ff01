/*
 * Where clients connect, and to which worker each goes. Listeners are made by main before any thread runs; they are on
 * the first worker's loop, and from then on only that thread accepts and closes them (listen_stop in a visit).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/comma_list.h"
#include "base/mem.h"
#include "conf/http_listen.h"
#include "diag/error_ring.h"
#include "main/bind_hint.h"
#include "main/listen_lookup.h"
#include "main/supervisor.h"
#include "net/http.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"
#include "os/directory.h"
#include "os/error.h"
#include "os/family.h"
#include "os/process.h"
#include "os/service.h"
#include "os/socket.h"
#include "worker/client.h"

#define MAX_LISTENERS 64u            /* of each kind */
#define TELL_FULL_US (10 * US_PER_S) /* at most once in this time */

/* ---- accepting ---- */

/* Of those with the fewest clients the next in turn. */
static uint16_t least_loaded(struct supervisor *s)
{
	struct office *o = s->office;
	uint16_t best = 0;
	unsigned fewest = UINT_MAX;

	for (uint16_t i = 0; i < o->n_workers; i++) {
		uint16_t worker = (uint16_t)((s->listening.next_worker + i) % o->n_workers);
		unsigned n = atomic_load_explicit(&o->n_clients_of[worker], memory_order_relaxed);

		if (n < fewest) {
			fewest = n;
			best = worker;
		}
	}
	s->listening.next_worker = (uint16_t)((best + 1) % o->n_workers);
	return best;
}

/* On the accepting worker. A client that stays here needs no letter. */
static void accepted(void *owner, struct stream *stream)
{
	struct supervisor *s = (struct supervisor *)owner;
	struct worker *here = s->workers[ACCEPTING_WORKER].worker;
	struct client *c = client_new(s->office, stream);

	if (c == NULL) {
		log_write(s->log, LEVEL_ERROR, "accept() failed: out of memory");
		return;
	}
	c->letter.to = least_loaded(s);
	office_count_client(s->office, c->letter.to);
	if (c->letter.to == here->number)
		client_arrived(here, c);
	else
		office_post(s->office, &c->letter);
}

/* On the accepting worker: a row of SHOW ERRORS and a line of the log. */
static void tell_full(struct supervisor *s, int error)
{
	struct worker *here = s->workers[ACCEPTING_WORKER].worker;
	char reason[128], text[192], hint[256];
	long hard, soft = os_raise_descriptor_limit(0, &hard);
	struct error_note note = {.at_us = worker_now_us(here),
	                          .class = error == EMFILE || error == ENFILE ? "no_descriptors" : "out_of_memory",
	                          .count = 1,
	                          .text = text,
	                          .hint = hint};

	snprintf(text, sizeof(text), "accept() failed: %s", os_error_text(error, reason, sizeof(reason)));
	if (error == EMFILE && os_is_windows())
		snprintf(
		    hint, sizeof(hint),
		    "No new clients until some leave. Lower max_client_conn, which is %d, or give the machine more "
		    "memory.",
		    here->config->settings.max_client_conn);
	else if (error == EMFILE)
		snprintf(
		    hint, sizeof(hint),
		    "No new clients until some leave. Raise the limit of open files, which is %ld (LimitNOFILE= of a "
		    "service, ulimit -n), or lower max_client_conn, which is %d.",
		    soft, here->config->settings.max_client_conn);
	else
		snprintf(hint, sizeof(hint), "No new clients until the system has room again%s.",
		         error == ENFILE ? " (fs.file-max)" : "");
	log_write(s->log, LEVEL_ERROR, "%s\nHINT: %s", text, hint);
	if (here->errors != NULL)
		error_ring_add(here->errors, &note);
}

/* One line for all listeners when it begins, one when it is over; and not again and again when it comes and goes. */
static void full(void *owner, int error)
{
	struct supervisor *s = (struct supervisor *)owner;
	struct listening *l = &s->listening;
	uint64_t now_us = worker_now_us(s->workers[ACCEPTING_WORKER].worker);

	if (error != 0 && l->n_full++ == 0) {
		if (l->full_told_us != 0 && now_us < l->full_told_us + TELL_FULL_US)
			return;
		tell_full(s, error);
		l->full_told = true;
		l->full_told_us = now_us;
	} else if (error == 0 && l->n_full > 0 && --l->n_full == 0 && l->full_told) {
		log_write(s->log, LEVEL_LOG, "accepting clients again");
		l->full_told = false;
	}
}

/* ---- listening ---- */

static void listening_text(const struct address *a, char *buf, size_t size)
{
	char ip[64];

	if (address_is_unix(a)) {
		const char *path = a->u.local.sun_path;

		snprintf(buf, size, "unix:%s%s", path[0] == '\0' ? "@" : "", path[0] == '\0' ? path + 1 : path);
	} else if (a->u.any.sa_family == AF_INET6) {
		snprintf(buf, size, "[%s]:%u", address_text(a, ip, sizeof(ip)), address_port(a));
	} else {
		snprintf(buf, size, "%s:%u", address_text(a, ip, sizeof(ip)), address_port(a));
	}
}

static void cannot_listen(struct supervisor *s, const char *where, const struct failure *why, bool is_unix)
{
	struct listening *l = &s->listening;
	struct log_event e = {.level = LEVEL_WARNING, .text = l->refused, .hint = l->refused_hint};
	char reason[128];
	struct str hint;

	str_init(&hint, 1000);
	if (why->domain == DOMAIN_ERRNO)
		(void)!bind_hint(why->code, is_unix, os_is_windows(), &hint);
	snprintf(l->refused, sizeof(l->refused), "cannot listen on %s: bind(): %s", where,
	         why->domain == DOMAIN_ERRNO ? os_error_text(why->code, reason, sizeof(reason)) : "out of memory");
	snprintf(l->refused_hint, sizeof(l->refused_hint), "%s", str_text(&hint));
	log_event(s->log, &e);
	str_fini(&hint);
}

/* Complete in itself: who reads errors only, as in Windows' Event Log, has not read the warnings before it. */
static void say_failed(struct supervisor *s, const char *primary, const char *what)
{
	char text[512];
	struct log_event e = {
	    .level = LEVEL_FATAL, .text = text, .detail = s->listening.refused, .hint = s->listening.refused_hint};

	snprintf(text, sizeof(text), "%s%s", primary, what);
	log_event(s->log, &e);
}

/* NULL after a warning. */
static struct listener *listen_on(struct supervisor *s, const struct address *a, int mode)
{
	const struct settings *set = &s->config->settings;
	struct listener *l;
	struct failure why;
	char where[160];

	failure_init(&why);
	l = listener_new(s->workers[ACCEPTING_WORKER].worker->loop, a, set->listen_backlog, mode, set->so_reuseport,
	                 accepted, full, s, &why);
	listening_text(l == NULL ? a : listener_address(l), where, sizeof(where));
	if (l == NULL)
		cannot_listen(s, where, &why, address_is_unix(a));
	else
		log_write(s->log, LEVEL_LOG, "listening on %s", where);
	failure_fini(&why);
	return l;
}

static bool has_room(const struct listeners *l)
{
	return l->n < MAX_LISTENERS;
}

static void keep(struct listeners *to, struct listener *l)
{
	if (l != NULL)
		to->all[to->n++] = l;
}

static void listen_on_found(struct supervisor *s, const struct addrinfo *found)
{
	struct address a;

	for (; found != NULL && has_room(&s->listening.tcp); found = found->ai_next)
		if (address_from_sockaddr(&a, found->ai_addr, found->ai_addrlen))
			keep(&s->listening.tcp, listen_on(s, &a, 0));
}

/* One part of listen_addr. False after a fatal log line. */
static bool listen_on_name(struct supervisor *s, const char *name)
{
	int port = s->config->settings.listen_port;
	struct addrinfo *found = NULL;
	int error = listen_lookup(name, port, &found);

	if (error != 0) {
		log_write(s->log, LEVEL_FATAL, "getaddrinfo('%s', '%d') = %s [%d]", name, port,
		          os_lookup_error_text(error), error);
		return false;
	}
	listen_on_found(s, found);
	freeaddrinfo(found);
	return true;
}

static bool listen_tcp(struct supervisor *s)
{
	const char *list = s->config->settings.listen_addr;
	const char *rest = list;
	char name[256];
	bool any = false;

	while (comma_list_copy_next(&rest, name, sizeof(name))) {
		any = true;
		if (!listen_on_name(s, name))
			return false;
	}
	if (!any || s->listening.tcp.n > 0)
		return true;
	say_failed(s, "failed to listen on any address in listen_addr list: ", list);
	return false;
}

/* The group gets its rights before anybody else: until then only we may connect. */
static bool share_socket(struct supervisor *s, const char *path)
{
	const struct settings *set = &s->config->settings;
	char reason[128];

	if (path[0] == '@' || os_share_socket_file(path, set->unix_socket_group, set->unix_socket_mode))
		return true;
	if (errno == ENOENT) { /* the file is there */
		log_write(s->log, LEVEL_FATAL, "could not find group '%s'", set->unix_socket_group);
		return false;
	}
	log_write(s->log, LEVEL_FATAL, "could not set group and mode of \"%s\": %s", path,
	          os_error_text(errno, reason, sizeof(reason)));
	return false;
}

/* In a container whose files are read-only; nobody asked for that place, which is the default. */
static bool can_do_without_unix(struct supervisor *s, const char *directory)
{
	return s->listening.tcp.n > 0 && strcmp(directory, setting_default(SETTING_unix_socket_dir)) == 0 &&
	       directory_is_read_only(directory);
}

static bool listen_unix(struct supervisor *s)
{
	const char *directory = s->config->settings.unix_socket_dir;
	char path[256];
	struct address a;
	int n;

	if (directory == NULL || directory[0] == '\0')
		return true;
	n = snprintf(path, sizeof(path), "%s/.s.PGSQL.%d", directory, s->config->settings.listen_port);
	if (n < 0 || (size_t)n >= sizeof(path) || !address_from_text(&a, path, 0)) {
		log_write(s->log, LEVEL_FATAL, "unix_socket_dir is too long: \"%.100s\"", directory);
		return false;
	}
	keep(&s->listening.local, listen_on(s, &a, 0700));
	if (s->listening.local.n > 0)
		return share_socket(s, path);
	if (can_do_without_unix(s, directory))
		return true;
	say_failed(s, "failed to create unix socket", "");
	return false;
}

/* ---- sockets from systemd ---- */

static bool adopt(struct supervisor *s, int fd)
{
	struct listener *l;
	struct failure why;
	char where[160], reason[128];

	failure_init(&why);
	l = listener_adopt(s->workers[ACCEPTING_WORKER].worker->loop, fd, accepted, full, s, &why);
	if (l == NULL) {
		log_write(s->log, LEVEL_FATAL, "failed to set up socket passed from service manager (fd %d): %s", fd,
		          why.domain == DOMAIN_ERRNO ? os_error_text(why.code, reason, sizeof(reason))
		                                     : "out of memory");
	} else {
		listening_text(listener_address(l), where, sizeof(where));
		log_write(s->log, LEVEL_LOG, "socket passed from service manager (fd %d)", fd);
		log_write(s->log, LEVEL_LOG, "listening on %s", where);
		keep(address_is_unix(listener_address(l)) ? &s->listening.local : &s->listening.tcp, l);
	}
	failure_fini(&why);
	return l != NULL;
}

static void tell_ignored(struct supervisor *s, const char *setting)
{
	log_write(s->log, LEVEL_WARNING, "sockets passed from service manager, %s ignored", setting);
}

static bool listen_passed(struct supervisor *s, unsigned n)
{
	const struct settings *set = &s->config->settings;

	if (set->listen_addr != NULL && set->listen_addr[0] != '\0')
		tell_ignored(s, "listen_addr");
	if (set->unix_socket_dir != NULL && strcmp(set->unix_socket_dir, "") != 0 &&
	    strcmp(set->unix_socket_dir, setting_default(SETTING_unix_socket_dir)) != 0)
		tell_ignored(s, "unix_socket_dir");
	for (unsigned i = 0; i < n; i++) {
		if (!has_room(&s->listening.tcp) || !has_room(&s->listening.local)) {
			log_write(s->log, LEVEL_FATAL, "more than %u sockets passed from service manager",
			          MAX_LISTENERS);
			return false;
		}
		if (!adopt(s, SERVICE_FIRST_SOCKET + (int)i))
			return false;
	}
	return true;
}

static bool make_room(struct listeners *l)
{
	l->all = (struct listener **)mem_alloc(MAX_LISTENERS * sizeof(l->all[0]));
	return l->all != NULL;
}

bool listen_start(struct supervisor *s)
{
	unsigned n_passed = service_take_sockets();

	if (!make_room(&s->listening.tcp) || !make_room(&s->listening.local)) {
		log_write(s->log, LEVEL_FATAL, "out of memory");
		return false;
	}
	s->listening.passed = n_passed > 0;
	if (n_passed > 0 ? !listen_passed(s, n_passed) : !listen_tcp(s) || !listen_unix(s))
		return false;
	listen_set_options(s);
	atomic_store(&s->listening.tcp_closed, s->listening.tcp.n == 0);
	if (s->listening.tcp.n + s->listening.local.n > 0)
		return true;
	log_write(s->log, LEVEL_FATAL, "nowhere to listen on");
	return false;
}

void listen_set_options(struct supervisor *s)
{
	const struct settings *set = &s->config->settings;
	struct socket_options options;
	char reason[128];

	memset(&options, 0, sizeof(options));
	options.keepalive = set->tcp_keepalive;
	options.keepidle_s = set->tcp_keepidle;
	options.keepintvl_s = set->tcp_keepintvl;
	options.keepcnt = set->tcp_keepcnt;
	options.user_timeout_ms = set->tcp_user_timeout;
	options.buffer_bytes = set->tcp_socket_buffer;
	for (unsigned i = 0; i < s->listening.tcp.n; i++)
		if (!listener_set_options(s->listening.tcp.all[i], &options) ||
		    !listener_set_defer_accept(s->listening.tcp.all[i], set->tcp_defer_accept))
			log_write(s->log, LEVEL_WARNING, "could not set TCP options of new clients: %s",
			          os_error_text(errno, reason, sizeof(reason)));
}

static void stop(struct listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		listener_free(l->all[i]);
	mem_free(l->all);
	l->all = NULL;
	l->n = 0;
}

/* On the accepting worker's thread, or while no thread runs. */
static void stop_tcp(struct supervisor *s)
{
	timer_free(s->listening.leaving);
	s->listening.leaving = NULL;
	stop(&s->listening.tcp);
	atomic_store(&s->listening.tcp_closed, true);
}

void listen_stop(struct supervisor *s)
{
	stop_tcp(s);
	stop(&s->listening.local);
}

/* ---- leaving a port to others ---- */

/*
 * A listener that closes takes along who is connecting: the system resets what it has not given us yet. So first new
 * connections are shown at once, without waiting for their first bytes, until those are there that were held back for
 * that; then new attempts are dropped, until those are there that had begun before; they are taken, and we close.
 */
#define SHOW_ALL_US (1200 * US_PER_MS) /* the system asks again a second after an attempt that has stayed silent */
#define TURN_AWAY_US (250 * US_PER_MS) /* longer than a round trip, shorter than the second to the next attempt */

static void take_rest(struct supervisor *s)
{
	for (unsigned i = 0; i < s->listening.tcp.n; i++)
		listener_take_rest(s->listening.tcp.all[i]);
}

static void warn_of_refusals(struct supervisor *s)
{
	char reason[128];

	log_write(
	    s->log, LEVEL_WARNING,
	    "could not turn clients away to the other processes before closing the port: %s\n"
	    "HINT: Whoever is connecting at this moment may be refused. With the sysctl net.ipv4.tcp_migrate_req = 1 "
	    "nobody is, nor with the capability CAP_NET_ADMIN.",
	    os_error_text(errno, reason, sizeof(reason)));
}

static void leave_next(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;
	bool dropping = !s->listening.turning_away;

	for (unsigned i = 0; i < s->listening.tcp.n && dropping; i++)
		dropping = listener_turn_away(s->listening.tcp.all[i]);
	if (dropping) {
		s->listening.turning_away = true;
		timer_set(s->listening.leaving, loop_now_us(s->workers[ACCEPTING_WORKER].worker->loop) + TURN_AWAY_US);
		return;
	}
	if (!s->listening.turning_away)
		warn_of_refusals(s);
	take_rest(s);
	stop_tcp(s);
}

static bool leave_begin(struct supervisor *s, struct worker *w)
{
	s->listening.leaving = timer_new(w->loop, leave_next, s);
	if (s->listening.leaving == NULL)
		return false;
	for (unsigned i = 0; i < s->listening.tcp.n; i++)
		(void)!listener_set_defer_accept(s->listening.tcp.all[i], 0);
	timer_set(s->listening.leaving, worker_now_us(w) + SHOW_ALL_US);
	return true;
}

static void stop_tcp_there(struct visit *v, struct worker *w)
{
	struct supervisor *s = container_of(v, struct supervisor, listening.visit);
	bool shared;

	/* the others may not even look: that one may be closing them at this moment */
	if (w->number != ACCEPTING_WORKER)
		return;
	shared = s->listening.tcp.n > 0 && !s->listening.passed && w->config->settings.so_reuseport;
	if (s->listening.gently && shared && (s->listening.leaving != NULL || leave_begin(s, w)))
		return;
	if (s->listening.gently)
		take_rest(s);
	stop_tcp(s);
}

static void stop_tcp_done(struct visit *v)
{
	struct supervisor *s = container_of(v, struct supervisor, listening.visit);

	s->listening.visiting = false;
	if (!s->listening.again || s->shutdown.stage >= STAGE_ENDING)
		return;
	s->listening.again = false;
	listen_order_stop_tcp(s, s->listening.again_gently ? LISTEN_STOP_GENTLY : LISTEN_STOP_AT_ONCE);
}

void listen_order_stop_tcp(struct supervisor *s, enum listen_stop_way way)
{
	if (s->listening.visiting) {
		s->listening.again = true;
		s->listening.again_gently = way == LISTEN_STOP_GENTLY;
		return;
	}
	s->listening.visiting = true;
	s->listening.gently = way == LISTEN_STOP_GENTLY;
	s->listening.visit.run = stop_tcp_there;
	s->listening.visit.done = stop_tcp_done;
	visit_start(s->office, &s->listening.visit);
}

bool listen_tcp_is_closed(struct supervisor *s)
{
	return atomic_load(&s->listening.tcp_closed);
}

void listen_remove_file(struct supervisor *s)
{
	for (unsigned i = 0; i < s->listening.local.n; i++)
		listener_remove_file(s->listening.local.all[i]);
}

/* ---- descriptors ---- */

/* Most servers that this configuration may open: for each database one pool per known user. */
static long most_servers(const struct config *c)
{
	const struct conf_database *d;
	long n = 0, users = 0;

	while (config_login(c, (unsigned)users) != NULL)
		users++;
	for (unsigned i = 0; (d = config_database(c, i)) != NULL && n < LONG_MAX / 2; i++) {
		long pools = d->user != NULL || users == 0 ? 1 : users;
		long size = conf_pool_size(c, d, NULL) + (long)conf_reserve_pool_size(c, d, NULL);
		int limit = conf_max_db_connections(c, d);

		n += limit > 0 && limit < pools * size ? limit : pools * size;
	}
	if (c->settings.max_server_connections > 0 && c->settings.max_server_connections < n)
		return c->settings.max_server_connections;
	return n;
}

long listen_expected_descriptors(const struct config *c, unsigned n_workers)
{
	const char *http = c->settings.http_listen;
	long watchers = http == NULL || http[0] == '\0' ? 0 : (long)(HTTP_MAX_CONNECTIONS + HTTP_LISTEN_MAX_PARTS);

	/* per thread a loop, its wake-up and a cancel request; logs, listeners, helpers */
	return c->settings.max_client_conn + most_servers(c) + watchers + 4L * (long)n_workers + 24;
}

static void warn_of_few(struct supervisor *s, long soft, long want)
{
	if (soft >= 0 && soft < want)
		log_write(s->log, LEVEL_WARNING,
		          "there may be too few file descriptors: %ld, but %ld are expected to be used\n"
		          "HINT: Raise the limit of open files (LimitNOFILE= of a service, ulimit -Hn), or lower "
		          "max_client_conn and the pool sizes.",
		          soft, want);
}

void listen_prepare(struct supervisor *s)
{
	int clients = s->config->settings.max_client_conn;
	long want = listen_expected_descriptors(s->config, s->office->n_workers);
	long hard = 0;
	long soft = os_raise_descriptor_limit(want, &hard);

	log_write(s->log, LEVEL_LOG,
	          "kernel file descriptor limit: %ld (hard: %ld); max_client_conn: %d, max expected fd use: %ld", soft,
	          hard, clients, want);
	warn_of_few(s, soft, want);
	s->n_descriptors = want;
}

void listen_check_descriptors(struct supervisor *s)
{
	long want = listen_expected_descriptors(s->config, s->office->n_workers);

	if (want > s->n_descriptors)
		warn_of_few(s, os_raise_descriptor_limit(want, NULL), want);
	s->n_descriptors = want;
}
