/* Readers that never leave their bytes, and builders whose bytes are exactly the protocol's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/message.h"

/* A copy that ends where the bytes end, so that AddressSanitizer sees a read beyond. */
static char *exact_copy(const void *bytes, size_t len)
{
	char *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

#define assert_bytes(b, text) assert_true(bytes_are(b, text))
#define assert_built(out, literal)                                                                                     \
	do {                                                                                                           \
		assert_false((out)->failed);                                                                           \
		assert_int_equal((out)->len, sizeof(literal) - 1);                                                     \
		assert_memory_equal((out)->data, literal, sizeof(literal) - 1);                                        \
		str_clear(out);                                                                                        \
	} while (0)

static void reader_gives_numbers_texts_and_rest(void **state)
{
	static const char bytes[] = "\x80\xff\xfe\x80\0\0\1\xff\xff\xff\xff"
	                            "name\0"
	                            "abcdef";
	struct reader r;

	(void)state;
	reader_init(&r, bytes, sizeof(bytes) - 1);
	assert_int_equal(reader_u8(&r), 0x80);
	assert_int_equal(reader_i16(&r), -2);
	assert_true(reader_u32(&r) == 0x80000001u);
	assert_int_equal(reader_i32(&r), -1);
	assert_bytes(reader_cstring(&r), "name");
	assert_bytes(reader_bytes(&r, 2), "ab");
	assert_int_equal(reader_left(&r), 4);
	assert_false(reader_is_done(&r));
	assert_bytes(reader_rest(&r), "cdef");
	assert_true(reader_is_done(&r));
}

static void reader_failure_sticks(void **state)
{
	struct reader r;
	char *two = exact_copy("ab", 2);

	(void)state;
	reader_init(&r, two, 2);
	assert_int_equal(reader_i32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(reader_u8(&r), 0);
	assert_int_equal(reader_cstring(&r).len, 0);
	assert_int_equal(reader_bytes(&r, 1).len, 0);
	assert_int_equal(reader_rest(&r).len, 0);
	assert_false(reader_is_done(&r));

	reader_init(&r, two, 2);
	assert_int_equal(reader_cstring(&r).len, 0);
	assert_true(r.failed);
	reader_init(&r, two, 2);
	assert_int_equal(reader_bytes(&r, SIZE_MAX).len, 0);
	assert_true(r.failed);
	reader_init(&r, NULL, 0);
	assert_true(reader_is_done(&r));
	free(two);
}

static const char report_bytes[] = "SFATAL\0VFATAL\0C28000\0Mno entry\0Dfact\0Hdo it\0P12\0Wwhere\0spublic\0tt\0cc\0nn"
                                   "\0Ffile.c\0L1\0Rauth\0";

static void report_is_taken_apart(void **state)
{
	struct report r;

	(void)state;
	assert_true(report_parse(&r, report_bytes, sizeof(report_bytes)));
	assert_bytes(r.severity, "FATAL");
	assert_bytes(r.sqlstate, "28000");
	assert_bytes(r.message, "no entry");
	assert_bytes(r.detail, "fact");
	assert_bytes(r.hint, "do it");
	assert_bytes(r.position, "12");
	assert_bytes(r.where, "where");
	assert_bytes(r.schema, "public");
	assert_bytes(r.table, "t");
	assert_bytes(r.column, "c");
	assert_bytes(r.constraint, "n");
}

static void report_prefers_the_severity_that_is_not_translated(void **state)
{
	static const char bytes[] = "VFATAL\0SSCHWERWIEGEND\0Mx\0", old[] = "SFATAL\0Mx\0";
	struct report r;

	(void)state;
	assert_true(report_parse(&r, bytes, sizeof(bytes)));
	assert_bytes(r.severity, "FATAL");
	assert_true(report_parse(&r, old, sizeof(old)));
	assert_bytes(r.severity, "FATAL");
	assert_null(r.detail.data);
	assert_true(report_parse(&r, "", 1));
	assert_null(r.message.data);
}

static void report_cut_anywhere_is_refused(void **state)
{
	struct report r;

	(void)state;
	for (size_t len = 0; len < sizeof(report_bytes); len++) {
		char *copy = exact_copy(report_bytes, len);

		assert_false(report_parse(&r, copy, len));
		free(copy);
	}
	assert_false(report_parse(&r, "Mx\0\0y", 6));
}

/* Cut anywhere, each field is there as far as it came; what comes is always well-formed. */
static void broken_report_says_what_is_left_of_it(void **state)
{
	struct report r;

	(void)state;
	report_read_broken(&r, "C28000\0Mno ent", 14);
	assert_bytes(r.sqlstate, "28000");
	assert_bytes(r.message, "no ent");
	assert_null(r.detail.data);
	report_read_broken(&r, "Mm\0?new\0Ppos\0\0Dbehind", 21);
	assert_bytes(r.message, "m");
	assert_bytes(r.position, "pos");
	assert_null(r.detail.data);
	report_read_broken(&r, "M", 1);
	assert_null(r.message.data);
}

static void report_cut_anywhere_is_mended(void **state)
{
	struct report whole, r;
	struct str out;

	(void)state;
	str_init(&out, sizeof(report_bytes) + REPORT_MEND_BYTES);
	assert_true(report_parse(&whole, report_bytes, sizeof(report_bytes)));
	for (size_t len = 0; len <= sizeof(report_bytes); len++) {
		char *copy = exact_copy(report_bytes, len);

		str_clear(&out);
		report_mend(copy, len, &out);
		assert_false(out.failed);
		assert_true(out.len <= len + REPORT_MEND_BYTES);
		assert_true(report_parse(&r, out.data, out.len));
		assert_memory_equal(out.data, report_bytes, len);
		free(copy);
	}
	assert_bytes(r.constraint, "n");
	str_fini(&out);
}

static void report_is_mended_without_half_characters(void **state)
{
	static const struct {
		const char *cut, *message;
	} cases[] = {
	    {"M", ""},
	    {"Mabc", "abc"},
	    {"Mab\303", "ab"},
	    {"Mab\303\274", "ab\303\274"},
	    {"Mab\342\202", "ab"},
	    {"Mab\342\202\254", "ab\342\202\254"},
	    {"Mab\360\237\230", "ab"},
	    {"Mab\360\237\230\200", "ab\360\237\230\200"},
	    {"M\303", ""},
	    {"M\274\274", "\274\274"}, /* not UTF-8: left as it is */
	    {"M\274\274\274\274\274", "\274\274\274\274\274"},
	};
	struct report r;
	struct str out;

	(void)state;
	str_init(&out, 100);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		str_clear(&out);
		report_mend(cases[i].cut, strlen(cases[i].cut), &out);
		assert_true(report_parse(&r, out.data, out.len));
		assert_bytes(r.message, cases[i].message);
	}
	str_fini(&out);
}

typedef bool parse_any(const char *body, size_t len);

static bool parse_status(const char *body, size_t len)
{
	struct bytes a, b;

	return message_parse_parameter_status(body, len, &a, &b) && bytes_are(a, "TimeZone") && bytes_are(b, "UTC");
}

static bool parse_tag(const char *body, size_t len)
{
	struct bytes tag;

	return message_parse_command_complete(body, len, &tag) && bytes_are(tag, "SELECT 1");
}

static bool parse_key(const char *body, size_t len)
{
	struct bytes key;
	uint32_t pid;

	return message_parse_backend_key(body, len, &pid, &key) && pid == 0x01020304 && key.len == 4;
}

static bool parse_negotiate(const char *body, size_t len)
{
	uint32_t version, n;

	return message_parse_negotiate(body, len, &version, &n) && version == 0x30000 && n == 2;
}

static bool parse_ready(const char *body, size_t len)
{
	char status;

	return message_parse_ready(body, len, &status) && status == 'T';
}

static void parsers_take_the_exact_body_and_nothing_else(void **state)
{
	static const struct {
		const char *body;
		size_t len;
		parse_any *parse;
	} cases[] = {
	    {"TimeZone\0UTC", 13, parse_status},
	    {"SELECT 1", 9, parse_tag},
	    {"\1\2\3\4wxyz", 8, parse_key},
	    {"\0\3\0\0\0\0\0\2_pq_.a\0_pq_.b", 22, parse_negotiate},
	    {"T", 1, parse_ready},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char longer[64];

		assert_true(cases[i].parse(cases[i].body, cases[i].len));
		for (size_t len = 0; len < cases[i].len; len++) {
			char *copy = exact_copy(cases[i].body, len);

			assert_false(cases[i].parse(copy, len));
			free(copy);
		}
		memcpy(longer, cases[i].body, cases[i].len);
		longer[cases[i].len] = 'x';
		assert_false(cases[i].parse(longer, cases[i].len + 1));
	}
}

static void keys_may_have_4_to_256_bytes(void **state)
{
	char body[4 + 257] = {0};
	struct bytes key;
	uint32_t pid;

	(void)state;
	for (size_t len = 0; len <= sizeof(body); len++)
		assert_int_equal(message_parse_backend_key(body, len, &pid, &key), len >= 8 && len <= 260);
}

static void nameless_parameter_and_strange_status_are_refused(void **state)
{
	struct bytes a, b;
	char status;

	(void)state;
	assert_false(message_parse_parameter_status("\0UTC", 5, &a, &b));
	assert_true(message_parse_parameter_status("x\0", 3, &a, &b));
	assert_false(message_parse_ready("X", 1, &status));
	assert_true(message_parse_ready("E", 1, &status));
}

static void negotiation_with_a_huge_count_ends_at_the_end_of_the_bytes(void **state)
{
	uint32_t version, n;

	(void)state;
	assert_false(message_parse_negotiate("\0\3\0\0\xff\xff\xff\xff"
	                                     "a",
	                                     10, &version, &n));
}

static void authentication_code_is_cut_off(void **state)
{
	struct bytes rest;
	uint32_t code;

	(void)state;
	assert_true(message_parse_authentication("\0\0\0\5salt", 8, &code, &rest));
	assert_int_equal(code, AUTH_MD5);
	assert_bytes(rest, "salt");
	assert_true(message_parse_authentication("\0\0\0\0", 4, &code, &rest));
	assert_int_equal(rest.len, 0);
	assert_false(message_parse_authentication("\0\0\0", 3, &code, &rest));
}

static void messages_to_clients_are_right_to_the_byte(void **state)
{
	static const struct words fatal = {"FATAL", "08P01", "no", NULL, NULL};
	static const struct words full = {"ERROR", "42601", "no", "d", "h"};
	static const struct message_column columns[] = {{"a", TYPE_OID_TEXT, -1}, {"n", TYPE_OID_INT8, 8}};
	static const char *const texts[] = {"xy", NULL, ""};
	static const uint8_t salt[4] = {1, 2, 3, 4};
	struct str out;

	(void)state;
	str_init(&out, 1000);
	message_auth_ok(&out);
	assert_built(&out, "R\0\0\0\x08\0\0\0\0");
	message_auth_cleartext(&out);
	assert_built(&out, "R\0\0\0\x08\0\0\0\3");
	message_auth_md5(&out, salt);
	assert_built(&out, "R\0\0\0\x0c\0\0\0\5\1\2\3\4");
	message_auth_sasl(&out, NULL, "SCRAM-SHA-256");
	assert_built(&out, "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0");
	message_auth_sasl_continue(&out, "ab", 2);
	assert_built(&out, "R\0\0\0\x0a\0\0\0\x0b"
	                   "ab");
	message_auth_sasl_final(&out, "v", 1);
	assert_built(&out, "R\0\0\0\x09\0\0\0\x0cv");
	message_parameter_status(&out, "a", "b");
	assert_built(&out, "S\0\0\0\x08"
	                   "a\0b\0");
	message_backend_key(&out, 7, "12345678", 8);
	assert_built(&out, "K\0\0\0\x10\0\0\0\7"
	                   "12345678");
	message_ready(&out, 'I');
	assert_built(&out, "Z\0\0\0\5I");
	message_command_complete(&out, "SET");
	assert_built(&out, "C\0\0\0\x08SET\0");
	message_error(&out, &fatal);
	assert_built(&out, "E\0\0\0\x17SFATAL\0C08P01\0Mno\0\0");
	message_notice(&out, &full);
	assert_built(&out, "N\0\0\0\x1dSERROR\0C42601\0Mno\0Dd\0Hh\0\0");
	message_row_description(&out, columns, 2);
	assert_built(&out, "T\0\0\0\x2e\0\2a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
	                   "n\0\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\0");
	message_data_row(&out, texts, 3);
	assert_built(&out, "D\0\0\0\x14\0\3\0\0\0\2xy\xff\xff\xff\xff\0\0\0\0");
	message_bare(&out, '1');
	assert_built(&out, "1\0\0\0\4");
	str_fini(&out);
}

static void messages_to_servers_are_right_to_the_byte(void **state)
{
	struct str out;
	size_t m;

	(void)state;
	str_init(&out, 1000);
	message_query(&out, "");
	assert_built(&out, "Q\0\0\0\5\0");
	message_password(&out, "pw", 2);
	assert_built(&out, "p\0\0\0\7pw\0");
	message_sasl_initial(&out, "M", "abc", 3);
	assert_built(&out, "p\0\0\0\x0dM\0\0\0\0\3abc");
	message_sasl_response(&out, "abc", 3);
	assert_built(&out, "p\0\0\0\7abc");
	message_copy_fail(&out, "no");
	assert_built(&out, "f\0\0\0\7no\0");
	message_sync(&out);
	assert_built(&out, "S\0\0\0\4");
	message_ssl_request(&out);
	assert_built(&out, "\0\0\0\x08\x04\xd2\x16\x2f");
	message_cancel_request(&out, 7, "abcd", 4);
	assert_built(&out, "\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\7abcd");
	m = message_startup_begin(&out, PROTOCOL_3_0);
	message_startup_param(&out, "user", "u");
	message_startup_param(&out, "", "lost");
	message_startup_param(&out, "a", "");
	message_startup_end(&out, m);
	assert_built(&out, "\0\0\0\x13\0\3\0\0user\0u\0a\0\0\0");
	str_fini(&out);
}

static void several_messages_can_be_built_into_one_string(void **state)
{
	struct str out;

	(void)state;
	str_init(&out, 1000);
	str_add_str(&out, "before");
	message_sync(&out);
	message_ready(&out, 'T');
	assert_built(&out, "beforeS\0\0\0\4Z\0\0\0\5T");
	str_fini(&out);
}

static void full_string_fails_and_stays_in_bounds(void **state)
{
	static const struct words words = {"FATAL", "08P01", "a text of some length", "detail", "hint"};
	static const char *const texts[] = {"one", "two"};

	(void)state;
	for (size_t limit = 0; limit < 60; limit++) {
		struct str out;

		str_init(&out, limit);
		message_error(&out, &words);
		assert_int_equal(out.failed, limit < 5 + 7 + 7 + 23 + 8 + 6 + 1);
		message_data_row(&out, texts, 2);
		assert_true(out.len <= limit);
		str_fini(&out);
	}
}

static void too_many_columns_fail(void **state)
{
	const char **texts = calloc(INT16_MAX + 1, sizeof(*texts));
	struct str out;

	(void)state;
	assert_non_null(texts);
	str_init(&out, 1u << 20);
	message_data_row(&out, texts, INT16_MAX);
	assert_false(out.failed);
	str_clear(&out);
	message_data_row(&out, texts, INT16_MAX + 1);
	assert_true(out.failed);
	str_fini(&out);
	free(texts);
}

static void what_servers_say_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(server_message_name('D'), "DataRow");
	assert_string_equal(server_message_name('v'), "NegotiateProtocolVersion");
	assert_null(server_message_name(0xff));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reader_gives_numbers_texts_and_rest),
	    cmocka_unit_test(reader_failure_sticks),
	    cmocka_unit_test(report_is_taken_apart),
	    cmocka_unit_test(report_prefers_the_severity_that_is_not_translated),
	    cmocka_unit_test(report_cut_anywhere_is_refused),
	    cmocka_unit_test(broken_report_says_what_is_left_of_it),
	    cmocka_unit_test(report_cut_anywhere_is_mended),
	    cmocka_unit_test(report_is_mended_without_half_characters),
	    cmocka_unit_test(parsers_take_the_exact_body_and_nothing_else),
	    cmocka_unit_test(keys_may_have_4_to_256_bytes),
	    cmocka_unit_test(nameless_parameter_and_strange_status_are_refused),
	    cmocka_unit_test(negotiation_with_a_huge_count_ends_at_the_end_of_the_bytes),
	    cmocka_unit_test(authentication_code_is_cut_off),
	    cmocka_unit_test(messages_to_clients_are_right_to_the_byte),
	    cmocka_unit_test(messages_to_servers_are_right_to_the_byte),
	    cmocka_unit_test(several_messages_can_be_built_into_one_string),
	    cmocka_unit_test(full_string_fails_and_stays_in_bounds),
	    cmocka_unit_test(too_many_columns_fail),
	    cmocka_unit_test(what_servers_say_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
