/*
 * Who may see what HTTP protects. On loopback everybody, as long as no login is configured: then the header Host must
 * name this machine, or a web page anywhere could ask through its visitor's browser. Elsewhere whoever knows
 * http_auth_user and http_auth_password; guessing is slowed down. Main thread.
 */
#ifndef ADMIN_GATE_H
#define ADMIN_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/control.h"
#include "base/attr.h"
#include "base/list.h"

struct http_request;
struct timer;

/* A wrong login is answered so late. */
#define GATE_DELAY_US 1000000u
/* Wrong logins that wait for their answer: more from one address, or from all, are refused without a look. */
#define GATE_MOST_OF_ADDRESS 4u
#define GATE_MOST 32u
/* One line of the log in this time. */
#define GATE_LOG_US 10000000u

/* Embedded in struct web. Owned by one thread: main. */
struct gate {
	const struct control *control;
	struct timer *timer;
	struct list refused; /* wrong logins that wait for their answer, oldest first */
	unsigned n_refused;
	uint64_t told_us;    /* when the log was last told; 0: never */
	uint64_t n_left_out; /* since then */
};

enum gate_answer {
	GATE_OPEN,
	GATE_NO_LOGIN, /* none is configured, and it is not loopback */
	GATE_OTHER_HOST,
	GATE_ASK,  /* who is it? */
	GATE_WRONG /* not who may */
};

/* What is asked for, in plain values; texts may be NULL. */
struct gate_request {
	bool on_loopback;
	const char *host;          /* the header, with its port */
	const char *authorization; /* the header */
};

/* The decision, without its delays. Pure. */
enum gate_answer gate_judge(const struct settings *set, const struct gate_request *r);

/* False: out of memory. */
bool gate_init(struct gate *g, const struct control *control) MUST_USE;
/* Whoever waits for an answer gets it. */
void gate_fini(struct gate *g);

/* True: it may. False: it is answered, now or soon. */
bool gate_admits(struct gate *g, struct http_request *r) MUST_USE;

/* Whether a login is configured. */
bool gate_has_login(const struct settings *set);

#endif
