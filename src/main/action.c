/* The list of what was asked for: looking, visiting, answering. Main thread. */
#include "main/action.h"

#include <string.h>

#include "base/mem.h"
#include "main/supervisor.h"

#define MAX_TEXT 4096

static struct action *action_of(struct list *node)
{
	return container_of(node, struct action, node);
}

static void action_free(struct action *a)
{
	list_remove(&a->node);
	if (a->kind->fini != NULL)
		a->kind->fini(a);
	str_fini(&a->error);
	str_fini(&a->detail);
	str_fini(&a->hint);
	mem_free(a->notices);
	mem_free(a->database);
	mem_free(a);
}

static void answer_no_memory(control_done *done, void *asker)
{
	static const struct control_reply reply = {false, "53200", "no mem", NULL, NULL, NULL};

	done(asker, &reply);
}

/* More than STARVED_MAX such askers in one turn are answered at once: better out of turn than never. */
static void starve(struct supervisor *s, control_done *done, void *asker)
{
	if (done == NULL)
		return;
	if (s->n_starved == STARVED_MAX) {
		answer_no_memory(done, asker);
		return;
	}
	s->starved[s->n_starved].done = done;
	s->starved[s->n_starved].asker = asker;
	s->n_starved++;
}

static void visit_run(struct visit *v, struct worker *w)
{
	struct action *a = container_of(v, struct action, visit);

	a->kind->visit(a, w);
}

static void visit_done(struct visit *v)
{
	struct action *a = container_of(v, struct action, visit);

	a->visiting = false;
	/* at the end nothing is carried on */
	if (a->s->shutdown.stage < STAGE_ENDING)
		a->kind->visited(a);
}

void *action_new(struct supervisor *s, size_t size, const struct action_kind *kind, const char *database,
                 control_done *done, void *asker)
{
	struct action *a = (struct action *)mem_alloc(size);

	if (a != NULL && database != NULL) {
		a->database = mem_copy_str(database);
		if (a->database == NULL) {
			mem_free(a);
			a = NULL;
		}
	}
	if (a == NULL) {
		starve(s, done, asker);
		return NULL;
	}
	a->s = s;
	a->kind = kind;
	a->done = done;
	a->asker = asker;
	a->visit.run = visit_run;
	a->visit.done = visit_done;
	str_init(&a->error, MAX_TEXT);
	str_init(&a->detail, MAX_TEXT);
	str_init(&a->hint, MAX_TEXT);
	list_add_tail(&s->actions, &a->node);
	return a;
}

void action_succeed(struct action *a)
{
	a->finished = true;
	a->ok = true;
}

void action_fail(struct action *a, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	str_vprintf(&a->error, fmt, args);
	va_end(args);
	if (a->error.len == 0)
		str_add_str(&a->error, "no mem");
	a->finished = true;
	a->ok = false;
}

void action_visit(struct action *a)
{
	/* what the pools have ordered goes first: the visit finds its effects */
	supervisor_flush(a->s);
	a->visiting = true;
	visit_start(a->s->office, &a->visit);
}

static const char *text_or_null(const struct str *s)
{
	return s->len == 0 ? NULL : str_text(s);
}

static void answer(struct action *a)
{
	struct control_reply reply;

	if (a->done == NULL)
		return;
	memset(&reply, 0, sizeof(reply));
	reply.ok = a->ok;
	reply.sqlstate = a->sqlstate;
	reply.notices = a->notices;
	if (!a->ok)
		reply.error = a->error.len == 0 ? "no mem" : str_text(&a->error);
	reply.detail = text_or_null(&a->detail);
	reply.hint = text_or_null(&a->hint);
	a->done(a->asker, &reply);
}

static void answer_starved(struct supervisor *s)
{
	while (s->n_starved > 0) {
		struct starved first = s->starved[0];

		s->n_starved--;
		memmove(&s->starved[0], &s->starved[1], s->n_starved * sizeof(s->starved[0]));
		answer_no_memory(first.done, first.asker);
	}
}

bool actions_step(struct supervisor *s)
{
	bool more = s->n_starved > 0;

	if (s->shutdown.stage >= STAGE_ENDING)
		return false;
	/* once around; what answers bring about is behind that and waits for the next step */
	for (unsigned n = list_count(&s->actions); n > 0; n--) {
		struct action *a = action_of(list_first(&s->actions));

		if (!a->finished && !a->visiting)
			a->kind->look(a);
		list_remove(&a->node);
		if (!a->finished) {
			list_add_tail(&s->actions, &a->node);
			continue;
		}
		answer(a);
		action_free(a);
		more = true;
	}
	answer_starved(s);
	return more;
}

static void forget(struct action *a, bool canceled)
{
	a->done = NULL;
	if (!a->finished && a->kind->forgotten != NULL)
		a->kind->forgotten(a, canceled);
}

void actions_forget(struct supervisor *s, void *asker, bool canceled)
{
	struct list *node;
	unsigned kept = 0;

	list_each (node, &s->actions)
		if (action_of(node)->asker == asker && action_of(node)->done != NULL)
			forget(action_of(node), canceled);
	for (unsigned i = 0; i < s->n_starved; i++)
		if (s->starved[i].asker != asker)
			s->starved[kept++] = s->starved[i];
	s->n_starved = kept;
}

void actions_free(struct supervisor *s)
{
	struct list *node;

	while ((node = list_first(&s->actions)) != NULL)
		action_free(action_of(node));
	s->n_starved = 0;
}
