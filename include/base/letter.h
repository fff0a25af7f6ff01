/*
 * Letters go from thread to thread. A letter is embedded in the thing it is
 * about, so posting never allocates and cannot fail. A thing has at most one
 * letter of a kind under way and is freed only after that has been read.
 */
#ifndef BASE_LETTER_H
#define BASE_LETTER_H

#include <stddef.h>
#include <stdint.h>

/* Addressee of letters to the main thread; workers are 0, 1, 2, … */
#define TO_MAIN UINT16_MAX

struct letter {
	struct letter *next; /* in a queue or mailbox */
	uint16_t to;         /* worker number or TO_MAIN, set by whoever decides to send it */
	uint8_t kind;        /* which thing this is embedded in, and what is asked; see worker/office.h */
};

/* Letters in the order they shall be posted; owned by one thread. */
struct letters {
	struct letter *first, **end;
};

static inline void letters_init(struct letters *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static inline void letters_add(struct letters *l, struct letter *letter)
{
	letter->next = NULL;
	*l->end = letter;
	l->end = &letter->next;
}

/* The first letter, removed; NULL when there are none. */
static inline struct letter *letters_take(struct letters *l)
{
	struct letter *letter = l->first;

	if (letter != NULL) {
		l->first = letter->next;
		if (l->first == NULL)
			l->end = &l->first;
	}
	return letter;
}

#endif
