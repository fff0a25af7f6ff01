/* The status page: one document, made of the files in page/ at build time. Main thread. */
#include "admin/page/document.inc"
#include "admin/routes.h"

/* It may run its own script and use its own style, and ask only who has sent it. */
#define POLICY                                                                                                         \
	"default-src 'none'; style-src '" PAGE_STYLE_HASH "'; script-src '" PAGE_SCRIPT_HASH                           \
	"'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

void route_page(struct web *w, struct http_request *r)
{
	(void)w;
	http_set_header(r, "Content-Security-Policy", POLICY);
	http_answer(r, 200, "text/html; charset=utf-8", page_document, sizeof(page_document));
}
