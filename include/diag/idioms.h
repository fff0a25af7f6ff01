/* What the same thing is called on different systems: idioms.def. Pure, any thread. */
#ifndef DIAG_IDIOMS_H
#define DIAG_IDIOMS_H

#include <stdbool.h>

#include "base/attr.h"

enum idiom {
#define IDIOM(letter, name, elsewhere, on_windows) IDIOM_##name,
#include "diag/idioms.def"
#undef IDIOM
	IDIOMS
};

/* As it stands in the table. */
const char *idiom_text(enum idiom idiom, bool on_windows) MUST_USE;

/* The one that is this placeholder in failures.def; IDIOMS: none is. */
enum idiom idiom_of_letter(char letter) MUST_USE;

#endif
