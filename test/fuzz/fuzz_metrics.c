/* An Accept header, a name that becomes a label, and rows that become series. fuzz runs: 300000 */
#include "admin/exposition.h"
#include "admin/rows.h"
#include "admin/series.h"
#include "base/printable.h"
#include "fuzz.h"

static const struct message_column columns[] = {COLUMN_TEXT("name"), COLUMN_BIG("n"), {NULL, 0, 0}};

static void header(const char *accept)
{
	enum exposition wanted = exposition_wanted(accept);

	HOLDS(wanted == EXPOSITION_TEXT || wanted == EXPOSITION_OPEN);
	HOLDS(wanted == EXPOSITION_TEXT || strcasestr(accept, "application/openmetrics-text") != NULL);
}

/* One line of UTF-8 whose only bare quotes are the outer ones. */
static void label(const char *name, size_t len)
{
	const size_t front = strlen("n=\"");
	struct str out;

	str_init(&out, 1 << 20);
	exposition_label(&out, 0, "n", name, len);
	HOLDS(!out.failed && out.len > front && out.len <= front + 2 * EXPOSITION_LABEL_BYTES + 1);
	HOLDS(memcmp(out.data, "n=\"", front) == 0 && out.data[out.len - 1] == '"');
	for (size_t at = front; at + 1 < out.len;) {
		struct printable_char c = printable_first(out.data + at, out.len - at);

		HOLDS(c.kind != PRINTABLE_INVALID && out.data[at] != '\n' && out.data[at] != '"');
		at += out.data[at] == '\\' ? 2 : c.len;
		HOLDS(at < out.len);
	}
	str_fini(&out);
}

static void series(const char *bytes, size_t len)
{
	struct series_set set;
	struct str rows;
	uint64_t value;

	str_init(&rows, 1 << 20);
	str_add(&rows, bytes, len);
	if (series_init(&set, &rows, columns, "name", 3, 1)) {
		HOLDS(set.n_series <= 4 && set.n_series <= set.n_rows);
		for (size_t i = 0; i < set.n_series; i++)
			(void)!series_value(&set, &set.series[i], "n", SERIES_SUM, &value);
	}
	series_fini(&set);
	str_fini(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;
	char *part = fuzz_part(&data, &size, &len, 1);

	if (part != NULL)
		header(part);
	free(part);
	part = fuzz_part(&data, &size, &len, 0);
	if (part != NULL)
		label(part, len);
	free(part);
	part = fuzz_part(&data, &size, &len, 0);
	if (part != NULL)
		series(part, len);
	free(part);
	return 0;
}
