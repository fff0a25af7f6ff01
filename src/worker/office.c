/* How letters find their reader. Any thread. */
#include "worker/office.h"

#include "net/mailbox.h"

void office_post(struct office *o, struct letter *letter)
{
	mailbox_post(letter->to == TO_MAIN ? o->main_box : o->worker_box[letter->to], letter);
}

void office_post_all(struct office *o, struct letters *letters)
{
	struct letter *letter;

	while ((letter = letters_take(letters)) != NULL)
		office_post(o, letter);
}

uint64_t office_next_id(struct office *o)
{
	return atomic_fetch_add(&o->last_id, 1) + 1;
}

void office_count_client(struct office *o, uint16_t worker)
{
	atomic_fetch_add(&o->n_clients_of[worker], 1);
}
