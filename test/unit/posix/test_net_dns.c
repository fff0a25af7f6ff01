/*
 * Name lookups with the real C library for "localhost" and a name that never exists, and with scripted answers, of the
 * C library and of name servers.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>

#include "../until.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dns.h"
#include "net/jobs.h"
#include "net/mailbox.h"
#include "net/question.h"
#include "os/socket.h"

#define KIND 7

static struct loop *loop;
static struct mailbox *box;
static struct jobs *jobs;
static struct dns *dns;
static int letters;

static const struct dns_times usual = {15 * US_PER_S, 15 * US_PER_S, 15 * US_PER_S, 0};

static void set_times(uint64_t max_ttl_us, uint64_t nx_ttl_us, uint64_t timeout_us)
{
	struct dns_times times = {max_ttl_us, nx_ttl_us, timeout_us, 0};

	dns_set_times(dns, &times);
}

/* Jobs that keep both helpers busy: a name server that is silent. */
struct silence {
	struct job job;
	sem_t *gate;
};

static void be_silent(struct job *job)
{
	while (sem_wait(container_of(job, struct silence, job)->gate) != 0)
		;
}

static void silence_over(struct job *job)
{
	(void)job;
}

/* ---- the name "scripted" ---- */

/* Written while no lookup is under way or they wait at the gate, read by helpers. */
static struct {
	int gai;             /* its result, unless there is an address */
	const char *address; /* IPv4 */
	sem_t *gate;         /* first waits for this: a name server that is silent */
	sem_t asked;         /* counts */
} script;

typedef int resolver(const char *host, const char *service, const struct addrinfo *want, struct addrinfo **list);

/* One block, as glibc's freeaddrinfo wants it. */
static struct addrinfo *scripted_address(void)
{
	struct both {
		struct addrinfo ai;
		struct sockaddr_in v4;
	} *both = (struct both *)calloc(1, sizeof(*both));

	assert_non_null(both);
	both->v4.sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, script.address, &both->v4.sin_addr), 1);
	both->ai.ai_family = AF_INET;
	both->ai.ai_addrlen = sizeof(both->v4);
	both->ai.ai_addr = (struct sockaddr *)&both->v4;
	return &both->ai;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *want, struct addrinfo **list)
{
	resolver *real;

	if (strcmp(host, "scripted") != 0 || (want->ai_flags & AI_NUMERICHOST) != 0) {
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
		return real(host, service, want, list);
	}
	sem_post(&script.asked);
	while (script.gate != NULL && sem_wait(script.gate) != 0)
		;
	if (script.address == NULL)
		return script.gai;
	*list = scripted_address();
	return 0;
}

/* ---- name servers ---- */

struct question {
	enum question_kind kind;
	char name[64];
	question_done *done;
	void *asker;
};

static struct {
	bool there; /* else only the C library is */
	struct question under_way[4];
	int asked;
	char file[64];
} servers;

bool question_is_possible(void)
{
	return servers.there;
}

const char *question_backend(char *buf, size_t size)
{
	snprintf(buf, size, "test");
	return buf;
}

struct question *question_new(struct loop *l, const struct question_servers *where, enum question_kind kind,
                              const char *name, question_done *done, void *asker)
{
	assert_ptr_equal(l, loop);
	servers.asked++;
	snprintf(servers.file, sizeof(servers.file), "%s", where->file == NULL ? "" : where->file);
	for (size_t i = 0; i < sizeof(servers.under_way) / sizeof(servers.under_way[0]); i++) {
		struct question *q = &servers.under_way[i];

		if (q->done != NULL)
			continue;
		q->kind = kind;
		snprintf(q->name, sizeof(q->name), "%s", name);
		q->done = done;
		q->asker = asker;
		return q;
	}
	return NULL;
}

void question_free(struct question *q)
{
	if (q != NULL)
		q->done = NULL;
}

/* The first question for that name is answered. */
static void servers_say(const char *name, enum question_outcome outcome, const char *address, uint64_t ttl_us,
                        uint32_t serial)
{
	struct question_result result = {.outcome = outcome, .ttl_us = ttl_us, .serial = serial};

	if (address != NULL) {
		result.address = mem_new(struct address);
		result.n = 1;
		assert_true(address_from_text(result.address, address, 0));
	}
	for (size_t i = 0; i < sizeof(servers.under_way) / sizeof(servers.under_way[0]); i++) {
		struct question q = servers.under_way[i];

		if (q.done == NULL || strcmp(q.name, name) != 0)
			continue;
		servers.under_way[i].done = NULL;
		q.done(q.asker, &result);
		mem_free(result.address);
		return;
	}
	fail_msg("nobody asks for %s", name);
}

static void servers_know(const char *name, const char *address, uint64_t ttl_us)
{
	servers_say(name, QUESTION_ANSWERED, address, ttl_us, 0);
}

static bool servers_are_asked_for(const char *name)
{
	for (size_t i = 0; i < sizeof(servers.under_way) / sizeof(servers.under_way[0]); i++) {
		if (servers.under_way[i].done != NULL && strcmp(servers.under_way[i].name, name) == 0)
			return true;
	}
	return false;
}

/* ---- askers ---- */

struct asker {
	struct dns_query query;
	int answers, n;
	char first[64];
	struct failure why;
	struct asker *cancels; /* when it is answered */
	const char *asks_again;
};

static void hear(struct dns_query *q, const struct dns_answer *answer, const struct failure *why)
{
	struct asker *a = container_of(q, struct asker, query);

	a->answers++;
	failure_init(&a->why);
	a->n = answer == NULL ? 0 : answer->n;
	if (answer != NULL)
		address_text(&answer->address[0], a->first, sizeof(a->first));
	else
		failure_copy(&a->why, why);
	if (a->cancels != NULL)
		dns_cancel(dns, &a->cancels->query);
	if (a->asks_again != NULL) {
		const char *name = a->asks_again;

		a->asks_again = NULL;
		dns_lookup(dns, name, q);
	}
}

static void ask(struct asker *a, const char *name)
{
	a->query.answered = hear;
	dns_lookup(dns, name, &a->query);
}

static void read_letter(void *owner, struct letter *letter)
{
	(void)owner;
	assert_int_equal(letter->kind, KIND);
	letters++;
	dns_read(dns, letter);
}

static bool answered(void *arg)
{
	return ((struct asker *)arg)->answers > 0;
}

static bool answered_twice(void *arg)
{
	return ((struct asker *)arg)->answers > 1;
}

static int set_up(void **state)
{
	(void)state;
	letters = 0;
	memset(&script, 0, sizeof(script));
	memset(&servers, 0, sizeof(servers));
	if (sem_init(&script.asked, 0, 0) != 0)
		return -1;
	loop = loop_new();
	box = mailbox_new(loop, read_letter, NULL);
	jobs = jobs_new(1);
	dns = dns_new(loop, jobs, box, KIND, &usual, NULL);
	return dns == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_free(dns);
	dns = NULL;
	jobs_free(jobs);
	run_turns(loop, 2);
	mailbox_free(box);
	loop_free(loop);
	return 0;
}

static bool is_loopback(const char *text)
{
	return strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0;
}

static void localhost_is_found_and_then_cached(void **state)
{
	struct asker a = {0}, b = {0};

	(void)state;
	ask(&a, "localhost");
	assert_true(a.query.waiting);
	assert_int_equal(a.answers, 0);
	assert_int_equal(dns_pending(dns), 1);
	assert_true(run_until(loop, answered, &a));
	assert_false(a.query.waiting);
	assert_true(a.n >= 1);
	assert_true(is_loopback(a.first));
	assert_int_equal(dns_pending(dns), 0);
	/* at once, whatever the case */
	ask(&b, "LocalHost");
	assert_int_equal(b.answers, 1);
	assert_true(is_loopback(b.first));
	assert_int_equal(letters, 1);
	assert_int_equal(dns_count(dns), 1);
}

static void everybody_who_asks_for_a_name_gets_the_one_answer(void **state)
{
	struct asker a = {0}, b = {0}, c = {0};

	(void)state;
	ask(&a, "localhost");
	ask(&b, "localhost");
	ask(&c, "localhost");
	assert_int_equal(dns_pending(dns), 1);
	dns_cancel(dns, &b.query);
	dns_cancel(dns, &b.query);
	assert_false(b.query.waiting);
	assert_true(run_until(loop, answered, &c));
	assert_int_equal(a.answers, 1);
	assert_int_equal(b.answers, 0);
	assert_int_equal(letters, 1);
}

static void asker_may_cancel_another_that_is_about_to_be_told(void **state)
{
	struct asker a = {0}, b = {0}, c = {0};

	(void)state;
	a.cancels = &b;
	ask(&a, "localhost");
	ask(&b, "localhost");
	ask(&c, "localhost");
	assert_true(run_until(loop, answered, &c));
	assert_int_equal(a.answers, 1);
	assert_int_equal(b.answers, 0);
}

static void asker_may_ask_again_when_nothing_is_cached(void **state)
{
	struct asker a = {.asks_again = "localhost"};

	(void)state;
	set_times(0, 0, 15 * US_PER_S);
	ask(&a, "localhost");
	assert_true(run_until(loop, answered_twice, &a));
	assert_true(is_loopback(a.first));
	assert_int_equal(letters, 2);
}

static void name_that_does_not_exist_fails_in_the_resolvers_words(void **state)
{
	struct asker a = {0}, b = {0};

	(void)state;
	ask(&a, "does-not-exist.invalid");
	assert_true(run_until(loop, answered, &a));
	assert_int_equal(a.n, 0);
	assert_int_equal(a.why.phase, PHASE_RESOLVE);
	assert_int_equal(a.why.domain, DOMAIN_GAI);
	assert_int_not_equal(a.why.code, 0);
	assert_string_equal(a.why.text, gai_strerror(a.why.code));
	/* failures are remembered too */
	ask(&b, "does-not-exist.invalid");
	assert_int_equal(b.answers, 1);
	assert_int_equal(b.why.code, a.why.code);
	assert_int_equal(letters, 1);
}

static void silent_name_server_times_out_unless_an_address_is_known(void **state)
{
	sem_t gate;
	struct silence silence = {.job = {.work = be_silent, .discard = silence_over}, .gate = &gate};
	struct asker a = {0}, b = {0}, c = {0};

	(void)state;
	assert_int_equal(sem_init(&gate, 0, 0), 0);
	ask(&a, "localhost");
	assert_true(run_until(loop, answered, &a));
	/* from now on everything is out of date, and the one helper busy */
	set_times(0, 0, 20 * US_PER_MS);
	jobs_run(jobs, &silence.job);
	ask(&b, "localhost");
	ask(&c, "never-asked.invalid");
	assert_int_equal(b.answers, 0);
	assert_true(run_until(loop, answered, &c));
	assert_int_equal(b.answers, 1);
	assert_true(is_loopback(b.first));
	assert_int_equal(c.n, 0);
	assert_int_equal(c.why.phase, PHASE_RESOLVE);
	assert_int_equal(c.why.domain, DOMAIN_POOLER);
	assert_int_equal(c.why.code, FAILURE_TIMED_OUT);
	/* both lookups go on */
	assert_int_equal(dns_pending(dns), 2);
	sem_post(&gate);
	dns_free(dns);
	dns = NULL;
	jobs_free(jobs);
	jobs = NULL;
	sem_destroy(&gate);
}

static void failure_is_not_believed_for_longer_than_a_second(void **state)
{
	struct asker a = {0};
	uint64_t began_us;

	(void)state;
	script.gai = EAI_NONAME;
	ask(&a, "scripted");
	assert_true(run_until(loop, answered, &a));
	assert_int_equal(a.why.code, EAI_NONAME);
	began_us = clock_steady_us();
	script.address = "10.0.0.1";
	ask(&a, "scripted");
	assert_int_equal(a.answers, 2);
	assert_int_equal(a.why.code, EAI_NONAME);
	/* whoever asks anew and anew */
	while (a.n == 0 && clock_steady_us() - began_us < 10 * US_PER_S) {
		if (!a.query.waiting)
			ask(&a, "scripted");
		run_turns(loop, 1);
	}
	assert_string_equal(a.first, "10.0.0.1");
	assert_int_equal(letters, 2);
}

static void known_address_is_used_on_in_trouble_without_waiting(void **state)
{
	sem_t gate;
	struct asker a = {0}, b = {0}, c = {0}, d = {0};

	(void)state;
	assert_int_equal(sem_init(&gate, 0, 0), 0);
	script.address = "10.0.0.1";
	ask(&a, "scripted");
	assert_true(run_until(loop, answered, &a));
	set_times(0, 0, 15 * US_PER_S);
	/* it may be slow only: half a second, counted from the first who asks */
	script.gate = &gate;
	ask(&b, "scripted");
	assert_int_equal(b.answers, 0);
	assert_true(run_until(loop, answered, &b));
	assert_string_equal(b.first, "10.0.0.1");
	ask(&c, "scripted");
	assert_int_equal(c.answers, 1);
	assert_string_equal(c.first, "10.0.0.1");
	assert_int_equal(letters, 1);
	/* it gives up: from then on nobody waits at all */
	script.address = NULL;
	script.gai = EAI_AGAIN;
	sem_post(&gate);
	while (dns_pending(dns) > 0)
		run_turns(loop, 1);
	ask(&d, "scripted");
	assert_int_equal(d.answers, 1);
	assert_string_equal(d.first, "10.0.0.1");
	sem_post(&gate);
	while (dns_pending(dns) > 0)
		run_turns(loop, 1);
	sem_destroy(&gate);
}

static bool is_asked_twice(void *arg)
{
	int value = 0;

	(void)arg;
	assert_int_equal(sem_getvalue(&script.asked, &value), 0);
	return value >= 2;
}

/* A helper each for two lookups. */
static void silent_lookup_gets_a_second_one_beside_it_and_the_first_answer_counts(void **state)
{
	sem_t gate;
	struct jobs *two = jobs_new(2);
	struct asker a = {0};
	uint64_t began_us = clock_steady_us();

	(void)state;
	dns_free(dns);
	dns = dns_new(loop, two, box, KIND, &usual, NULL);
	assert_int_equal(sem_init(&gate, 0, 0), 0);
	script.gate = &gate;
	script.address = "10.0.0.1";
	ask(&a, "scripted");
	while (!is_asked_twice(NULL) && clock_steady_us() - began_us < 15 * US_PER_S)
		run_turns(loop, 1);
	assert_true(is_asked_twice(NULL));
	assert_true(clock_steady_us() - began_us >= 2 * US_PER_S);
	assert_int_equal(dns_pending(dns), 1);
	sem_post(&gate);
	assert_true(run_until(loop, answered, &a));
	assert_string_equal(a.first, "10.0.0.1");
	/* the other's trouble comes too late */
	assert_int_equal(dns_pending(dns), 1);
	script.address = NULL;
	script.gai = EAI_NONAME;
	sem_post(&gate);
	while (dns_pending(dns) > 0)
		run_turns(loop, 1);
	ask(&a, "scripted");
	assert_int_equal(a.answers, 2);
	assert_string_equal(a.first, "10.0.0.1");
	assert_int_equal(a.n, 1);
	dns_free(dns);
	dns = NULL;
	jobs_free(two);
	sem_destroy(&gate);
}

static int moves;

static void count_move(void *owner, const char *host)
{
	assert_ptr_equal(owner, &moves);
	assert_string_equal(host, "scripted");
	moves++;
}

/* Names that pools with servers have, as far as the test says so. */
static const char *in_use;
static int sweeps;
static char zone_news[64];

static void refresh_used(void *owner)
{
	assert_ptr_equal(owner, &moves);
	sweeps++;
	if (in_use != NULL)
		dns_refresh(dns, in_use);
}

static void note_zone(void *owner, const char *zone, uint32_t before, uint32_t now)
{
	assert_ptr_equal(owner, &moves);
	snprintf(zone_news, sizeof(zone_news), "%s %u %u", zone, before, now);
}

static const struct dns_watcher watcher = {count_move, refresh_used, note_zone};

static void look_up_scripted(const char *address)
{
	struct asker a = {0};

	script.address = address;
	script.gai = EAI_NONAME;
	ask(&a, "scripted");
	assert_true(run_until(loop, answered, &a));
}

static void name_has_moved_when_no_address_is_left(void **state)
{
	(void)state;
	moves = 0;
	dns_watch(dns, &watcher, &moves);
	set_times(0, 0, 15 * US_PER_S);
	look_up_scripted("10.0.0.1");
	look_up_scripted("10.0.0.1");
	assert_int_equal(moves, 0);
	look_up_scripted("10.0.0.2");
	assert_int_equal(moves, 1);
	/* gone for a while, and back elsewhere, or not */
	look_up_scripted(NULL);
	look_up_scripted("10.0.0.2");
	assert_int_equal(moves, 1);
	look_up_scripted(NULL);
	look_up_scripted("10.0.0.3");
	assert_int_equal(moves, 2);
}

static void collect(void *arg, const char *host, int64_t ttl_s, const char *addresses)
{
	char *all = (char *)arg;
	size_t n = strlen(all);

	snprintf(all + n, 512 - n, "%s/%s/%s;", host, ttl_s >= 13 && ttl_s <= 15 ? "fresh" : "old", addresses);
}

static void console_sees_names_and_addresses(void **state)
{
	char all[512] = "";
	struct asker a = {0}, b = {0};

	(void)state;
	ask(&a, "localhost");
	ask(&b, "does-not-exist.invalid");
	assert_true(run_until(loop, answered, &a));
	assert_true(run_until(loop, answered, &b));
	assert_int_equal(dns_count(dns), 2);
	dns_each(dns, collect, all);
	assert_non_null(strstr(all, "does-not-exist.invalid/fresh/;"));
	assert_non_null(strstr(all, "localhost/fresh/"));
	assert_true(strstr(all, "127.0.0.1") != NULL || strstr(all, "::1") != NULL);
}

/* Seconds that the console shows for a name. */
struct ttl_of {
	const char *host;
	int64_t ttl_s;
};

static void note_ttl(void *arg, const char *host, int64_t ttl_s, const char *addresses)
{
	struct ttl_of *t = (struct ttl_of *)arg;

	(void)addresses;
	if (strcmp(host, t->host) == 0)
		t->ttl_s = ttl_s;
}

static int64_t ttl_of(const char *host)
{
	struct ttl_of t = {host, -1};

	dns_each(dns, note_ttl, &t);
	return t.ttl_s;
}

static void ask_servers(const char *name, const char *address, uint64_t ttl_us)
{
	struct asker a = {0};

	ask(&a, name);
	servers_know(name, address, ttl_us);
	assert_int_equal(a.answers, 1);
	assert_string_equal(a.first, address);
}

static void an_answer_lives_as_long_as_the_server_says_but_not_longer_than_the_setting(void **state)
{
	struct asker a = {0};

	(void)state;
	servers.there = true;
	ask_servers("short.lab", "10.0.0.1", 7 * US_PER_S);
	ask_servers("long.lab", "10.0.0.2", 3600 * US_PER_S);
	ask_servers("file", "10.0.0.3", UINT64_MAX);
	assert_in_range(ttl_of("short.lab"), 5, 7);
	assert_in_range(ttl_of("long.lab"), 13, 15);
	assert_in_range(ttl_of("file"), 13, 15);
	/* known: nobody is asked */
	ask(&a, "short.lab");
	assert_int_equal(a.answers, 1);
	assert_int_equal(servers.asked, 3);
	/* not for a moment */
	ask_servers("never.lab", "10.0.0.4", 0);
	ask_servers("never.lab", "10.0.0.5", 0);
	assert_int_equal(servers.asked, 5);
	assert_int_equal(letters, 0);
}

static void what_looks_like_a_number_is_for_the_library(void **state)
{
	struct asker a = {0};

	(void)state;
	servers.there = true;
	ask(&a, "127.1");
	assert_true(run_until(loop, answered, &a));
	assert_string_equal(a.first, "127.0.0.1");
	assert_int_equal(servers.asked, 0);
}

static void name_servers_in_trouble_leave_the_last_word_to_the_library(void **state)
{
	struct asker a = {0};

	(void)state;
	servers.there = true;
	script.address = "10.0.0.9";
	ask(&a, "scripted");
	servers_say("scripted", QUESTION_REFUSED, NULL, 0, 0);
	assert_int_equal(a.answers, 0);
	assert_int_equal(dns_pending(dns), 1);
	assert_true(run_until(loop, answered, &a));
	assert_string_equal(a.first, "10.0.0.9");
}

static void with_a_file_of_our_own_the_servers_in_it_have_the_last_word(void **state)
{
	static const struct {
		enum question_outcome outcome;
		enum failure_domain domain;
		int code;
	} cases[] = {
	    {QUESTION_NO_NAME, DOMAIN_GAI, EAI_NONAME},
	    {QUESTION_NO_ADDRESS, DOMAIN_GAI, EAI_NODATA},
	    {QUESTION_REFUSED, DOMAIN_GAI, EAI_AGAIN},
	    {QUESTION_SILENT, DOMAIN_POOLER, FAILURE_TIMED_OUT},
	};

	(void)state;
	servers.there = true;
	script.address = "10.0.0.9";
	dns_free(dns);
	dns = dns_new(loop, jobs, box, KIND, &(struct dns_times){0, 0, US_PER_S, 0}, "/own/file");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct asker a = {0};

		ask(&a, "scripted");
		servers_say("scripted", cases[i].outcome, NULL, 0, 0);
		assert_int_equal(a.answers, 1);
		assert_int_equal(a.n, 0);
		assert_int_equal(a.why.phase, PHASE_RESOLVE);
		assert_int_equal(a.why.domain, cases[i].domain);
		assert_int_equal(a.why.code, cases[i].code);
		failure_fini(&a.why);
	}
	assert_string_equal(servers.file, "/own/file");
	assert_int_equal(letters, 0);
}

static void silence_and_trouble_leave_the_known_address(void **state)
{
	static const enum question_outcome trouble[] = {QUESTION_SILENT, QUESTION_REFUSED};
	struct asker a = {0};

	(void)state;
	servers.there = true;
	dns_free(dns);
	dns = dns_new(loop, jobs, box, KIND, &(struct dns_times){US_PER_S, 0, US_PER_S, 0}, "/own/file");
	for (size_t i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++) {
		ask_servers("db.lab", "10.0.0.1", 0);
		ask(&a, "db.lab");
		servers_say("db.lab", trouble[i], NULL, 0, 0);
		assert_string_equal(a.first, "10.0.0.1");
	}
	assert_int_equal(a.answers, 2);
	/* but not "there is none" */
	ask(&a, "db.lab");
	assert_int_equal(a.answers, 3);
	assert_int_equal(a.n, 1);
	servers_say("db.lab", QUESTION_NO_NAME, NULL, 0, 0);
	ask(&a, "db.lab");
	assert_int_equal(a.answers, 3);
	servers_say("db.lab", QUESTION_NO_NAME, NULL, 0, 0);
	assert_int_equal(a.n, 0);
}

static bool are_asked_for(void *name)
{
	return servers_are_asked_for((const char *)name);
}

static bool is_swept(void *arg)
{
	return sweeps > *(int *)arg;
}

static void names_in_use_are_asked_for_anew_and_their_moves_seen_without_an_asker(void **state)
{
	char scripted[] = "scripted";
	int before;

	(void)state;
	servers.there = true;
	moves = sweeps = 0;
	in_use = "scripted";
	dns_watch(dns, &watcher, &moves);
	ask_servers("other.lab", "10.0.0.7", 0);
	ask_servers("scripted", "10.0.0.1", 0);
	assert_true(run_until(loop, are_asked_for, scripted));
	assert_false(servers_are_asked_for("other.lab"));
	servers_know("scripted", "10.0.0.2", 0);
	assert_int_equal(moves, 1);
	/* what nobody uses is not swept for ever */
	in_use = NULL;
	before = sweeps;
	assert_true(run_until(loop, is_swept, &before));
	run_turns(loop, 5);
	assert_int_equal(sweeps, before + 1);
	assert_int_equal(servers.asked, 3);
}

static void all_names_are_looked_up_anew_when_told_so(void **state)
{
	struct asker a = {0};

	(void)state;
	servers.there = true;
	moves = 0;
	dns_watch(dns, &watcher, &moves);
	ask_servers("scripted", "10.0.0.1", US_PER_S * 10);
	ask_servers("other.lab", "10.0.0.7", US_PER_S * 10);
	dns_refresh_all(dns);
	assert_true(servers_are_asked_for("other.lab"));
	/* whoever asks meanwhile waits for the new one */
	ask(&a, "scripted");
	assert_int_equal(a.answers, 0);
	servers_know("scripted", "10.0.0.2", US_PER_S * 10);
	assert_string_equal(a.first, "10.0.0.2");
	assert_int_equal(moves, 1);
}

static void note_zone_row(void *arg, const char *name, uint32_t serial, int n_names)
{
	snprintf((char *)arg, 64, "%s %u %d", name, serial, n_names);
}

static void names_of_a_zone_are_looked_up_anew_when_its_serial_changes(void **state)
{
	char row[64] = "", lab[] = "lab";
	struct dns_times often = usual;

	(void)state;
	servers.there = true;
	zone_news[0] = '\0';
	moves = 0;
	dns_watch(dns, &watcher, &moves);
	often.zone_period_us = 1;
	dns_set_times(dns, &often);
	ask_servers("a.lab", "10.0.0.1", US_PER_S * 10);
	ask_servers("scripted", "10.0.0.2", US_PER_S * 10);
	ask_servers("b.lab", "10.0.0.3", US_PER_S * 10);
	servers_say("lab", QUESTION_ANSWERED, NULL, 0, 5);
	assert_int_equal(dns_count_zones(dns), 1);
	dns_each_zone(dns, note_zone_row, row);
	assert_string_equal(row, "lab 5 2");
	assert_true(run_until(loop, are_asked_for, lab));
	servers_say("lab", QUESTION_ANSWERED, NULL, 0, 6);
	assert_string_equal(zone_news, "lab 5 6");
	assert_true(servers_are_asked_for("a.lab"));
	assert_true(servers_are_asked_for("b.lab"));
	assert_false(servers_are_asked_for("scripted"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(localhost_is_found_and_then_cached),
	    TEST(everybody_who_asks_for_a_name_gets_the_one_answer),
	    TEST(asker_may_cancel_another_that_is_about_to_be_told),
	    TEST(asker_may_ask_again_when_nothing_is_cached),
	    TEST(name_that_does_not_exist_fails_in_the_resolvers_words),
	    TEST(silent_name_server_times_out_unless_an_address_is_known),
	    TEST(failure_is_not_believed_for_longer_than_a_second),
	    TEST(known_address_is_used_on_in_trouble_without_waiting),
	    TEST(silent_lookup_gets_a_second_one_beside_it_and_the_first_answer_counts),
	    TEST(name_has_moved_when_no_address_is_left),
	    TEST(console_sees_names_and_addresses),
	    TEST(an_answer_lives_as_long_as_the_server_says_but_not_longer_than_the_setting),
	    TEST(what_looks_like_a_number_is_for_the_library),
	    TEST(name_servers_in_trouble_leave_the_last_word_to_the_library),
	    TEST(with_a_file_of_our_own_the_servers_in_it_have_the_last_word),
	    TEST(silence_and_trouble_leave_the_known_address),
	    TEST(names_in_use_are_asked_for_anew_and_their_moves_seen_without_an_asker),
	    TEST(all_names_are_looked_up_anew_when_told_so),
	    TEST(names_of_a_zone_are_looked_up_anew_when_its_serial_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
