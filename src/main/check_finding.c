/* The list of findings and what it amounts to. Main thread. */
#include "main/check_finding.h"

#include <string.h>

#include "base/mem.h"
#include "os/family.h"

#define MAX_TEXT 8192

static struct finding *finding_of(struct list *node)
{
	return container_of(node, struct finding, node);
}

static void finding_free(struct finding *n)
{
	if (n == NULL)
		return;
	str_fini(&n->what);
	str_fini(&n->cause);
	str_fini(&n->remedy);
	mem_free(n->subject);
	mem_free(n->database);
	mem_free(n->user);
	mem_free(n);
}

void findings_init(struct findings *f)
{
	memset(f, 0, sizeof(*f));
	list_init(&f->list);
	f->subject = "configuration";
	f->on_windows = os_is_windows();
}

void findings_fini(struct findings *f)
{
	struct list *node;

	while ((node = list_take_first(&f->list)) != NULL)
		finding_free(finding_of(node));
}

void findings_about(struct findings *f, const char *subject, const char *database, const char *user)
{
	f->subject = subject;
	f->database = database;
	f->user = user;
}

/* NULL stays NULL; false when out of memory. */
static bool copy_text(char **to, const char *from)
{
	*to = from == NULL ? NULL : mem_copy_str(from);
	return from == NULL || *to != NULL;
}

static struct finding *finding_new(const struct findings *f)
{
	struct finding *n = mem_new(struct finding);

	if (n == NULL)
		return NULL;
	str_init(&n->what, MAX_TEXT);
	str_init(&n->cause, MAX_TEXT);
	str_init(&n->remedy, MAX_TEXT);
	if (copy_text(&n->subject, f->subject) && copy_text(&n->database, f->database) && copy_text(&n->user, f->user))
		return n;
	finding_free(n);
	return NULL;
}

struct finding *findings_add(struct findings *f, enum severity severity, const char *step, const char *fmt, ...)
{
	struct finding *n = finding_new(f);
	va_list args;

	f->n[severity]++;
	if (n == NULL) {
		f->failed = true;
		return NULL;
	}
	n->severity = severity;
	n->step = step;
	n->time_us = FINDING_NO_TIME;
	va_start(args, fmt);
	str_vprintf(&n->what, fmt, args);
	va_end(args);
	list_add_tail(&f->list, &n->node);
	return n;
}

void finding_cause(struct finding *n, const char *fmt, ...)
{
	va_list args;

	if (n == NULL)
		return;
	va_start(args, fmt);
	str_vprintf(&n->cause, fmt, args);
	va_end(args);
}

void finding_remedy(struct finding *n, const char *fmt, ...)
{
	va_list args;

	if (n == NULL)
		return;
	va_start(args, fmt);
	str_vprintf(&n->remedy, fmt, args);
	va_end(args);
}

const char *severity_name(enum severity severity)
{
	switch (severity) {
	case SEVERITY_OK:
		return "ok";
	case SEVERITY_NOTE:
		return "note";
	case SEVERITY_WARNING:
		return "warning";
	case SEVERITY_ERROR:
		return "error";
	}
	return "";
}

enum check_status findings_status(const struct findings *f)
{
	if (f->n[SEVERITY_ERROR] > 0 || f->failed)
		return CHECK_NOT_SERVING;
	return f->n[SEVERITY_WARNING] > 0 ? CHECK_WARNINGS : CHECK_FINE;
}
