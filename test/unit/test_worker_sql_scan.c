/* What texts of queries would leave behind: a table of cases, each read at every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "worker/sql_scan.h"

/* Parameters that leave nothing. */
static bool follows(void *arg, const char *name)
{
	(void)arg;
	return strcasecmp(name, "timezone") == 0 || strcasecmp(name, "client_encoding") == 0 ||
	       strcmp(name, "app.followed") == 0;
}

static const char letters[N_STATES + 1] = "SLPTCAO"; /* SET LISTEN PREPARE TEMP CURSOR (advisory) LOCK LOAD */

/* One letter for each statement, "-" and a number for unlocks. */
static void story(const struct sql_scan *s, char out[64])
{
	size_t n = 0;

	for (unsigned i = 0; i < N_STATES; i++)
		for (unsigned k = 0; k < s->found[i] && n < 40; k++)
			out[n++] = letters[i];
	out[n] = '\0';
	if (s->n_unlocks > 0)
		snprintf(out + n, 64 - n, "-%u", s->n_unlocks);
}

static void scan(const char *text, size_t cut, bool conforming, char out[64])
{
	struct sql_scan s;

	sql_scan_begin(&s, conforming);
	sql_scan_feed(&s, text, cut, follows, NULL);
	sql_scan_feed(&s, text + cut, strlen(text) - cut, follows, NULL);
	sql_scan_end(&s, follows, NULL);
	story(&s, out);
	assert_int_equal(sql_scan_found_any(&s), out[0] != '\0' && out[0] != '-');
}

static void check(const char *text, const char *expected, bool conforming)
{
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		char found[64];

		scan(text, cut, conforming, found);
		if (strcmp(found, expected) != 0)
			print_error("%s (cut at %zu): \"%s\" instead of \"%s\"\n", text, cut, found, expected);
		assert_string_equal(found, expected);
	}
}

struct item {
	const char *text, *found;
};

#define CHECK_ALL(items)                                                                                               \
	for (size_t i = 0; i < sizeof(items) / sizeof((items)[0]); i++)                                                \
	check((items)[i].text, (items)[i].found, true)

static void set_leaves_a_parameter(void **state)
{
	static const struct item items[] = {
	    {"SET work_mem = '1MB'", "S"},
	    {"set work_mem to 1", "S"},
	    {"SET SESSION work_mem TO 1", "S"},
	    {"SET app.x = 'y'", "S"},
	    {"SET \"app\".\"x\" TO 'y';", "S"},
	    {"SET a=1;SET b=2;", "SS"},
	    {"SET search_path = a, b", "S"},
	    {"SET SCHEMA 'a'", "S"},
	    {"SET ROLE x", "S"},
	    {"SET ROLE 'x'", "S"},
	    {"SET SESSION ROLE x", "S"},
	    {"SET SESSION AUTHORIZATION x", "S"},
	    {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "S"},
	    {"SET SEED TO 0.5", "S"},
	    {"SET extra_float_digits = 0", "S"},
	    {"SET extra_float_digits = 30", "S"},
	    {"SET extra_float_digits = -3", "S"},
	    {"SET XML OPTION DOCUMENT", "S"},
	    {"SET SESSION \"local\" = 1", "S"},
	    {"SET \"local\" = 1", "S"},
	};

	(void)state;
	CHECK_ALL(items);
}

static void set_that_leaves_nothing(void **state)
{
	static const struct item items[] = {
	    {"SET LOCAL work_mem = '1MB'", ""},
	    {"SET TRANSACTION READ ONLY", ""},
	    {"SET CONSTRAINTS ALL DEFERRED", ""},
	    {"SET TimeZone = 'UTC'", ""},
	    {"SET \"TimeZone\" TO 'UTC'", ""},
	    {"SET TIME ZONE 'UTC'", ""},
	    {"SET SESSION TIME ZONE INTERVAL '1' HOUR", ""},
	    {"SET NAMES 'UTF8'", ""},
	    {"SET app.followed = 'x'", ""},
	    {"SET work_mem = DEFAULT", ""},
	    {"SET work_mem TO DEFAULT ;", ""},
	    {"SET ROLE NONE", ""},
	    {"SET extra_float_digits = 3", ""},
	    {"SET extra_float_digits TO '2'", ""},
	    {"SET SESSION AUTHORIZATION DEFAULT", ""},
	    {"SET work_mem", ""},
	    {"SET", ""},
	    {"RESET work_mem", ""},
	    {"RESET ALL; DISCARD ALL", ""},
	    {"UPDATE t SET work_mem = 1", ""},
	    {"ALTER ROLE x SET work_mem = 1", ""},
	    {"INSERT INTO t VALUES ('SET work_mem = 1')", ""},
	};

	(void)state;
	CHECK_ALL(items);
}

static void set_config_leaves_a_parameter_unless_local(void **state)
{
	static const struct item items[] = {
	    {"SELECT set_config('work_mem', '1MB', false)", "S"},
	    {"SELECT pg_catalog.set_config('work_mem', '1MB', FALSE)", "S"},
	    {"SELECT \"set_config\"('work_mem', '1MB', 'f')", "S"},
	    {"SELECT set_config('work_mem', f(1, true), false)", "S"},
	    {"SELECT set_config($1, $2, $3)", "S"},
	    {"SELECT set_config($1, $2, true)", ""},
	    {"SELECT set_config('a', 'b', true), set_config('c', 'd', false)", "S"},
	    {"SELECT set_config('work_mem', '1MB', true)", ""},
	    {"SELECT set_config('work_mem', (SELECT 'x'), 't'::bool)", ""},
	    {"SELECT set_config('timezone', 'UTC', false)", ""},
	    {"SELECT set_config('time' || 'zone', 'UTC', false)", "S"},
	    {"INSERT INTO t SELECT set_config('a', 'b', false)", "S"},
	    {"WITH x AS (SELECT set_config('a', 'b', false)) SELECT 1", "S"},
	    {"SELECT 'set_config(''a'', ''b'', false)'", ""},
	    {"SELECT set_config", ""},
	};

	(void)state;
	CHECK_ALL(items);
}

static void temporary_objects_are_left_unless_dropped_on_commit(void **state)
{
	static const struct item items[] = {
	    {"CREATE TEMP TABLE t (a int)", "T"},
	    {"CREATE TEMPORARY TABLE IF NOT EXISTS t AS SELECT 1", "T"},
	    {"CREATE LOCAL TEMP TABLE t (a int) ON COMMIT DELETE ROWS", "T"},
	    {"CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "T"},
	    {"CREATE TEMP SEQUENCE s", "T"},
	    {"CREATE TABLE pg_temp.t (a int)", "T"},
	    {"CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "T"},
	    {"SELECT 1 AS a INTO TEMP t", "T"},
	    {"SELECT 1 AS a INTO LOCAL TEMPORARY TABLE t", "T"},
	    {"WITH x AS (SELECT 1) SELECT * INTO TEMP t FROM x", "T"},
	    {"CREATE TEMP TABLE t (a int) ON COMMIT DROP", ""},
	    {"CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1", ""},
	    {"CREATE TABLE temp (temp int)", ""},
	    {"CREATE TABLE t (temp int)", ""},
	    {"CREATE INDEX temp ON t (a)", ""},
	    {"INSERT INTO temp VALUES (1)", ""},
	    {"SELECT temp FROM t", ""},
	    {"DROP TABLE pg_temp.t", ""},
	};

	(void)state;
	CHECK_ALL(items);
}

static void locks_are_counted_and_unlocked(void **state)
{
	static const struct item items[] = {
	    {"SELECT pg_advisory_lock(1)", "A"},
	    {"select PG_TRY_ADVISORY_LOCK (1, 2)", "A"},
	    {"SELECT pg_catalog.pg_advisory_lock_shared($1)", "A"},
	    {"SELECT pg_advisory_lock(1), pg_advisory_lock(2)", "AA"},
	    {"SELECT pg_advisory_xact_lock(1)", ""},
	    {"SELECT pg_advisory_unlock(1)", "-1"},
	    {"SELECT pg_advisory_unlock_shared(1), pg_advisory_unlock(2)", "-2"},
	    {"SELECT pg_advisory_unlock_all()", "-255"},
	    {"SELECT pg_advisory_lock FROM t", ""},
	    {"SELECT 'pg_advisory_lock(1)'", ""},
	};

	(void)state;
	CHECK_ALL(items);
}

static void other_statements(void **state)
{
	static const struct item items[] = {
	    {"LISTEN x", "L"},
	    {"LISTEN \"X\";UNLISTEN x", "L"},
	    {"LISTEN", ""},
	    {"NOTIFY x", ""},
	    {"PREPARE p AS SELECT 1", "P"},
	    {"PREPARE p (int) AS SELECT pg_advisory_lock($1)", "P"},
	    {"PREPARE TRANSACTION 'x'", ""},
	    {"EXECUTE p; DEALLOCATE p", ""},
	    {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "C"},
	    {"DECLARE c BINARY INSENSITIVE NO SCROLL CURSOR WITH HOLD FOR SELECT 1", "C"},
	    {"DECLARE c CURSOR FOR SELECT 1", ""},
	    {"DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", ""},
	    {"LOAD 'auto_explain'", "O"},
	    {"", ""},
	    {" ;; ; ", ""},
	    {"BEGIN; SET a = 1; LISTEN x; CREATE TEMP TABLE t(); COMMIT", "SLT"},
	};

	(void)state;
	CHECK_ALL(items);
}

static void comments_strings_and_bodies_are_passed_over(void **state)
{
	static const struct item items[] = {
	    {"/* a /* b */ c */ SET a = 1", "S"},
	    {"-- LISTEN x\nSET a = 1", "S"},
	    {"--\rSET a = 1", "S"},
	    {"/* SET a = 1 */ SELECT 1 -- SET a = 1", ""},
	    {"SET/**/a/**/=/**/1", "S"},
	    {"SE/**/T a = 1", ""},
	    {"SELECT 1 - -1; SET a = 1", "S"},
	    {"SELECT 4 / 2; SET a = 1", "S"},
	    {"SELECT 'it''s; SET a = 1'", ""},
	    {"SELECT E'it\\'s; SET a = 1'", ""},
	    {"SELECT e'\\\\'; SET a = 1", "S"},
	    {"SELECT 'back\\'; SET a = 1", "S"},
	    {"SELECT \"a;b\"\"; SET a = 1\"", ""},
	    {"SELECT $$; SET a = 1;$$; LISTEN x", "L"},
	    {"SELECT $a$; SET a = 1; $b$ $$ $a $a$; LISTEN x", "L"},
	    {"SELECT $a$$a$; LISTEN x", "L"},
	    {"SELECT $1, a$b$; LISTEN x; SELECT 'a$b$'", "L"},
	    {"DO $$BEGIN PERFORM pg_advisory_lock(1); END$$", ""},
	    {"CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; LISTEN x)", ""},
	    {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT pg_advisory_lock(1); END", ""},
	    {"CREATE VIEW v AS SELECT pg_advisory_lock(1)", ""},
	    {"\xc3\xa4\xc3\xb6 SET; SET \xc3\xa4.b = 1", "S"},
	};

	(void)state;
	CHECK_ALL(items);
}

static void backslashes_follow_standard_conforming_strings(void **state)
{
	(void)state;
	check("SELECT 'back\\'; SET a = 1'", "", false);
	check("SELECT 'back\\'; SET a = 1", "S", true);
}

static void long_words_and_names_are_cut(void **state)
{
	char text[512] = "SET ", found[64];

	(void)state;
	memset(text + 4, 'x', 300);
	snprintf(text + 304, sizeof(text) - 304, ".%0150d = 1; LISTEN y", 7);
	scan(text, 100, true, found);
	assert_string_equal(found, "SL");
}

static void a_mark_is_seen_outside_of_strings_only(void **state)
{
	struct sql_scan s;

	(void)state;
	sql_scan_begin(&s, true);
	sql_scan_feed(&s, "SELECT '\x01' \x02", 12, follows, NULL);
	assert_int_equal(s.mark, 2);
	sql_scan_begin(&s, true);
	sql_scan_feed(&s, "SELECT '\x01'", 10, follows, NULL);
	assert_int_equal(s.mark, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(set_leaves_a_parameter),
	    cmocka_unit_test(set_that_leaves_nothing),
	    cmocka_unit_test(set_config_leaves_a_parameter_unless_local),
	    cmocka_unit_test(temporary_objects_are_left_unless_dropped_on_commit),
	    cmocka_unit_test(locks_are_counted_and_unlocked),
	    cmocka_unit_test(other_statements),
	    cmocka_unit_test(comments_strings_and_bodies_are_passed_over),
	    cmocka_unit_test(backslashes_follow_standard_conforming_strings),
	    cmocka_unit_test(long_words_and_names_are_cut),
	    cmocka_unit_test(a_mark_is_seen_outside_of_strings_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
