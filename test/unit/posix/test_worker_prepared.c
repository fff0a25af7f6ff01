/*
 * Prepared statements across servers, against a model of PostgreSQL's: what a client reads through the pooler is what
 * it would read directly, however bytes are cut and answers come late, and a server never keeps more than it may.
 */
#include "worker/prepared.h"

#include "../statement_model.h"
#include "../worker_scene.h"

#define ROUNDS 1500
#define GLOBALS "auth_type=trust\npool_mode=transaction\n"

/* ---- a client, the pooler, a server ---- */

struct scene {
	struct bench b;
	struct side *c, *s;
	struct model m, direct; /* the server, and one that is asked directly */
	struct str said;        /* by the client */
};

static void scene_answer(struct scene *sc, size_t most)
{
	size_t len;

	model_read(&sc->m, &sc->s->got);
	len = sc->m.out.len < most ? sc->m.out.len : most;
	if (len > 0)
		side_write(&sc->b, sc->s, sc->m.out.data, len);
	str_cut_front(&sc->m.out, len);
}

static void scene_answer_all(struct scene *sc)
{
	do {
		scene_answer(sc, SIZE_MAX);
		model_read(&sc->m, &sc->s->got);
	} while (sc->m.out.len > 0);
}

static void scene_init(struct scene *sc, const char *globals)
{
	bench_init(&sc->b, globals);
	model_init(&sc->m);
	model_init(&sc->direct);
	str_init(&sc->said, 4u << 20);
	sc->c = scene_login(&sc->b, &sc->s);
	sc->m.read = sc->s->got.len;
	scene_query(&sc->b, sc->c, "SELECT 1");
	scene_answer_all(sc);
	str_clear(&sc->c->got);
}

static void scene_fini(struct scene *sc)
{
	bench_fini(&sc->b);
	str_fini(&sc->m.out);
	str_fini(&sc->direct.out);
	str_fini(&sc->said);
}

/* What it would read directly. */
static void direct_story(struct model *m, const struct str *said, struct str *story)
{
	m->read = 0;
	model_read(m, said);
	tell(story, &m->out);
	str_clear(&m->out);
}

/* All at once, with both sides cut at these bytes; answered to the end. */
static void check_said(struct scene *sc, size_t cut, size_t answer_cut)
{
	const struct str *said = &sc->said;
	struct str story, expected;

	str_init(&story, 1u << 20);
	str_init(&expected, 1u << 20);
	str_clear(&sc->c->got);
	cut = cut < said->len ? cut : said->len;
	side_write(&sc->b, sc->c, said->data, cut);
	scene_answer(sc, answer_cut);
	side_write(&sc->b, sc->c, said->data + cut, said->len - cut);
	scene_answer(sc, answer_cut);
	scene_answer_all(sc);
	direct_story(&sc->direct, said, &expected);
	tell(&story, &sc->c->got);
	if (strcmp(str_text(&story), str_text(&expected)) != 0)
		fail_msg("cut at %zu, answers at %zu: %s\ndirectly: %s", cut, answer_cut, str_text(&story),
		         str_text(&expected));
	assert_int_equal(only_client(&sc->b)->state, CLIENT_IDLE);
	str_fini(&story);
	str_fini(&expected);
}

/* ---- tests ---- */

static void write_conversation(struct str *out)
{
	say_parse(out, "one", "select 1");
	say_of(out, 'D', "one");
	say_bind(out, "one");
	say_execute(out);
	message_sync(out);
	say_parse(out, "same", "select 1");
	say_bind(out, "same");
	say_execute(out);
	say_parse(out, "", "unnamed");
	say_bind(out, "");
	say_execute(out);
	say_of(out, 'C', "same");
	say_parse(out, "wrong", "wrong");
	say_bind(out, "wrong");
	say_of(out, 'C', "one");
	message_sync(out);
	say_bind(out, "one");
	say_execute(out);
	say_parse(out, "one", "select 2");
	message_sync(out);
	say_of(out, 'C', "same");
	say_of(out, 'C', "one");
	say_bind(out, "one");
	message_sync(out);
}

static void conversations_are_the_same_at_every_split(void **state)
{
	struct scene sc;

	(void)state;
	scene_init(&sc, GLOBALS "max_prepared_statements=2");
	write_conversation(&sc.said);
	for (size_t cut = 1; cut <= sc.said.len; cut++)
		check_said(&sc, cut, SIZE_MAX);
	for (size_t cut = 1; cut < 200; cut++)
		check_said(&sc, sc.said.len / 2, cut);
	assert_true(sc.m.most <= 3); /* the unnamed one is not counted */
	scene_fini(&sc);
}

/* It is evicted and prepared again before the first Parse is answered; only that one is carried out. */
static void an_answer_confirms_its_own_parse_only(void **state)
{
	struct scene sc;

	(void)state;
	scene_init(&sc, GLOBALS "max_prepared_statements=1");
	say_parse(&sc.said, "a", "1");
	say_parse(&sc.said, "b", "2");
	say_bind(&sc.said, "nobody");
	say_bind(&sc.said, "a");
	message_sync(&sc.said);
	say_bind(&sc.said, "a");
	say_execute(&sc.said);
	message_sync(&sc.said);
	check_said(&sc, sc.said.len, SIZE_MAX);
	scene_fini(&sc);
}

/* What is wrong with the text of a taken name is said in a failed transaction, too; a Parse of ours would be refused
 * there. */
static void a_taken_name_waits_until_its_transaction_is_known(void **state)
{
	struct scene sc;

	(void)state;
	scene_init(&sc, GLOBALS "max_prepared_statements=1");
	say_parse(&sc.said, "a", "1");
	say_parse(&sc.said, "b", "2"); /* the server has no a any more */
	message_sync(&sc.said);
	check_said(&sc, sc.said.len, SIZE_MAX);
	str_clear(&sc.said);
	message_query(&sc.said, "BEGIN");
	say_bind(&sc.said, "nobody");
	message_sync(&sc.said);
	say_parse(&sc.said, "a", "wrong");
	message_sync(&sc.said);
	message_query(&sc.said, "ROLLBACK");
	check_said(&sc, sc.said.len, SIZE_MAX);
	scene_fini(&sc);
}

static unsigned draw(uint64_t *seed, unsigned below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % below;
}

static void write_random(struct str *out, uint64_t *seed)
{
	static const char *const name[] = {"a", "b", "c", "d", "e", ""};
	static const char *const sql[] = {"1", "2", "3", "4", "5", "wrong", "fails"};
	unsigned n = 1 + draw(seed, 14);

	for (unsigned i = 0; i < n; i++) {
		const char *of = name[draw(seed, 6)];

		switch (draw(seed, 9)) {
		case 0:
		case 1:
			say_parse(out, of, sql[draw(seed, 7)]);
			break;
		case 2:
		case 3:
			say_bind(out, of);
			break;
		case 4:
			say_of(out, 'D', of);
			break;
		case 5:
			say_of(out, 'C', of);
			break;
		case 6:
			say_execute(out);
			break;
		case 7:
			message_sync(out);
			message_query(out, draw(seed, 3) == 0 ? "ROLLBACK" : "BEGIN");
			break;
		default:
			message_sync(out);
			break;
		}
	}
	message_sync(out);
	message_query(out, "ROLLBACK");
	if (draw(seed, 20) == 0) {
		str_clear(out);
		message_query(out, draw(seed, 2) == 0 ? "DEALLOCATE ALL" : "ALTER TABLE");
	}
}

static void random_pipelines_are_answered_as_directly(void **state)
{
	struct scene sc;
	uint64_t seed = 5;

	(void)state;
	scene_init(&sc, GLOBALS "max_prepared_statements=3");
	for (int i = 0; i < ROUNDS; i++) {
		size_t cut;

		str_clear(&sc.said);
		write_random(&sc.said, &seed);
		cut = draw(&seed, (unsigned)sc.said.len);
		check_said(&sc, cut, 1 + draw(&seed, 60));
		assert_int_equal(prepared_client_count(only_client(&sc.b)),
		                 sc.direct.n - (model_find(&sc.direct, "") >= 0));
		assert_int_equal(only_server(&sc.b)->answers.n, 0);
		/* an error may have dropped a Close of ours: such copies are known, and closed by the next that
		 * succeeds */
		assert_true(sc.m.n - (model_find(&sc.m, "") >= 0) <= (int)prepared_server_count(only_server(&sc.b)));
	}
	assert_true(sc.m.most <= 3 + 1 + 2);
	str_clear(&sc.said);
	say_of(&sc.said, 'C', "a");
	say_parse(&sc.said, "a", "1");
	say_bind(&sc.said, "a");
	message_sync(&sc.said);
	check_said(&sc, sc.said.len, SIZE_MAX);
	assert_true(prepared_server_count(only_server(&sc.b)) <= 3);
	scene_fini(&sc);
}

static void a_statement_larger_than_the_buffer_is_collected(void **state)
{
	enum { LARGE = 300000 };
	char *sql = (char *)mem_alloc(LARGE);
	struct scene sc;

	(void)state;
	assert_non_null(sql);
	memset(sql, 'x', LARGE - 1);
	scene_init(&sc, GLOBALS);
	say_parse(&sc.said, "large", sql);
	say_parse(&sc.said, "small", "1");
	say_parse(&sc.said, "again", sql);
	say_bind(&sc.said, "large");
	message_sync(&sc.said);
	sql[1000] = '\0'; /* a Parse with bytes behind its end is PostgreSQL's to judge; this one is small */
	say_bind(&sc.said, "small");
	message_sync(&sc.said);
	check_said(&sc, LARGE / 2, SIZE_MAX);
	assert_int_equal(prepared_server_count(only_server(&sc.b)), 2);
	assert_int_equal(prepared_client_count(only_client(&sc.b)), 3);
	assert_int_equal(prepared_collected_bytes(only_client(&sc.b)), 0);
	scene_fini(&sc);
	mem_free(sql);
}

/* Also when more comes than is kept meanwhile. */
static void what_depends_on_answers_waits_for_them(void **state)
{
	enum { MANY = 100000 };
	struct scene sc;

	(void)state;
	scene_init(&sc, GLOBALS);
	say_parse(&sc.said, "a", "wrong");
	message_sync(&sc.said);
	say_parse(&sc.said, "a", "1");
	while (sc.said.len < MANY)
		say_bind(&sc.said, "a");
	message_sync(&sc.said);
	side_write(&sc.b, sc.c, sc.said.data, 60);
	assert_int_equal(prepared_client_count(only_client(&sc.b)), 1);
	side_write(&sc.b, sc.c, sc.said.data + 60, sc.said.len - 60 - 5);
	assert_true(stream_is_paused(only_client(&sc.b)->stream));
	side_write(&sc.b, sc.c, sc.said.data + sc.said.len - 5, 5);
	scene_answer_all(&sc);
	for (int i = 0; i < 100; i++) /* the ring of answers holds less than all of it */
		scene_answer_all(&sc);
	assert_int_equal(only_client(&sc.b)->state, CLIENT_IDLE);
	assert_int_equal(prepared_client_count(only_client(&sc.b)), 1);
	scene_fini(&sc);
}

/* What the server was told is in the direct model's words for the first time, and little the second. */
static void a_statement_that_is_there_is_not_sent_again(void **state)
{
	struct scene sc;
	struct str out;
	size_t len;

	(void)state;
	str_init(&out, 65536);
	scene_init(&sc, GLOBALS);
	say_parse(&out, "a", "select 1");
	message_sync(&out);
	side_say(&sc.b, sc.c, &out);
	assert_non_null(side_last(sc.s, 'P', &len));
	scene_answer_all(&sc);
	len = sc.s->got.len;
	str_clear(&sc.c->got);
	say_parse(&out, "b", "select 1");
	side_say(&sc.b, sc.c, &out);
	assert_int_equal(sc.s->got.len, len);
	assert_int_equal(sc.c->got.len, 5); /* ParseComplete, ours */
	message_sync(&out);
	side_say(&sc.b, sc.c, &out);
	assert_int_equal(sc.s->got.len, len + 5);
	scene_answer_all(&sc);
	assert_int_equal(only_client(&sc.b)->state, CLIENT_IDLE);
	scene_fini(&sc);
	str_fini(&out);
}

/* The server dies before anything was sent to it: with the next one all is as if it had not been tried. */
static void names_survive_a_server_that_was_dead(void **state)
{
	struct scene sc;
	struct str out;
	struct model m;

	(void)state;
	str_init(&out, 65536);
	scene_init(&sc, GLOBALS "server_check_delay=1000");
	socket_close(sc.s->fd);
	sc.s->fd = -1;
	sc.s->ended = true;
	say_parse(&out, "a", "select 1");
	say_bind(&out, "a");
	say_execute(&out);
	message_sync(&out);
	side_say(&sc.b, sc.c, &out);
	sc.s = bench_server(&sc.b);
	assert_non_null(sc.s);
	say_welcome(&sc.b, sc.s);
	m = sc.m;
	model_init(&sc.m);
	str_fini(&m.out);
	{
		struct reader r;

		reader_init(&r, sc.s->got.data, 4);
		sc.m.read = reader_u32(&r);
	}
	scene_answer_all(&sc);
	tell(&out, &sc.c->got);
	assert_string_equal(str_text(&out), "12D(select 1)CZ");
	assert_int_equal(prepared_client_count(only_client(&sc.b)), 1);
	scene_fini(&sc);
	str_fini(&out);
}

static void a_client_may_leave_in_the_middle(void **state)
{
	struct str said;

	(void)state;
	str_init(&said, 65536);
	write_conversation(&said);
	for (size_t cut = 1; cut < said.len; cut += 3) {
		struct scene sc;

		scene_init(&sc, GLOBALS);
		side_write(&sc.b, sc.c, said.data, cut);
		side_close(&sc.b, sc.c);
		assert_int_equal(sc.b.w->n_clients, 0);
		assert_int_equal(sc.b.w->statements.count, 0);
		scene_fini(&sc);
	}
	str_fini(&said);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(conversations_are_the_same_at_every_split),
	    TEST(an_answer_confirms_its_own_parse_only),
	    TEST(a_taken_name_waits_until_its_transaction_is_known),
	    TEST(random_pipelines_are_answered_as_directly),
	    TEST(a_statement_larger_than_the_buffer_is_collected),
	    TEST(what_depends_on_answers_waits_for_them),
	    TEST(a_statement_that_is_there_is_not_sent_again),
	    TEST(names_survive_a_server_that_was_dead),
	    TEST(a_client_may_leave_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
