/* The failure record. Any thread, one at a time. */
#include "base/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void failure_init(struct failure *f)
{
	memset(f, 0, sizeof(*f));
}

void failure_fini(struct failure *f)
{
	mem_free(f->report);
	failure_init(f);
}

void failure_set(struct failure *f, enum failure_phase phase, enum failure_domain domain, int code, const char *text)
{
	failure_setf(f, phase, domain, code, "%s", text == NULL ? "" : text);
}

void failure_setf(struct failure *f, enum failure_phase phase, enum failure_domain domain, int code, const char *fmt,
                  ...)
{
	va_list args;

	if (f == NULL)
		return;
	failure_fini(f);
	f->phase = phase;
	f->domain = domain;
	f->code = code;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
}

void failure_set_report(struct failure *f, enum failure_phase phase, const char *body, size_t len)
{
	failure_set(f, phase, DOMAIN_SERVER, 0, NULL);
	f->report = mem_copy(body, len);
	f->report_len = f->report == NULL ? 0 : len;
}

void failure_copy(struct failure *to, const struct failure *from)
{
	if (to == NULL)
		return;
	failure_fini(to);
	*to = *from;
	to->report = NULL;
	if (from->report != NULL)
		to->report = mem_copy(from->report, from->report_len);
	if (to->report == NULL)
		to->report_len = 0;
}

void failure_take(struct failure *to, struct failure *from)
{
	failure_fini(to);
	*to = *from;
	failure_init(from);
}

bool failure_is_set(const struct failure *f)
{
	return f->domain != DOMAIN_NONE;
}

bool failure_is_of_pooler(const struct failure *f, enum failure_code code)
{
	return f->domain == DOMAIN_POOLER && f->code == (int)code;
}
