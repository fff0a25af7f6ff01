/* Decides who may see what HTTP protects, and answers the others. Main thread. */
#include "admin/gate.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/http_listen.h"
#include "net/http.h"
#include "net/loop.h"
#include "os/file.h"
#include "os/socket.h"

#define MAX_LOGIN 2048 /* bytes of a user name, a colon and a password */

/* ---- the decision ---- */

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

bool gate_has_login(const struct settings *set)
{
	return !is_empty(set->http_auth_user) && !is_empty(set->http_auth_password);
}

/* How long it takes tells only how long the given text is. */
static bool is_same(const uint8_t *given, size_t len, const char *expected)
{
	size_t expected_len = strlen(expected);
	volatile unsigned differs = len != expected_len;

	for (size_t i = 0; i < len; i++)
		differs |= (unsigned)given[i] ^ (unsigned char)expected[expected_len == 0 ? 0 : i % expected_len];
	return differs == 0;
}

/* "Basic dXNlcjpwYXNzd29yZA==" */
static bool is_right(const struct settings *set, const char *authorization)
{
	uint8_t login[MAX_LOGIN];
	const uint8_t *colon;
	size_t len = 0;
	bool user, password;

	if (strncasecmp(authorization, "Basic ", 6) != 0)
		return false;
	authorization += 6 + strspn(authorization + 6, " ");
	if (!base64_read(authorization, strlen(authorization), login, sizeof(login), &len))
		return false;
	colon = (const uint8_t *)memchr(login, ':', len);
	if (colon == NULL) {
		mem_wipe(login, sizeof(login));
		return false;
	}
	user = is_same(login, (size_t)(colon - login), set->http_auth_user);
	password = is_same(colon + 1, len - (size_t)(colon - login) - 1, set->http_auth_password);
	mem_wipe(login, sizeof(login));
	return user && password;
}

/* "[::1]:80", "localhost:80", "localhost" → without port and brackets. */
static bool cut_port(const char *host, char *name, size_t size)
{
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	const char *port;

	if (len > strlen(host))
		return false;
	port = host + len;
	if (port[0] != '\0' && (port[0] != ':' || port[1 + strspn(port + 1, "0123456789")] != '\0'))
		return false;
	if (host[0] == '[') {
		host++;
		len -= 2;
	}
	if (len == 0 || len >= size)
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	return true;
}

static bool is_in_list(const char *list, const char *name)
{
	struct http_place place;
	bool found = false;

	while (http_listen_next(&list, &place, &found) && found)
		if (strcasecmp(place.host, name) == 0)
			return true;
	return false;
}

/* A name that only we and our machine go by: one that somebody else's name server could give to this address is not
   among them. */
static bool is_ours(const struct settings *set, const char *host)
{
	struct address address;
	char name[256];

	if (host == NULL || !cut_port(host, name, sizeof(name)))
		return false;
	return strcasecmp(name, "localhost") == 0 ||
	       (!path_is_of_socket(name) && address_from_text(&address, name, 0)) ||
	       (set->http_listen != NULL && is_in_list(set->http_listen, name));
}

enum gate_answer gate_judge(const struct settings *set, const struct gate_request *r)
{
	if (!gate_has_login(set)) {
		if (!r->on_loopback)
			return GATE_NO_LOGIN;
		return is_ours(set, r->host) ? GATE_OPEN : GATE_OTHER_HOST;
	}
	if (r->authorization == NULL)
		return GATE_ASK;
	return is_right(set, r->authorization) ? GATE_OPEN : GATE_WRONG;
}

/* ---- who must wait for an answer ---- */

struct refusal {
	struct list node;
	struct http_request *request;
	uint64_t due_us;
};

static void ask_for_login(struct http_request *r, const char *text)
{
	http_set_header(r, "WWW-Authenticate", "Basic realm=\"pgweir\", charset=\"UTF-8\"");
	http_answer_text(r, 401, text);
}

static void refusal_end(struct gate *g, struct refusal *refusal)
{
	list_remove(&refusal->node);
	g->n_refused--;
	ask_for_login(refusal->request, "user name or password is wrong\n");
	mem_free(refusal);
}

static struct refusal *first_of(struct gate *g)
{
	struct list *node = list_first(&g->refused);

	return node == NULL ? NULL : container_of(node, struct refusal, node);
}

static void say_left_out(struct gate *g)
{
	if (g->n_left_out > 0)
		log_write(g->control->office->log, LEVEL_LOG, "left out %llu more refused HTTP logins",
		          (unsigned long long)g->n_left_out);
	g->n_left_out = 0;
}

static void set_timer(struct gate *g)
{
	const struct refusal *first = first_of(g);

	if (first != NULL)
		timer_set(g->timer, first->due_us);
	else if (g->n_left_out > 0)
		timer_set(g->timer, g->told_us + GATE_LOG_US);
}

static void due(void *owner)
{
	struct gate *g = (struct gate *)owner;
	uint64_t now_us = loop_now_us(g->control->loop);
	struct refusal *refusal;

	while ((refusal = first_of(g)) != NULL && refusal->due_us <= now_us)
		refusal_end(g, refusal);
	if (now_us >= g->told_us + GATE_LOG_US)
		say_left_out(g);
	set_timer(g);
}

/* Strangers can do this as often as they like. */
static void tell(struct gate *g, const struct http_request *r)
{
	uint64_t now_us = loop_now_us(g->control->loop);

	if (g->told_us != 0 && now_us < g->told_us + GATE_LOG_US) {
		g->n_left_out++;
		return;
	}
	say_left_out(g);
	g->told_us = now_us;
	log_write(g->control->office->log, LEVEL_WARNING, "HTTP login from %s refused: user name or password is wrong",
	          http_peer(r));
}

static bool is_busy(const struct gate *g, const struct http_request *r)
{
	const struct list *node;
	unsigned n = 0;

	list_each (node, &g->refused)
		n += strcmp(http_peer(container_of_const(node, struct refusal, node)->request), http_peer(r)) == 0;
	return g->n_refused >= GATE_MOST || n >= GATE_MOST_OF_ADDRESS;
}

static void refuse_later(struct gate *g, struct http_request *r)
{
	struct refusal *refusal = mem_new(struct refusal);

	tell(g, r);
	if (refusal == NULL) {
		http_answer_text(r, 503, "not available now\n");
		return;
	}
	refusal->request = r;
	refusal->due_us = loop_now_us(g->control->loop) + GATE_DELAY_US;
	list_init(&refusal->node);
	list_add_tail(&g->refused, &refusal->node);
	g->n_refused++;
	set_timer(g);
}

#define OPEN_TEXT_OPEN(path) " " path
#define OPEN_TEXT_PROTECTED(path)
static const char no_login[] = "this is shown on loopback only, or to whoever knows the password\n"
                               "Set http_auth_user and http_auth_password in the configuration file, and RELOAD.\n"
                               "Open to everybody are"
#define ROUTE(path, access, handler, doc) OPEN_TEXT_##access(path)
#include "admin/routes.def"
                               "\n";

/* ---- life ---- */

bool gate_admits(struct gate *g, struct http_request *r)
{
	const struct gate_request request = {http_came_by_loopback(r), http_host(r), http_header(r, "Authorization")};
	const struct settings *set = &g->control->config(g->control->self)->settings;

	if (request.authorization != NULL && gate_has_login(set) && is_busy(g, r)) {
		http_set_header(r, "Retry-After", "2");
		http_answer_text(r, 429, "too many wrong logins at this moment\n");
		return false;
	}
	switch (gate_judge(set, &request)) {
	case GATE_OPEN:
		return true;
	case GATE_NO_LOGIN:
		http_answer_text(r, 403, no_login);
		break;
	case GATE_OTHER_HOST:
		http_answer_text(
		    r, 403,
		    "the request is for another host: its header Host is no IP address, not localhost, and not in "
		    "http_listen\n"
		    "Without a password such requests are refused, because web pages elsewhere could make a browser "
		    "send "
		    "them. Use an IP address in the URL, or set http_auth_user and http_auth_password.\n");
		break;
	case GATE_ASK:
		ask_for_login(r, "user name and password are needed\n");
		break;
	case GATE_WRONG:
		refuse_later(g, r);
		break;
	}
	return false;
}

bool gate_init(struct gate *g, const struct control *control)
{
	memset(g, 0, sizeof(*g));
	g->control = control;
	list_init(&g->refused);
	g->timer = timer_new(control->loop, due, g);
	return g->timer != NULL;
}

void gate_fini(struct gate *g)
{
	struct refusal *refusal;

	while ((refusal = first_of(g)) != NULL)
		refusal_end(g, refusal);
	timer_free(g->timer);
}
