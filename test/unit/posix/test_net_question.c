/* Questions to a name server on loopback that answers, lies, is silent, or knows too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <string.h>

#include "../dns_server.h"
#include "../until.h"
#include "base/clock.h"
#include "net/question.h"

#ifdef HAVE_CARES

static struct dns_server server;
static struct loop *loop;
static struct question_servers servers;

struct asker {
	struct question *question;
	int answers;
	struct question_result result; /* without the addresses */
	char addresses[256];
};

static void note(void *arg, struct question_result *r)
{
	struct asker *a = (struct asker *)arg;
	char text[64];

	a->answers++;
	a->question = NULL;
	a->result = *r;
	a->result.address = NULL;
	for (int i = 0; i < r->n; i++) {
		size_t used = strlen(a->addresses);

		snprintf(a->addresses + used, sizeof(a->addresses) - used, "%s%s", i > 0 ? " " : "",
		         address_text(&r->address[i], text, sizeof(text)));
	}
}

static void ask(struct asker *a, enum question_kind kind, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->question = question_new(loop, &servers, kind, name, note, a);
	assert_non_null(a->question);
	assert_int_equal(a->answers, 0);
}

static bool is_answered(void *arg)
{
	return ((struct asker *)arg)->answers > 0;
}

static struct asker answer_to(enum question_kind kind, const char *name)
{
	struct asker a;

	ask(&a, kind, name);
	assert_true(run_until(loop, is_answered, &a));
	assert_int_equal(a.answers, 1);
	return a;
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new();
	if (loop == NULL || !dns_server_start(&server, "search lab"))
		return -1;
	servers = (struct question_servers){.file = server.file, .port = server.port};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_server_stop(&server);
	loop_free(loop);
	return 0;
}

static void both_families_are_asked_for_and_the_shortest_ttl_counts(void **state)
{
	struct asker a = answer_to(QUESTION_ADDRESSES, "both.lab");

	(void)state;
	assert_int_equal(a.result.outcome, QUESTION_ANSWERED);
	assert_int_equal(a.result.n, 2);
	assert_non_null(strstr(a.addresses, "10.0.0.1"));
	assert_non_null(strstr(a.addresses, "fd00::1"));
	assert_int_equal(a.result.ttl_us, 50 * US_PER_S);
	a = answer_to(QUESTION_V4, "both.lab");
	assert_string_equal(a.addresses, "10.0.0.1");
	assert_int_equal(a.result.ttl_us, 70 * US_PER_S);
	a = answer_to(QUESTION_V6, "both.lab");
	assert_string_equal(a.addresses, "fd00::1");
}

static void an_alias_counts_for_the_ttl(void **state)
{
	struct asker a = answer_to(QUESTION_ADDRESSES, "chain.lab");

	(void)state;
	assert_string_equal(a.addresses, "10.0.0.3");
	assert_int_equal(a.result.ttl_us, 3 * US_PER_S);
}

static void search_domains_complete_names(void **state)
{
	struct asker a = answer_to(QUESTION_ADDRESSES, "both");

	(void)state;
	assert_int_equal(a.result.outcome, QUESTION_ANSWERED);
	assert_int_equal(a.result.n, 2);
}

static void names_in_files_have_no_ttl_and_need_no_server(void **state)
{
	struct asker a = answer_to(QUESTION_ADDRESSES, "localhost");

	(void)state;
	assert_int_equal(a.result.outcome, QUESTION_ANSWERED);
	assert_true(strstr(a.addresses, "127.0.0.1") != NULL || strstr(a.addresses, "::1") != NULL);
	assert_true(a.result.ttl_us == UINT64_MAX);
	assert_int_equal(server.asked, 0);
}

static void each_no_is_told_apart(void **state)
{
	static const struct {
		const char *name;
		enum question_outcome outcome;
	} cases[] = {
	    {"unknown.lab", QUESTION_NO_NAME},
	    {"nothing.lab", QUESTION_NO_ADDRESS},
	    {"servfail.lab", QUESTION_REFUSED},
	    {"refused.lab", QUESTION_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct asker a = answer_to(QUESTION_ADDRESSES, cases[i].name);

		assert_int_equal(a.result.outcome, cases[i].outcome);
		assert_int_equal(a.result.n, 0);
	}
}

static void an_answer_that_is_cut_is_asked_for_by_tcp_and_bounded(void **state)
{
	struct asker a = answer_to(QUESTION_V4, "many.lab");

	(void)state;
	assert_int_equal(a.result.outcome, QUESTION_ANSWERED);
	assert_int_equal(a.result.n, QUESTION_ADDRESSES_MAX);
	assert_int_equal(server.asked_by_tcp, 1);
}

/* Wrong ids and noise come before each answer for this name. */
static void lies_before_the_answer_are_not_believed(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct asker a = answer_to(QUESTION_V4, "plain.lab");

		assert_string_equal(a.addresses, "10.0.0.2");
		assert_int_equal(a.result.ttl_us, 7 * US_PER_S);
	}
}

static void nonsense_is_no_answer(void **state)
{
	static const char *const names[] = {"loop.lab", "broken.lab", "garbage.lab"};

	(void)state;
	servers.patience_ms = 20;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct asker a = answer_to(QUESTION_ADDRESSES, names[i]);

		assert_int_not_equal(a.result.outcome, QUESTION_ANSWERED);
		assert_int_equal(a.result.n, 0);
	}
}

static void names_that_cannot_be_asked_for_do_not_exist(void **state)
{
	char label[80], name[400];

	(void)state;
	memset(label, 'x', sizeof(label));
	label[sizeof(label) - 1] = '\0';
	memset(name, 'y', sizeof(name));
	for (size_t i = 50; i < sizeof(name); i += 51)
		name[i] = '.';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(answer_to(QUESTION_ADDRESSES, label).result.outcome, QUESTION_NO_NAME);
	assert_int_equal(answer_to(QUESTION_ADDRESSES, name).result.outcome, QUESTION_NO_NAME);
	assert_int_equal(answer_to(QUESTION_ADDRESSES, "a..b").result.outcome, QUESTION_NO_NAME);
	assert_int_equal(answer_to(QUESTION_SERIAL, "a..b").result.outcome, QUESTION_NO_NAME);
}

static void a_silent_server_ends_one_question_and_holds_up_no_other(void **state)
{
	struct asker silent, other;

	(void)state;
	ask(&silent, QUESTION_ADDRESSES, "silent.lab");
	other = answer_to(QUESTION_ADDRESSES, "both.lab");
	assert_int_equal(other.result.outcome, QUESTION_ANSWERED);
	assert_int_equal(silent.answers, 0);
	question_free(silent.question);
	servers.patience_ms = 20;
	silent = answer_to(QUESTION_ADDRESSES, "silent.lab");
	assert_int_equal(silent.result.outcome, QUESTION_SILENT);
}

static void a_question_taken_back_is_not_answered(void **state)
{
	struct asker a, b;

	(void)state;
	/* one that is answered already, but not told */
	ask(&a, QUESTION_ADDRESSES, "localhost");
	question_free(a.question);
	ask(&b, QUESTION_ADDRESSES, "both.lab");
	question_free(b.question);
	question_free(NULL);
	(void)answer_to(QUESTION_ADDRESSES, "both.lab");
	assert_int_equal(a.answers, 0);
	assert_int_equal(b.answers, 0);
}

static void the_file_is_read_for_each_question(void **state)
{
	FILE *f;

	(void)state;
	assert_int_equal(answer_to(QUESTION_ADDRESSES, "both").result.outcome, QUESTION_ANSWERED);
	f = fopen(server.file, "w");
	assert_non_null(f);
	fputs("nameserver 127.0.0.1\nsearch servfail\n", f);
	fclose(f);
	assert_int_equal(answer_to(QUESTION_ADDRESSES, "unknown").result.outcome, QUESTION_NO_NAME);
	assert_int_equal(unlink(server.file), 0);
	/* without a file it is this machine's own server, where nobody listens at that port but ours */
	assert_int_equal(answer_to(QUESTION_ADDRESSES, "both.lab").result.outcome, QUESTION_ANSWERED);
}

static void serial_of_a_zone_is_found(void **state)
{
	struct asker a = answer_to(QUESTION_SERIAL, "zone.lab");

	(void)state;
	assert_int_equal(a.result.outcome, QUESTION_ANSWERED);
	assert_int_equal(a.result.serial, 2026112401);
	a = answer_to(QUESTION_SERIAL, "nothing.lab");
	assert_int_equal(a.result.outcome, QUESTION_NO_ADDRESS);
	a = answer_to(QUESTION_SERIAL, "servfail.lab");
	assert_int_equal(a.result.outcome, QUESTION_REFUSED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(both_families_are_asked_for_and_the_shortest_ttl_counts),
	    TEST(an_alias_counts_for_the_ttl),
	    TEST(search_domains_complete_names),
	    TEST(names_in_files_have_no_ttl_and_need_no_server),
	    TEST(each_no_is_told_apart),
	    TEST(an_answer_that_is_cut_is_asked_for_by_tcp_and_bounded),
	    TEST(lies_before_the_answer_are_not_believed),
	    TEST(nonsense_is_no_answer),
	    TEST(names_that_cannot_be_asked_for_do_not_exist),
	    TEST(a_silent_server_ends_one_question_and_holds_up_no_other),
	    TEST(a_question_taken_back_is_not_answered),
	    TEST(the_file_is_read_for_each_question),
	    TEST(serial_of_a_zone_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void without_the_library_nobody_asks(void **state)
{
	struct question_servers servers = {.file = ""};
	char text[8] = "#";

	(void)state;
	assert_false(question_is_possible());
	assert_null(question_new(NULL, &servers, QUESTION_ADDRESSES, "name", NULL, NULL));
	question_free(NULL);
	assert_string_equal(question_backend(text, sizeof(text)), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(without_the_library_nobody_asks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
