/* /livez, /readyz, /startupz. Main thread; no worker is asked. */
#include <string.h>

#include "admin/routes.h"
#include "base/str.h"

#define MAX_BODY_BYTES 65536

void route_livez(struct web *w, struct http_request *r)
{
	(void)w;
	http_answer_text(r, 200, "ok\n");
}

/* HTTP is answered only when clients can connect. */
void route_startupz(struct web *w, struct http_request *r)
{
	(void)w;
	http_answer_text(r, 200, "ok\n");
}

void route_readyz(struct web *w, struct http_request *r)
{
	const struct control *control = web_control(w);
	struct str reasons;

	str_init(&reasons, MAX_BODY_BYTES);
	if (control->is_shutting_down(control->self))
		str_add_str(&reasons, "shutting down\n");
	else if (control->is_paused(control->self))
		str_add_str(&reasons, "paused: RESUME on the console goes on\n");
	if (reasons.len == 0 && !reasons.failed)
		http_answer_text(r, 200, "ok\n");
	else
		http_answer_text(r, 503, reasons.failed ? "out of memory\n" : str_text(&reasons));
	str_fini(&reasons);
}
