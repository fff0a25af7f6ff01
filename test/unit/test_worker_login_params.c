/* Start-up parameters: which are followed, ignored and refused, and what the client is told. */
#include "worker_scene.h"

#include "worker/login.h"

/* A client logs in with one parameter more and waits for the pool's first server. */
static struct side *start_with(struct bench *b, const char *globals, const char *name, const char *value)
{
	struct side *c;
	struct str out;
	size_t at;

	bench_init(b, globals);
	str_init(&out, 65536);
	c = bench_client(b);
	at = message_startup_begin(&out, PROTOCOL_3_0);
	message_startup_param(&out, "user", "ann");
	message_startup_param(&out, "database", "app");
	message_startup_param(&out, name, value);
	message_startup_end(&out, at);
	side_say(b, c, &out);
	str_fini(&out);
	return c;
}

static void assert_own(struct bench *b, const char *name, const char *value)
{
	const struct client *c = only_client(b);

	assert_int_equal(c->state, CLIENT_GREETING);
	if (value == NULL)
		assert_null(params_value(c->login->own, name));
	else
		assert_string_equal(params_value(c->login->own, name), value);
}

static void accepts(const char *globals, const char *name, const char *value, const char *own, const char *is)
{
	struct bench b;

	(void)start_with(&b, globals, name, value);
	assert_own(&b, own, is);
	bench_fini(&b);
}

static void refuses(const char *globals, const char *name, const char *value, const char *text)
{
	struct bench b;
	struct side *c = start_with(&b, globals, name, value);

	assert_true(c->ended);
	assert_told(c, text);
	assert_int_equal(b.w->n_clients, 0);
	bench_fini(&b);
}

static void tracked_parameters_are_followed_in_any_case_of_letters(void **state)
{
	(void)state;
	accepts("auth_type=trust", "TimeZone", "CET", "TimeZone", "CET");
	accepts("auth_type=trust", "datestyle", "German", "DateStyle", "German");
	accepts("auth_type=trust\ntrack_extra_parameters=work_mem", "work_mem", "4MB", "work_mem", "4MB");
	accepts("auth_type=trust\ntrack_extra_parameters= geqo , Work_Mem", "WORK_MEM", "4MB", "work_mem", "4MB");
	accepts("auth_type=trust", "scram_iterations", "4096", "scram_iterations", "4096");
}

static void ignored_parameters_are_forgotten(void **state)
{
	(void)state;
	accepts("auth_type=trust\nignore_startup_parameters=extra_float_digits", "extra_float_digits", "2",
	        "extra_float_digits", NULL);
	/* even those that would be tracked */
	accepts("auth_type=trust\nignore_startup_parameters=search_path", "search_path", "a", "search_path", NULL);
	accepts("auth_type=trust\nignore_startup_parameters= geqo ,\tOptions, work_mem ", "Work_mem", "1MB", "work_mem",
	        NULL);
}

static void what_drivers_ask_for_without_effect_is_let_in(void **state)
{
	(void)state;
	accepts("auth_type=trust", "extra_float_digits", "1", "extra_float_digits", NULL);
	accepts("auth_type=trust", "extra_float_digits", "2", "extra_float_digits", NULL);
	accepts("auth_type=trust", "Extra_Float_Digits", "3", "extra_float_digits", NULL);
	accepts("auth_type=trust", "options", "-c extra_float_digits=3", "extra_float_digits", NULL);
	/* followed, if that is wanted */
	accepts("auth_type=trust\ntrack_extra_parameters=extra_float_digits", "extra_float_digits", "3",
	        "extra_float_digits", "3");
	refuses("auth_type=trust", "extra_float_digits", "0", "unsupported startup parameter: extra_float_digits");
	refuses("auth_type=trust", "extra_float_digits", "-3", "unsupported startup parameter: extra_float_digits");
	refuses("auth_type=trust", "extra_float_digits", "33", "unsupported startup parameter: extra_float_digits");
	refuses("auth_type=trust", "extra_float_digits", "", "unsupported startup parameter: extra_float_digits");
}

static void other_parameters_are_refused_by_name(void **state)
{
	(void)state;
	refuses("auth_type=trust", "geqo", "off", "unsupported startup parameter: geqo");
	refuses("auth_type=trust", "server_version", "12", "unsupported startup parameter: server_version");
}

/* What the client is told to do about it; "" for nothing. */
static void hints(const char *globals, const char *name, const char *value, const char *hint)
{
	struct bench b;
	struct report report;
	struct side *c = start_with(&b, globals, name, value);

	assert_true(c->ended);
	assert_string_equal(told_hint(c, &report), hint);
	bench_fini(&b);
}

#define LET_IN(list) "To let such clients in without it, set \"ignore_startup_parameters = " list "\" in the section "
#define TRACK(list) " To have it set on each server that the client is given, set \"track_extra_parameters = " list "\""

static void the_settings_that_let_a_parameter_in_are_named_ready_to_paste(void **state)
{
	char name[80];

	(void)state;
	hints("auth_type=trust", "geqo", "off", LET_IN("geqo") "[pgbouncer] and reload." TRACK("geqo") " and restart.");
	hints("auth_type=trust", "options", "-c geqo=off",
	      LET_IN("geqo") "[pgbouncer] and reload." TRACK("geqo") " and restart.");
	hints("auth_type=trust\nignore_startup_parameters=a, b\ntrack_extra_parameters=c", "app.x", "1",
	      LET_IN("a, b, app.x") "[pgbouncer] and reload." TRACK("c, app.x") " and restart.");
	/* what no session can set */
	hints("auth_type=trust", "is_superuser", "on", LET_IN("is_superuser") "[pgbouncer] and reload.");
	hints("auth_type=trust", "options", "--database=x", LET_IN("database") "[pgbouncer] and reload.");
	/* what would not be one word of a list */
	hints("auth_type=trust", "a,b", "x", "");
	hints("auth_type=trust", "a\nb", "x", "");
	hints("auth_type=trust", "options", "-c=x", "");
	memset(name, 'n', sizeof(name) - 1);
	name[64] = '\0';
	hints("auth_type=trust", name, "x", "");
}

static void values_without_end_are_cut_or_refused(void **state)
{
	char value[9000], expected[1025];

	(void)state;
	memset(value, 'x', sizeof(value));
	value[8193] = '\0';
	refuses("auth_type=trust", "TimeZone", value, "startup parameter is too long: TimeZone");
	value[8192] = '\0';
	accepts("auth_type=trust", "TimeZone", value, "TimeZone", value);
	/* of an application's name PostgreSQL keeps 63 bytes */
	memset(expected, 'x', sizeof(expected));
	expected[1024] = '\0';
	accepts("auth_type=trust", "application_name", value, "application_name", expected);
	/* not in the middle of a character */
	memcpy(value + 1023, "\xc3\xa9", 2);
	expected[1023] = '\0';
	accepts("auth_type=trust", "Application_Name", value, "application_name", expected);
}

static void all_values_together_have_one_limit(void **state)
{
	char value[9000];
	struct str options;

	(void)state;
	memset(value, 'x', sizeof(value));
	value[8000] = '\0';
	str_init(&options, 65536);
	str_printf(&options, "-c TimeZone=%s -c DateStyle=%s -c search_path=%s", value, value, value);
	refuses("auth_type=trust", "options", str_text(&options), "startup parameter is too long: search_path");
	str_fini(&options);
}

static void a_packet_of_the_largest_size_is_read(void **state)
{
	struct bench b;
	struct side *c;
	struct str out;
	size_t at;

	(void)state;
	bench_init(&b, "auth_type=trust\nignore_startup_parameters=p");
	str_init(&out, 1u << 20);
	c = bench_client(&b);
	at = message_startup_begin(&out, PROTOCOL_3_0);
	message_startup_param(&out, "user", "ann");
	message_startup_param(&out, "database", "app");
	message_startup_param(&out, "TimeZone", "CET");
	while (out.len + 5 <= STARTUP_MAX_BYTES) /* some 13,000 parameters */
		message_startup_param(&out, "p", (STARTUP_MAX_BYTES - out.len - 1) % 5 == 0 ? "xx" : "xxx");
	message_startup_end(&out, at);
	assert_in_range(out.len, STARTUP_MAX_BYTES - 5, STARTUP_MAX_BYTES);
	side_say(&b, c, &out);
	str_fini(&out);
	assert_own(&b, "TimeZone", "CET");
	bench_fini(&b);
}

static void options_are_followed_in_both_forms(void **state)
{
	struct bench b;

	(void)state;
	(void)start_with(&b, "auth_type=trust", "options", "-c TimeZone=CET --DateStyle=German -csearch_path=a\\ b");
	assert_own(&b, "TimeZone", "CET");
	assert_own(&b, "DateStyle", "German");
	assert_own(&b, "search_path", "a b");
	bench_fini(&b);
}

static void options_that_nobody_knows_are_refused_unless_ignored(void **state)
{
	const char *ignoring = "auth_type=trust\nignore_startup_parameters=options";

	(void)state;
	refuses("auth_type=trust", "options", "-c work_mem=4MB", "unsupported startup parameter in options: work_mem");
	refuses("auth_type=trust", "options", "-x", OPTIONS_FORM_TEXT);
	accepts(ignoring, "options", "-c work_mem=4MB -c TimeZone=CET", "TimeZone", "CET");
	/* what stands behind it could be meant for us */
	refuses(ignoring, "options", "-x -c TimeZone=CET", OPTIONS_FORM_TEXT);
}

static const struct replication *replication_of(struct bench *b)
{
	const struct client *c = only_client(b);

	assert_int_equal(c->state, CLIENT_GREETING);
	return c->entry.seat->pool->replication;
}

static void replicates(const char *value, enum replication_kind kind)
{
	struct bench b;
	const struct replication *r;

	(void)start_with(&b, "auth_type=trust", "replication", value);
	r = replication_of(&b);
	if (kind == REPLICATION_NONE) {
		assert_null(r);
	} else {
		assert_int_equal(r->kind, kind);
		assert_string_equal(r->params, "replication");
		assert_string_equal(r->params + sizeof("replication"), value);
	}
	bench_fini(&b);
}

static void replication_connections_are_known_by_their_value(void **state)
{
	static const char *const physical[] = {"true", "Y", "tRu", "on", "1"};
	static const char *const none[] = {"off", "F", "n", "", "o", "truer", "DATABASE"};

	(void)state;
	replicates("database", REPLICATION_LOGICAL);
	for (size_t i = 0; i < sizeof(physical) / sizeof(physical[0]); i++)
		replicates(physical[i], REPLICATION_PHYSICAL);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		replicates(none[i], REPLICATION_NONE);
}

static void the_clients_address_is_added_to_its_name_if_wanted(void **state)
{
	const char *adding = "auth_type=trust\napplication_name_add_host=1";

	(void)state;
	accepts("auth_type=trust", "application_name", "psql", "application_name", "psql");
	accepts(adding, "application_name", "psql", "application_name", "psql - 127.0.0.1:5555");
	accepts(adding, "TimeZone", "CET", "application_name", "app - 127.0.0.1:5555");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tracked_parameters_are_followed_in_any_case_of_letters),
	    cmocka_unit_test(ignored_parameters_are_forgotten),
	    cmocka_unit_test(other_parameters_are_refused_by_name),
	    cmocka_unit_test(what_drivers_ask_for_without_effect_is_let_in),
	    cmocka_unit_test(the_settings_that_let_a_parameter_in_are_named_ready_to_paste),
	    cmocka_unit_test(values_without_end_are_cut_or_refused),
	    cmocka_unit_test(all_values_together_have_one_limit),
	    cmocka_unit_test(a_packet_of_the_largest_size_is_read),
	    cmocka_unit_test(options_are_followed_in_both_forms),
	    cmocka_unit_test(options_that_nobody_knows_are_refused_unless_ignored),
	    cmocka_unit_test(replication_connections_are_known_by_their_value),
	    cmocka_unit_test(the_clients_address_is_added_to_its_name_if_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
