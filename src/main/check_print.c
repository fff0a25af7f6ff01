/* Writes findings. What came from elsewhere (a server's words, names) is made printable on the way. Main thread. */
#include "main/check_print.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

/* ---- bytes that may be anything ---- */

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* One line after another gets the indent; other control characters become "?". */
static void add_lines(struct str *out, const char *text, const char *indent)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			str_add_char(out, '\n');
			str_add_str(out, indent);
		} else {
			str_add_char(out, is_control(*text) ? '?' : *text);
		}
	}
}

/* ---- text ---- */

bool check_locale_is_utf8(const char *lc_all, const char *lc_ctype, const char *lang)
{
	const char *const names[] = {lc_all, lc_ctype, lang};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] != NULL && names[i][0] != '\0')
			return strstr(names[i], "UTF-8") != NULL || strstr(names[i], "utf8") != NULL ||
			       strstr(names[i], "UTF8") != NULL || strstr(names[i], "utf-8") != NULL;
	return false;
}

static const char *mark_of(enum severity severity, bool utf8)
{
	switch (severity) {
	case SEVERITY_OK:
		return utf8 ? "\xe2\x9c\x93" : "ok  ";
	case SEVERITY_NOTE:
		return utf8 ? "-" : "note";
	case SEVERITY_WARNING:
		return utf8 ? "!" : "warn";
	case SEVERITY_ERROR:
		return utf8 ? "\xe2\x9c\x97" : "FAIL";
	}
	return "";
}

static void add_time(struct str *out, uint64_t time_us)
{
	str_printf(out, "%.1f ms", (double)time_us / (double)US_PER_MS);
}

static void add_part(struct str *out, const char *name, const struct str *text, const char *indent)
{
	if (text->len == 0)
		return;
	str_printf(out, "\n%s%s", indent, name);
	add_lines(out, str_text(text), indent);
}

static void print_finding(const struct finding *n, const struct check_style *style, struct str *out)
{
	const char *indent = style->utf8 ? "    " : "       ";

	str_printf(out, "  %s %s: ", mark_of(n->severity, style->utf8), n->step);
	add_lines(out, str_text(&n->what), indent);
	if (n->time_us != FINDING_NO_TIME) {
		str_add_str(out, " (");
		add_time(out, n->time_us);
		str_add_char(out, ')');
	}
	add_part(out, "DETAIL: ", &n->cause, indent);
	add_part(out, "HINT: ", &n->remedy, indent);
	str_add_char(out, '\n');
}

const struct finding *check_print_text(const struct findings *f, const struct finding *after, const char **heading,
                                       const struct check_style *style, struct str *out)
{
	const struct list *node = after == NULL ? f->list.next : after->node.next;

	for (; node != &f->list; node = node->next) {
		const struct finding *n = container_of_const(node, struct finding, node);

		after = n;
		if (style->brief && n->severity < SEVERITY_ERROR)
			continue;
		if (*heading == NULL || strcmp(*heading, n->subject) != 0) {
			add_lines(out, n->subject, "");
			str_add_char(out, '\n');
			*heading = n->subject;
		}
		print_finding(n, style, out);
	}
	return after;
}

static void add_count(struct str *out, unsigned n, const char *what)
{
	str_printf(out, "%u %s%s", n, what, n == 1 ? "" : "s");
}

void check_print_sum(const struct findings *f, uint64_t total_us, struct str *out)
{
	unsigned errors = f->n[SEVERITY_ERROR], warnings = f->n[SEVERITY_WARNING];

	if (f->failed)
		str_add_str(out, "not everything was checked: out of memory; ");
	if (errors > 0) {
		str_add_str(out, "would not serve: ");
		add_count(out, errors, "error");
		if (warnings > 0)
			str_add_str(out, ", ");
	} else {
		str_add_str(out, warnings > 0 ? "would serve, with " : "fine");
	}
	if (warnings > 0)
		add_count(out, warnings, "warning");
	str_printf(out, " (%.1f s)\n", (double)total_us / (double)US_PER_S);
}

/* ---- JSON ---- */

static void add_member(struct str *out, const char *name, const char *value)
{
	str_printf(out, "\"%s\": ", name);
	if (value == NULL || value[0] == '\0')
		str_add_str(out, "null");
	else
		json_text(out, value);
	str_add_str(out, ", ");
}

static void json_finding(const struct finding *n, struct str *out)
{
	str_add_char(out, '{');
	add_member(out, "step", n->step);
	add_member(out, "severity", severity_name(n->severity));
	add_member(out, "subject", n->subject);
	add_member(out, "database", n->database);
	add_member(out, "user", n->user);
	add_member(out, "what", str_text(&n->what));
	add_member(out, "detail", str_text(&n->cause));
	add_member(out, "hint", str_text(&n->remedy));
	str_add_str(out, "\"time_ms\": ");
	if (n->time_us == FINDING_NO_TIME)
		str_add_str(out, "null");
	else
		str_printf(out, "%.3f", (double)n->time_us / (double)US_PER_MS);
	str_add_char(out, '}');
}

static const char *status_word(int exit_status)
{
	if (exit_status == CHECK_FINE)
		return "ok";
	return exit_status == CHECK_WARNINGS ? "warnings" : "errors";
}

void check_print_json(const struct findings *f, int exit_status, const char *source, uint64_t total_us, struct str *out)
{
	const struct list *node;
	const char *comma = "\n  ";

	str_add_char(out, '{');
	add_member(out, "status", status_word(exit_status));
	str_printf(out, "\"exit_status\": %d, ", exit_status);
	add_member(out, "source", source);
	str_printf(out, "\"time_ms\": %.3f, \"findings\": [", (double)total_us / (double)US_PER_MS);
	list_each (node, &f->list) {
		str_add_str(out, comma);
		json_finding(container_of_const(node, struct finding, node), out);
		comma = ",\n  ";
	}
	str_add_str(out, "]}\n");
}
