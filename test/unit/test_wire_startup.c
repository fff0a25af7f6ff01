/* First packets: right ones at every split, wrong ones with their exact texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "wire/startup.h"

#define assert_bytes(b, text) assert_true(bytes_are(b, text))

static char *exact_copy(const void *bytes, size_t len)
{
	char *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

/* A start-up packet with these parameters, as a growing string. */
static void build(struct str *out, uint32_t version, const char *const *pairs)
{
	size_t m;

	str_init(out, 1u << 20);
	m = message_startup_begin(out, version);
	for (; pairs[0] != NULL; pairs += 2)
		message_startup_param(out, pairs[0], pairs[1]);
	message_startup_end(out, m);
}

/* Everything before the whole packet is "more"; the whole is `expected`, whatever comes behind it. */
static enum startup_problem check_at_every_split(const char *bytes, size_t len, enum startup_result expected,
                                                 size_t known_after)
{
	enum startup_problem why = STARTUP_BAD_CANCEL;
	struct startup s;

	for (size_t cut = 0; cut <= len; cut++) {
		char *copy = exact_copy(bytes, cut);

		assert_int_equal(startup_parse(copy, cut, &s, &why), cut < known_after ? STARTUP_MORE : expected);
		free(copy);
	}
	return why;
}

static void login_is_read_at_every_split(void **state)
{
	static const char *const pairs[] = {"user",      "app", "database", "shop", "application_name", "",
	                                    "_pq_.test", "yes", "_pq_.",    "",     "client_encoding",  "UTF8",
	                                    NULL};
	enum startup_problem why;
	struct bytes name, value;
	const char *at = NULL;
	struct startup s;
	struct str out;
	size_t n = 0;

	(void)state;
	build(&out, 0x30002, pairs);
	check_at_every_split(out.data, out.len, STARTUP_GOT, out.len);
	assert_int_equal(startup_parse(out.data, out.len, &s, &why), STARTUP_GOT);
	assert_int_equal(s.kind, STARTUP_LOGIN);
	assert_int_equal(s.len, out.len);
	assert_int_equal(s.version, 0x30002);
	assert_bytes(s.user, "app");
	assert_bytes(s.database, "shop");
	assert_true(s.has_database && s.has_protocol_options);
	while (startup_next_param(&s, &at, &name, &value)) {
		assert_bytes(name, pairs[2 * n]);
		assert_bytes(value, pairs[2 * n + 1]);
		n++;
	}
	assert_int_equal(n, 6);
	assert_true(startup_find_param(&s, "client_encoding", &value));
	assert_bytes(value, "UTF8");
	assert_false(startup_find_param(&s, "Client_encoding", &value));
	str_fini(&out);
}

static void bytes_behind_the_packet_are_left_alone(void **state)
{
	static const char *const pairs[] = {"user", "app", NULL};
	enum startup_problem why;
	struct startup s;
	struct str out;
	size_t len;

	(void)state;
	build(&out, PROTOCOL_3_0, pairs);
	len = out.len;
	str_add_str(&out, "next");
	assert_int_equal(startup_parse(out.data, out.len, &s, &why), STARTUP_GOT);
	assert_int_equal(s.len, len);
	assert_bytes(s.database, "app");
	assert_false(s.has_database);
	assert_false(startup_needs_negotiation(&s));
	str_fini(&out);
}

static void last_of_several_equal_parameters_counts(void **state)
{
	static const char *const pairs[] = {"user", "a", "x", "1", "user", "b", "x", "2", NULL};
	enum startup_problem why;
	struct bytes value;
	struct startup s;
	struct str out;

	(void)state;
	build(&out, PROTOCOL_3_0, pairs);
	assert_int_equal(startup_parse(out.data, out.len, &s, &why), STARTUP_GOT);
	assert_bytes(s.user, "b");
	assert_true(startup_find_param(&s, "x", &value));
	assert_bytes(value, "2");
	str_fini(&out);
}

static void negotiation_lists_the_protocol_options(void **state)
{
	static const char *const with[] = {"_pq_.a", "1", "user", "u", "_pq_.bc", "2", NULL};
	static const char *const without[] = {"user", "u", NULL};
	static const char expected[] = "v\0\0\0\x1b\0\3\0\0\0\0\0\2_pq_.a\0_pq_.bc\0";
	enum startup_problem why;
	struct startup s;
	struct str out, answer;

	(void)state;
	str_init(&answer, 1000);
	build(&out, PROTOCOL_3_0, with);
	assert_int_equal(startup_parse(out.data, out.len, &s, &why), STARTUP_GOT);
	assert_true(startup_needs_negotiation(&s));
	startup_write_negotiation(&s, &answer);
	assert_int_equal(answer.len, sizeof(expected) - 1);
	assert_memory_equal(answer.data, expected, sizeof(expected) - 1);
	str_fini(&out);

	build(&out, 0x30003, without);
	str_clear(&answer);
	assert_int_equal(startup_parse(out.data, out.len, &s, &why), STARTUP_GOT);
	assert_true(startup_needs_negotiation(&s));
	startup_write_negotiation(&s, &answer);
	assert_int_equal(answer.len, 13);
	assert_memory_equal(answer.data, "v\0\0\0\x0c\0\3\0\2\0\0\0\0", 13);
	str_fini(&out);

	build(&out, PROTOCOL_3_2, with);
	str_clear(&answer);
	assert_int_equal(startup_parse(out.data, out.len, &s, &why), STARTUP_GOT);
	assert_true(startup_needs_negotiation(&s));
	startup_write_negotiation(&s, &answer);
	assert_memory_equal(answer.data + 5, "\0\3\0\2\0\0\0\2", 8);
	str_fini(&out);

	build(&out, PROTOCOL_3_2, without);
	assert_int_equal(startup_parse(out.data, out.len, &s, &why), STARTUP_GOT);
	assert_false(startup_needs_negotiation(&s));
	str_fini(&out);
	str_fini(&answer);
}

static void requests_are_recognised_at_every_split(void **state)
{
	enum startup_problem why;
	struct startup s;

	(void)state;
	check_at_every_split("\0\0\0\x08\x04\xd2\x16\x2f", 8, STARTUP_GOT, 8);
	assert_int_equal(startup_parse("\0\0\0\x08\x04\xd2\x16\x2f", 8, &s, &why), STARTUP_GOT);
	assert_int_equal(s.kind, STARTUP_SSL);
	assert_int_equal(s.len, 8);
	assert_int_equal(startup_parse("\0\0\0\x08\x04\xd2\x16\x30", 8, &s, &why), STARTUP_GOT);
	assert_int_equal(s.kind, STARTUP_GSS);
	check_at_every_split("\0\0\0\x10\x04\xd2\x16\x2e"
	                     "abcdefgh",
	                     16, STARTUP_GOT, 16);
	assert_int_equal(startup_parse("\0\0\0\x10\x04\xd2\x16\x2e"
	                               "abcdefgh",
	                               16, &s, &why),
	                 STARTUP_GOT);
	assert_int_equal(s.kind, STARTUP_CANCEL);
	assert_int_equal(s.key.len, 8);
	assert_memory_equal(s.key.data, "abcdefgh", 8);
}

static void cancel_keys_of_other_lengths_are_closed_silently(void **state)
{
	char text[STARTUP_TEXT_BYTES];
	char packet[300] = {0};

	(void)state;
	memcpy(packet + 4, "\x04\xd2\x16\x2e", 4);
	for (size_t len = 8; len <= sizeof(packet); len++) {
		enum startup_problem why = STARTUP_BAD_HEADER;
		struct startup s;
		bool good = len >= 16 && len <= 268;

		packet[2] = (char)(len >> 8);
		packet[3] = (char)len;
		assert_int_equal(startup_parse(packet, len, &s, &why), good ? STARTUP_GOT : STARTUP_BAD);
		if (good)
			assert_int_equal(s.key.len, len - 8);
		else
			assert_string_equal(startup_problem_text(why, packet, len, text), "");
	}
}

static void wrong_packets_have_their_texts(void **state)
{
	static const char header_text[] = "bad packet header: ";
	static const struct {
		const char *bytes;
		size_t len, known_after;
		const char *text;
	} cases[] = {
	    {"\0\0\0\x09\0\2\0\0\0", 9, 8, "old V2 protocol not supported"},
	    {"\0\0\0\x09\0\4\0\0\0", 9, 8, "bad packet header: '0000000900040000'"},
	    {"\0\0\0\x09\0\0\0\0\0", 9, 8, "bad packet header: '0000000900000000'"},
	    {"GET / HTTP/1.1", 14, 8, "bad packet header: '474554202f204854'"},
	    {"\x16\3\1\0\xa5\1\0\0", 8, 8, "bad packet header: '16030100a5010000'"},
	    {"\0\0\0\7\0\3\0\0", 8, 8, "bad packet header: '0000000700030000'"},
	    {"\0\0\0\0\0\3\0\0", 8, 8, "bad packet header: '0000000000030000'"},
	    {"\xff\xff\xff\xff\0\3\0\0", 8, 8, "bad packet header: 'ffffffff00030000'"},
	    {"\x80\0\0\x08\0\3\0\0", 8, 8, "bad packet header: '8000000800030000'"},
	    {"\0\1\0\0\0\3\0\0", 8, 8, "bad packet header: '0001000000030000'"},
	    {"\0\0\0\x09\x04\xd2\x16\x2f\0", 9, 8, "bad packet header: '0000000904d2162f'"},
	    {"\0\0\0\x09\x04\xd2\x16\x30\0", 9, 8, "bad packet header: '0000000904d21630'"},
	    {"p\0\0\0\x08pw\0", 8, 1, "client password pkt before startup packet"},
	    {"\0\0\0\x08\0\3\0\0", 8, 8, "invalid startup packet layout: expected terminator as last byte"},
	    {"\0\0\0\x09\0\3\0\0\0", 9, 9, "no username supplied"},
	    {"\0\0\0\x0f\0\3\0\0user\0\0\0", 15, 15, "no username supplied"},
	    {"\0\0\0\x0f\0\3\0\0user\0a\0", 15, 15, "invalid startup packet layout: expected terminator as last byte"},
	    {"\0\0\0\x0e\0\3\0\0user\0a", 14, 14, "invalid startup packet layout: expected terminator as last byte"},
	    {"\0\0\0\x0c\0\3\0\0user", 12, 12, "invalid startup packet layout: expected terminator as last byte"},
	    {"\0\0\0\x11\0\3\0\0user\0a\0\0x", 17, 17,
	     "invalid startup packet layout: expected terminator as last byte"},
	    {"\0\0\0\x11\0\3\0\0user\0a\0\0\0", 17, 17,
	     "invalid startup packet layout: expected terminator as last byte"},
	};
	char text[STARTUP_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum startup_problem why;

		why = check_at_every_split(cases[i].bytes, cases[i].len, STARTUP_BAD, cases[i].known_after);
		assert_string_equal(startup_problem_text(why, cases[i].bytes, cases[i].len, text), cases[i].text);
	}
	assert_string_equal(startup_problem_text(STARTUP_BAD_HEADER, "", 0, text), "bad packet header: ''");
	assert_non_null(strstr(text, header_text));
}

static void largest_packet_is_read_and_one_byte_more_is_not(void **state)
{
	enum startup_problem why;
	struct startup s;
	struct str out;
	size_t m;

	(void)state;
	str_init(&out, 1u << 20);
	m = message_startup_begin(&out, PROTOCOL_3_0);
	message_startup_param(&out, "user", "u");
	while (out.len < STARTUP_MAX_BYTES - 1)
		str_add(&out, out.len == STARTUP_MAX_BYTES - 2 ? "\0" : "a\0",
		        out.len == STARTUP_MAX_BYTES - 2 ? 1 : 2);
	message_startup_end(&out, m);
	assert_int_equal(out.len, STARTUP_MAX_BYTES);
	/* thousands of parameters: whether the layout is right depends on the last one only */
	assert_int_not_equal(startup_parse(out.data, out.len, &s, &why), STARTUP_MORE);
	str_clear(&out);
	m = message_startup_begin(&out, PROTOCOL_3_0);
	message_startup_param(&out, "user", "u");
	str_add_str(&out, "n");
	str_add_char(&out, '\0');
	while (out.len < STARTUP_MAX_BYTES - 2)
		str_add_char(&out, 'v');
	str_add_char(&out, '\0');
	message_startup_end(&out, m);
	assert_int_equal(out.len, STARTUP_MAX_BYTES);
	assert_int_equal(startup_parse(out.data, out.len, &s, &why), STARTUP_GOT);
	str_fini(&out);
}

static void every_changed_byte_is_survived(void **state)
{
	static const char *const pairs[] = {"user", "app", "options", "-c a=b", NULL};
	struct str out;

	(void)state;
	build(&out, PROTOCOL_3_0, pairs);
	for (size_t i = 0; i < out.len; i++) {
		for (int value = 0; value < 256; value += 5) {
			char *copy = exact_copy(out.data, out.len);
			struct bytes name, param;
			enum startup_problem why;
			const char *at = NULL;
			struct startup s;

			copy[i] = (char)value;
			if (startup_parse(copy, out.len, &s, &why) == STARTUP_GOT && s.kind == STARTUP_LOGIN)
				while (startup_next_param(&s, &at, &name, &param))
					assert_int_equal(param.data[param.len], '\0');
			free(copy);
		}
	}
	str_fini(&out);
}

/* ---- options ---- */

struct seen {
	struct str story;
	const char *refuse;
};

static bool note_setting(void *arg, const char *name, const char *value)
{
	struct seen *seen = arg;

	str_printf(&seen->story, "%s=%s;", name, value);
	return seen->refuse == NULL || strcmp(seen->refuse, name) != 0;
}

static void options_are_split_as_documented(void **state)
{
	static const struct {
		const char *text;
		enum options_result result;
		const char *story;
	} cases[] = {
	    {"", OPTIONS_DONE, ""},
	    {"  \t\n", OPTIONS_DONE, ""},
	    {"-c a=b", OPTIONS_DONE, "a=b;"},
	    {"-ca=b", OPTIONS_DONE, "a=b;"},
	    {"--a=b", OPTIONS_DONE, "a=b;"},
	    {"  -c  a=b   --c-d=e=f ", OPTIONS_DONE, "a=b;c_d=e=f;"},
	    {"-c a=", OPTIONS_DONE, "a=;"},
	    {"-c a=x\\ y\\\\z", OPTIONS_DONE, "a=x y\\z;"},
	    {"-c a=x\\", OPTIONS_DONE, "a=x;"},
	    {"-c \\", OPTIONS_FORM, ""},
	    {"-c a\\=b", OPTIONS_DONE, "a=b;"},
	    {"-c search_path=\\\"a\\\",b", OPTIONS_DONE, "search_path=\"a\",b;"},
	    {"-c a-b=c-d", OPTIONS_DONE, "a_b=c-d;"},
	    {"-c=", OPTIONS_DONE, "=;"},
	    {"-c=x", OPTIONS_DONE, "=x;"},
	    {"-c", OPTIONS_FORM, ""},
	    {"-c ", OPTIONS_FORM, ""},
	    {"-c a", OPTIONS_FORM, ""},
	    {"-c =b", OPTIONS_DONE, "=b;"},
	    {"--", OPTIONS_FORM, ""},
	    {"--=", OPTIONS_DONE, "=;"},
	    {"--a", OPTIONS_FORM, ""},
	    {"-", OPTIONS_FORM, ""},
	    {"-d 5", OPTIONS_FORM, ""},
	    {"a=b", OPTIONS_FORM, ""},
	    {"-c a=b x", OPTIONS_FORM, "a=b;"},
	    {"-c a=b -c stop=1 -c c=d", OPTIONS_STOPPED, "a=b;stop=1;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen seen = {.refuse = "stop"};
		size_t len = strlen(cases[i].text);
		char *copy = exact_copy(cases[i].text, len);

		str_init(&seen.story, 1000);
		assert_int_equal(startup_options(copy, len, note_setting, &seen), cases[i].result);
		assert_string_equal(str_text(&seen.story), cases[i].story);
		str_fini(&seen.story);
		free(copy);
	}
}

static void options_end_at_every_cut(void **state)
{
	static const char text[] = " -c a=b\\ c  --d-e=f -cg=\\\\ -c= --x";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		struct seen seen = {.refuse = NULL};
		char *copy = exact_copy(text, len);
		enum options_result result;

		str_init(&seen.story, 1000);
		result = startup_options(copy, len, note_setting, &seen);
		assert_true(result == OPTIONS_DONE || result == OPTIONS_FORM);
		str_fini(&seen.story);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(login_is_read_at_every_split),
	    cmocka_unit_test(bytes_behind_the_packet_are_left_alone),
	    cmocka_unit_test(last_of_several_equal_parameters_counts),
	    cmocka_unit_test(negotiation_lists_the_protocol_options),
	    cmocka_unit_test(requests_are_recognised_at_every_split),
	    cmocka_unit_test(cancel_keys_of_other_lengths_are_closed_silently),
	    cmocka_unit_test(wrong_packets_have_their_texts),
	    cmocka_unit_test(largest_packet_is_read_and_one_byte_more_is_not),
	    cmocka_unit_test(every_changed_byte_is_survived),
	    cmocka_unit_test(options_are_split_as_documented),
	    cmocka_unit_test(options_end_at_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
