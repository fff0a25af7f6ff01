/* Bodies of ErrorResponse, and what is told about them. fuzz runs: 400000 */
#include "base/failure.h"
#include "base/printable.h"
#include "diag/explain.h"
#include "fuzz.h"
#include "wire/message.h"

static size_t field(struct bytes b)
{
	if (b.data == NULL)
		return 0;
	HOLDS(b.data[b.len] == '\0');
	HOLDS(strlen(b.data) == b.len);
	return b.len;
}

/* Whatever the server says, what people read is printable and bounded. */
static void explained(const struct failure *f)
{
	static const struct facts facts = {
	    .database = "shop", .user = "app", .host = "db", .address = "172.18.0.2", .source_address = "172.18.0.3"};
	struct verdict v;

	verdict_init(&v);
	explain(f, &facts, &v);
	HOLDS(v.message.len > 0 && v.message.len < 2 * PRINTABLE_MAX_BYTES);
	HOLDS(printable_is(str_text(&v.message)) && printable_is(str_text(&v.detail)));
	HOLDS(strlen(v.sqlstate) == 5 && strlen(v.precise_sqlstate) == 5);
	verdict_fini(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *body = fuzz_copy(data, size, 0);
	struct report r;
	struct failure f;

	if (report_parse(&r, body, size))
		HOLDS(field(r.severity) + field(r.sqlstate) + field(r.message) + field(r.detail) + field(r.hint) +
		          field(r.position) + field(r.where) + field(r.schema) + field(r.table) + field(r.column) +
		          field(r.constraint) <=
		      size);
	failure_init(&f);
	failure_set_report(&f, PHASE_AUTH, body, size);
	HOLDS(failure_is_set(&f));
	explained(&f);
	failure_fini(&f);
	free(body);
	return 0;
}
