/* The table of idioms. Pure, any thread. */
#include "diag/idioms.h"

#include <stddef.h>

static const struct {
	char letter;
	const char *elsewhere, *on_windows;
} idioms[] = {
#define IDIOM(letter, name, elsewhere, on_windows) {letter, elsewhere, on_windows},
#include "diag/idioms.def"
#undef IDIOM
};

const char *idiom_text(enum idiom idiom, bool on_windows)
{
	return on_windows ? idioms[idiom].on_windows : idioms[idiom].elsewhere;
}

enum idiom idiom_of_letter(char letter)
{
	for (size_t i = 0; letter != '-' && i < IDIOMS; i++)
		if (idioms[i].letter == letter)
			return (enum idiom)i;
	return IDIOMS;
}
