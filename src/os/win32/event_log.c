/* The Event Log, in the place of syslog. Any thread writes; main opens and closes. */
#include <windows.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/process.h"
#include "os/service_text.h"
#include "os/win32/wide.h"

#define MOST_LETTERS 31839u /* that it takes of a text */

/* One for the process, as the sink has no argument that could bring it along. */
static struct {
	SRWLOCK lock;
	HANDLE source; /* NULL: closed */
	os_event_id *id_of;
} event_log = {.lock = SRWLOCK_INIT};

static void exchange(HANDLE source, os_event_id *id_of)
{
	HANDLE before;

	AcquireSRWLockExclusive(&event_log.lock);
	before = event_log.source;
	event_log.source = source;
	event_log.id_of = id_of;
	ReleaseSRWLockExclusive(&event_log.lock);
	if (before != NULL)
		DeregisterEventSource(before);
}

/* A source that nobody has registered does, too: the viewer then complains that it has no description, above the text.
 */
void os_syslog_open(const char *ident, const char *facility, os_event_id *id_of)
{
	wchar_t *name = wide_of(ident);

	(void)facility; /* there are none */
	exchange(name == NULL ? NULL : RegisterEventSourceW(NULL, name), id_of);
	mem_free(name);
}

void os_syslog_close(void)
{
	exchange(NULL, NULL);
}

static WORD type_of(enum log_level level)
{
	if (level <= LEVEL_ERROR)
		return EVENTLOG_ERROR_TYPE;
	return level == LEVEL_WARNING ? EVENTLOG_WARNING_TYPE : EVENTLOG_INFORMATION_TYPE;
}

/* NULL: out of memory. */
static wchar_t *text_for_it(const char *text)
{
	struct str s;
	wchar_t *wide;

	str_init(&s, 4u * MOST_LETTERS);
	service_put_event(&s, text);
	wide = s.failed ? NULL : wide_of(str_text(&s));
	str_fini(&s);
	if (wide != NULL && wcslen(wide) > MOST_LETTERS)
		wide[MOST_LETTERS] = L'\0';
	return wide;
}

void os_syslog_sink(const struct log_event *e, const char *text)
{
	wchar_t *wide = text_for_it(text);
	const wchar_t *strings[] = {wide == NULL ? L"(out of memory)" : wide};
	unsigned id;

	AcquireSRWLockShared(&event_log.lock);
	id = event_log.source == NULL ? 0 : event_log.id_of(e);
	if (id != 0)
		ReportEventW(event_log.source, type_of(e->level), 0, id, NULL, 1, 0, strings, NULL);
	ReleaseSRWLockShared(&event_log.lock);
	mem_free(wide);
}
