/* Tests of src/admin/extended.c: conversations in the extended protocol, cut at every byte. */
#include "console_bench.h"

#include "admin/commands.h"
#include "admin/extended.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "find.h"

#define CONF "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\n"
#define INVALID "E(ERROR 08P01 invalid command 'x', use SHOW HELP;)"
#define SHOWN "T(version:t) D(PgBouncer 1.26.1) C(SHOW) Z"

static void add(struct str *out, char type, const char *body, size_t len)
{
	bench_message(out, type, body, len);
}

/* Message bodies are written as C strings with explicit NULs; the last one of the literal is not sent. */
#define MESSAGE(out, type, body) add(out, type, body, sizeof(body) - 1)
#define PARSE(out, name, text) MESSAGE(out, 'P', name "\0" text "\0\0\0")
#define BIND(out, portal, name) MESSAGE(out, 'B', portal "\0" name "\0\0\0\0\0\0\0")
#define BIND_BINARY(out, portal, name) MESSAGE(out, 'B', portal "\0" name "\0\0\0\0\0\0\1\0\1")
#define DESCRIBE(out, what) MESSAGE(out, 'D', what "\0")
#define EXECUTE(out, portal, n) MESSAGE(out, 'E', portal "\0\0\0\0" n)
#define CLOSE(out, what) MESSAGE(out, 'C', what "\0")
#define SYNC(out) add(out, 'S', "", 0)
#define FLUSH(out) add(out, 'H', "", 0)
#define QUERY(out, text) MESSAGE(out, 'Q', text "\0")

static void add_named(struct str *out)
{
	PARSE(out, "one", "show version");
	DESCRIBE(out, "Sone");
	FLUSH(out);
	BIND(out, "p", "one");
	DESCRIBE(out, "Pp");
	EXECUTE(out, "p", "\0");
	SYNC(out);
	BIND(out, "", "one");
	EXECUTE(out, "", "\0");
	CLOSE(out, "Sone");
	BIND(out, "", "one");
	SYNC(out);
}
#define NAMED                                                                                                          \
	"1 t T(version:t) 2 T(version:t) D(PgBouncer 1.26.1) C(SHOW) Z 2 D(PgBouncer 1.26.1) C(SHOW) 3 "               \
	"E(ERROR 26000 prepared statement \"one\" does not exist) Z"

static void add_unnamed(struct str *out)
{
	PARSE(out, "", "show state");
	PARSE(out, "", "show version");
	BIND(out, "", "");
	EXECUTE(out, "", "\0");
	SYNC(out);
	BIND(out, "", "");
	SYNC(out);
	QUERY(out, "show version");
	BIND(out, "", "");
	SYNC(out);
}
#define UNNAMED                                                                                                        \
	"1 1 2 D(PgBouncer 1.26.1) C(SHOW) Z 2 Z " SHOWN " E(ERROR 26000 unnamed prepared statement does not "         \
	"exist) Z"

/* Of three errors one is told, and what stands before Sync is not run, a Query included. */
static void add_errors(struct str *out)
{
	PARSE(out, "", "x");
	BIND(out, "", "");
	EXECUTE(out, "", "\0");
	QUERY(out, "show version");
	SYNC(out);
	EXECUTE(out, "q", "\0");
	SYNC(out);
	DESCRIBE(out, "Snone");
	DESCRIBE(out, "Pnone");
	SYNC(out);
	DESCRIBE(out, "Pnone");
	SYNC(out);
	CLOSE(out, "Pnone");
	CLOSE(out, "Snone");
	SYNC(out);
	QUERY(out, "show version");
}
#define ERRORS                                                                                                         \
	INVALID " Z E(ERROR 34000 portal \"q\" does not exist) Z E(ERROR 26000 prepared statement \"none\" does not "  \
	        "exist) Z E(ERROR 34000 portal \"none\" does not exist) Z 3 3 Z " SHOWN

static void add_twice(struct str *out)
{
	PARSE(out, "a", "show version");
	PARSE(out, "a", "show version");
	SYNC(out);
	BIND(out, "p", "a");
	BIND(out, "p", "a");
	SYNC(out);
	BIND(out, "", "a");
	BIND(out, "", "a");
	SYNC(out);
}
#define TWICE                                                                                                          \
	"1 E(ERROR 42P05 prepared statement \"a\" already exists) Z 2 E(ERROR 42P03 portal \"p\" already exists) Z 2 " \
	"2 Z"

/* Rows in portions; behind the last there are none. */
static void add_portions(struct str *out)
{
	PARSE(out, "", "show state");
	BIND(out, "", "");
	EXECUTE(out, "", "\1");
	EXECUTE(out, "", "\1");
	EXECUTE(out, "", "\1");
	SYNC(out);
	EXECUTE(out, "", "\1");
	SYNC(out);
}
#define PORTIONS "1 2 D(active,yes) s D(paused,no) C(SHOW) C(SHOW) Z E(ERROR 34000 portal \"\" does not exist) Z"

static void add_without_rows(struct str *out)
{
	PARSE(out, "", "set timezone = UTC");
	DESCRIBE(out, "S");
	BIND(out, "", "");
	DESCRIBE(out, "P");
	EXECUTE(out, "", "\0");
	PARSE(out, "", " ; ");
	BIND(out, "", "");
	DESCRIBE(out, "P");
	EXECUTE(out, "", "\0");
	PARSE(out, "", "show timezone");
	DESCRIBE(out, "S");
	BIND(out, "", "");
	EXECUTE(out, "", "\0");
	SYNC(out);
	QUERY(out, "-- ping");
}
#define WITHOUT_ROWS "1 t n 2 n N(NOTICE 00000 SET ignored) C(SET) 1 2 n I 1 t T(timezone:t) 2 D(GMT) C(SHOW) Z I Z"

static void add_parameters(struct str *out)
{
	MESSAGE(out, 'P', "\0show version\0\0\1\0\0\0\31");
	SYNC(out);
	PARSE(out, "", "show version");
	MESSAGE(out, 'B', "\0\0\0\0\0\1\0\0\0\1x\0\0");
	SYNC(out);
	MESSAGE(out, 'B', "\0\0\0\0\0\0\0\2\0\0\0\0");
	SYNC(out);
}
#define PARAMETERS                                                                                                     \
	"E(ERROR 0A000 commands of the console have no parameters) Z 1 E(ERROR 08P01 commands of the console have no " \
	"parameters) Z E(ERROR 08P01 bind message has another number of result formats than there are columns) Z"

static void add_deallocate(struct str *out)
{
	PARSE(out, "a", "show version");
	PARSE(out, "b", "show version");
	SYNC(out);
	QUERY(out, "deallocate a");
	QUERY(out, "deallocate a");
	QUERY(out, "DEALLOCATE ALL");
	BIND(out, "", "b");
	SYNC(out);
}
#define DEALLOCATE                                                                                                     \
	"1 1 Z C(DEALLOCATE) Z E(ERROR 26000 prepared statement \"a\" does not exist) Z C(DEALLOCATE ALL) Z "          \
	"E(ERROR 26000 prepared statement \"b\" does not exist) Z"

/* Sends the bytes in two portions, cut there. */
static const char *story_of(const struct str *bytes, size_t cut)
{
	static char story[8192];
	struct bench b;
	struct bench_client *c;

	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	bench_send(c, bytes->data, cut);
	run_turns(b.loop, 3);
	bench_send(c, bytes->data + cut, bytes->len - cut);
	snprintf(story, sizeof(story), "%s", bench_rest(c));
	bench_disconnect(c);
	bench_finish(&b);
	return story;
}

static const struct {
	void (*add)(struct str *out);
	const char *story;
} conversations[] = {
    {add_named, NAMED},           {add_unnamed, UNNAMED},       {add_errors, ERRORS},
    {add_twice, TWICE},           {add_portions, PORTIONS},     {add_without_rows, WITHOUT_ROWS},
    {add_parameters, PARAMETERS}, {add_deallocate, DEALLOCATE},
};

static void conversations_are_as_in_postgresql(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(conversations) / sizeof(conversations[0]); i++) {
		struct str bytes;

		str_init(&bytes, 10000);
		conversations[i].add(&bytes);
		add(&bytes, 'X', "", 0);
		for (size_t cut = 0; cut <= bytes.len; cut++)
			assert_string_equal(story_of(&bytes, cut), conversations[i].story);
		str_fini(&bytes);
	}
}

#define CUT "E(FATAL 08P01 bad packet)"

static void malformed_messages_end_the_connection(void **state)
{
	static const struct {
		char type;
		const char *body;
		size_t len;
	} cases[] = {
	    {'P', "", 0},
	    {'P', "\0x", 2},
	    {'P', "\0x\0\0", 4},
	    {'P', "\0x\0\0\1", 5},
	    {'P', "\0x\0\xff\xff", 5},
	    {'P', "\0x\0\0\0z", 6},
	    {'B', "", 0},
	    {'B', "\0\0\0\0\0\0", 6},
	    {'B', "\0\0\0\0\0\0\0\2\0\0", 10},
	    {'B', "\0\0\0\0\0\0\0\1\0\2", 10},
	    {'B', "\0\0\xff\xff\0\0\0\0", 8},
	    {'B', "\0\0\0\0\xff\xff\0\0", 8},
	    {'B', "\0\0\0\0\0\0\xff\xff", 8},
	    {'D', "", 0},
	    {'D', "Xa\0", 3},
	    {'D', "Sa", 2},
	    {'E', "", 0},
	    {'E', "\0\0\0\0", 4},
	    {'E', "\0\0\0\0\0\0", 6},
	    {'C', "", 0},
	    {'C', "xa\0", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str bytes;

		str_init(&bytes, 1000);
		add(&bytes, cases[i].type, cases[i].body, cases[i].len);
		assert_string_equal(story_of(&bytes, bytes.len), CUT);
		str_fini(&bytes);
	}
}

static void add_many(struct str *out, char type, unsigned n, const char *behind, size_t behind_len)
{
	for (unsigned i = 0; i < n; i++) {
		char body[64];
		int len = snprintf(body, sizeof(body), "%u", i);

		memcpy(body + len + 1, behind, behind_len);
		add(out, type, body, (size_t)len + 1 + behind_len);
	}
}

static unsigned count_of(const char *story, const char *word)
{
	unsigned n = 0;

	while ((story = strstr(story, word)) != NULL) {
		story += strlen(word);
		n++;
	}
	return n;
}

static void there_is_a_limit_to_what_is_kept(void **state)
{
	struct bench b;
	struct bench_client *c;
	struct str bytes;
	const char *story;
	char name[EXTENDED_NAME_MAX + 30];

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	str_init(&bytes, 1 << 20);
	add_many(&bytes, 'P', EXTENDED_STATEMENTS_MAX + 1, "show state\0\0\0", 13);
	SYNC(&bytes);
	add_many(&bytes, 'B', EXTENDED_PORTALS_MAX + 1, "0\0\0\0\0\0\0\0", 8);
	SYNC(&bytes);
	memset(name, 'n', sizeof(name));
	memcpy(name + EXTENDED_NAME_MAX + 1, "\0show state\0\0", 14);
	add(&bytes, 'P', name, EXTENDED_NAME_MAX + 1 + 14);
	SYNC(&bytes);
	bench_send(c, bytes.data, bytes.len);
	story = bench_answer(c);
	assert_int_equal(count_of(story, "1 "), EXTENDED_STATEMENTS_MAX);
	assert_non_null(strstr(story, "E(ERROR 54000 too many prepared statements) Z"));
	story = bench_answer(c);
	assert_int_equal(count_of(story, "2 "), EXTENDED_PORTALS_MAX);
	assert_non_null(strstr(story, "E(ERROR 54000 too many portals) Z"));
	assert_string_equal(bench_answer(c), "E(ERROR 54000 the name of a prepared statement is too long) Z");
	str_fini(&bytes);
	bench_disconnect(c);
	bench_finish(&b);
}

/* PAUSE by Execute: what stands behind it waits for its end, and its end has no ReadyForQuery. */
static void commands_of_main_are_waited_for(void **state)
{
	static const struct control_reply failure = {.error = "no"};
	struct bench b;
	struct bench_client *c;
	struct str bytes;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	str_init(&bytes, 10000);
	PARSE(&bytes, "", "pause app");
	BIND(&bytes, "", "");
	EXECUTE(&bytes, "", "\0");
	EXECUTE(&bytes, "", "\0");
	SYNC(&bytes);
	bench_send(c, bytes.data, bytes.len);
	assert_string_equal(bench_asked(&b), "pause app");
	run_turns(b.loop, 5);
	bench_take(c);
	assert_int_equal(bench_ready(c), 0);
	bench_reply_ok(&b);
	assert_string_equal(bench_answer(c), "1 2 C(PAUSE) C(PAUSE) Z");
	bench_send(c, bytes.data, bytes.len);
	(void)bench_asked(&b);
	bench_reply(&b, &failure);
	assert_string_equal(bench_answer(c), "1 2 E(ERROR 08P01 no) Z");
	bench_send(c, bytes.data, bytes.len);
	(void)bench_asked(&b);
	assert_true(console_cancel(b.console, (const uint8_t *)"keyof\0\0\7"));
	assert_string_equal(bench_answer(c), "1 2 E(ERROR 08P01 canceling command due to user request) Z");
	assert_string_equal(bench_ask(c, "show version"), SHOWN);
	str_fini(&bytes);
	bench_disconnect(c);
	bench_finish(&b);
}

static void rights_are_those_of_the_simple_protocol(void **state)
{
	struct bench b;
	struct bench_client *c;
	struct str bytes;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	str_init(&bytes, 10000);
	PARSE(&bytes, "", "reload");
	BIND(&bytes, "", "");
	EXECUTE(&bytes, "", "\0");
	SYNC(&bytes);
	bench_send(c, bytes.data, bytes.len);
	assert_string_equal(bench_answer(c), "1 2 E(ERROR 08P01 admin access needed) Z");
	assert_null(b.done);
	str_fini(&bytes);
	bench_disconnect(c);
	bench_finish(&b);
}

/* Columns are promised with their formats, and come so. */
static void rows_come_in_binary_if_asked_for(void **state)
{
	static const char promised[] = "\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\1";
	struct bench b;
	struct bench_client *c;
	struct str bytes;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	str_init(&bytes, 10000);
	PARSE(&bytes, "", "show lists");
	BIND_BINARY(&bytes, "", "");
	DESCRIBE(&bytes, "P");
	EXECUTE(&bytes, "", "\1");
	SYNC(&bytes);
	bench_send(c, bytes.data, bytes.len);
	assert_true(run_until(b.loop, bench_has_answer, c));
	assert_non_null(find_bytes(c->got.data, c->got.len, promised + 1, sizeof(promised) - 2));
	assert_non_null(find_bytes(c->got.data, c->got.len, "databases\0\0\0\4\0\0\0\2", 17));
	str_fini(&bytes);
	bench_disconnect(c);
	bench_finish(&b);
}

static void add_parse(struct str *out, const char *sql)
{
	size_t m = message_begin(out, 'P');

	message_cstring(out, "");
	message_cstring(out, sql);
	message_i16(out, 0);
	message_end(out, m);
}

/* Each kind of command describes what it then answers. */
static void every_topic_is_described_as_it_answers(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	for (const struct topic *t = topics; t->name != NULL; t++) {
		static char simple[1 << 16];
		char sql[80], columns[4096] = "n", expected[4200];
		struct str bytes;

		snprintf(sql, sizeof(sql), "show %s", t->name);
		snprintf(simple, sizeof(simple), "%s", bench_ask(c, sql));
		if (simple[0] == 'T')
			snprintf(columns, sizeof(columns), "%.*s", (int)(strchr(simple, ')') + 1 - simple), simple);
		str_init(&bytes, 10000);
		add_parse(&bytes, sql);
		DESCRIBE(&bytes, "S");
		SYNC(&bytes);
		bench_send(c, bytes.data, bytes.len);
		snprintf(expected, sizeof(expected), "1 t %s Z", columns);
		assert_string_equal(bench_answer(c), expected);
		str_fini(&bytes);
	}
	bench_disconnect(c);
	bench_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(conversations_are_as_in_postgresql),
	    cmocka_unit_test(malformed_messages_end_the_connection),
	    cmocka_unit_test(there_is_a_limit_to_what_is_kept),
	    cmocka_unit_test(commands_of_main_are_waited_for),
	    cmocka_unit_test(rights_are_those_of_the_simple_protocol),
	    cmocka_unit_test(rows_come_in_binary_if_asked_for),
	    cmocka_unit_test(every_topic_is_described_as_it_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
