/* Why a place to listen on cannot be had, and what to do about it. Pure, any thread. */
#ifndef MAIN_BIND_HINT_H
#define MAIN_BIND_HINT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

/* Appends whole sentences for an errno value that making a listener gave; false, and nothing, for others. */
bool bind_hint(int error, bool is_unix, bool on_windows, struct str *out) MUST_USE;

#endif
