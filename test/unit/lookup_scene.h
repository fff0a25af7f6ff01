/* What PostgreSQL answers to auth_query, on the worker's bench. */
#ifndef TEST_LOOKUP_SCENE_H
#define TEST_LOOKUP_SCENE_H

#include "worker_bench.h"

#define ASKING "auth_type=plain\nauth_user=asker\nauth_query=select a, b from c where a = $1\n"

static inline void put_answer(struct str *out, const char *name, const char *secret)
{
	static const struct message_column columns[] = {{"a", TYPE_OID_TEXT, -1}, {"b", TYPE_OID_TEXT, -1}};
	const char *texts[] = {name, secret};

	message_bare(out, '1');
	message_bare(out, '2');
	message_row_description(out, columns, 2);
	if (name != NULL)
		message_data_row(out, texts, 2);
	message_command_complete(out, "SELECT 1");
	message_ready(out, 'I');
}

/* `name` NULL: nobody. */
static inline void say_found(struct bench *b, struct side *s, const char *name, const char *secret)
{
	struct str out;

	str_init(&out, 65536);
	put_answer(&out, name, secret);
	side_say(b, s, &out);
	str_fini(&out);
}

/* The user that the server was last asked for; "" if for none. */
static inline const char *asked_for(const struct side *s)
{
	static char name[128];
	const char *body;
	size_t len;

	body = side_last(s, 'B', &len);
	name[0] = '\0';
	if (body != NULL && len > 10 && (unsigned char)body[9] < sizeof(name)) {
		memcpy(name, body + 10, (unsigned char)body[9]);
		name[(unsigned char)body[9]] = '\0';
	}
	return name;
}

#endif
