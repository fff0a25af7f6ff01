/* Writes the messages that Windows' Event Log looks up in the program, from diag/event_ids.def, to standard output: one
 * for each number, and all of them only pass the text through. "./dev manual" runs it. */
#include <stdio.h>

#define EVENT(id, name, doc) id,
#define EVENT_OF_LEVEL(id, level, doc) id,
#define EVENT_OF_CLASS(id, class) id,
static const unsigned ids[] = {
#include "diag/event_ids.def"
};

int main(void)
{
	puts("; // Made from include/diag/event_ids.def by \"./dev manual\". Do not edit.\n"
	     "MessageIdTypedef=DWORD\n"
	     "SeverityNames=(Success=0x0)\n"
	     "LanguageNames=(English=0x409:MSG00409)");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i] != 0)
			printf("\nMessageId=%u\nSeverity=Success\nLanguage=English\n%%1\n.\n", ids[i]);
	return 0;
}
