/*
 * A client's login: start-up packet, proof of identity, its place in a pool, and
 * the welcome. What is needed only for this is in struct login and freed with it.
 */
#ifndef WORKER_CLIENT_LOGIN_H
#define WORKER_CLIENT_LOGIN_H

#include <stdbool.h>

#include "base/attr.h"
#include "worker/client.h"

struct server;

/* Handlers of the login's states. */
enum step client_login_hello(struct client *c);
enum step client_login_proof(struct client *c);
enum step client_login_wait(struct client *c);

/* The name it asked for and the user it gave, before it has an entry; "(nodb)" and "(nouser)". */
const char *client_login_database(const struct client *c);
const char *client_login_user(const struct client *c);
/* It asks only whether we are there, as far as anybody can tell yet. */
bool client_login_only_knocks(const struct client *c);
/* It is let in to the console: its lines are not those of strangers. */
bool client_login_is_known(const struct client *c);
/* The parameters it asked for; NULL: none are known. */
const struct params *client_login_params(const struct client *c);

/* Its "login attempt" line, if that is still to be written. */
void client_login_say_attempt(struct client *c);

/* The letter CLIENT_KEYS. */
void client_login_keys(struct worker *w, struct letter *letter);
/* The letter LETTER_CLIENT_ACCOUNT. */
void client_login_account(struct worker *w, struct letter *letter);
/* The letter LETTER_CLIENT_ANSWER. */
void client_login_answer(struct worker *w, struct letter *letter);

/* The pool has a welcome now. */
void client_login_welcome(struct client *c);

/* A replication connection has its server now: it is welcomed, and LINKED until its end. */
void client_login_own_server(struct client *c, struct server *s);

/* Ends logins that have taken client_login_timeout. */
void client_login_tick(struct worker *w);

/* While a key derivation is under way it is freed only when that letter has been read. */
void client_login_free(struct client *c);

/* Its stream has broken, in its login or later. */
void client_login_broken(struct client *c);

#endif
