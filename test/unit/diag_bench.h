/* What the tests of diag/ share: facts where everything is known, and reports of servers. */
#ifndef DIAG_BENCH_H
#define DIAG_BENCH_H

#include "base/str.h"
#include "diag/explain.h"

#define TARGET "server at \"db\" (172.18.0.2), port 5432"
#define NO_ENTRY "no pg_hba.conf entry for host \"172.18.0.3\", user \"app\", database \"shop\", "

static const struct facts tcp = {.database = "shop",
                                 .user = "app",
                                 .host = "db",
                                 .hosts = "db,db2",
                                 .wanted_role = "is a primary",
                                 .address = "172.18.0.2",
                                 .port = 5432,
                                 .tls = "prefer",
                                 .source_address = "172.18.0.3",
                                 .config_place = "/etc/pgweir.ini:12",
                                 .config_database = "store",
                                 .secret_place = "/etc/userlist.txt:3",
                                 .account = "pooler",
                                 .since = "2026-11-23 17:00:00 UTC",
                                 .attempts = 3,
                                 .phase_us = 3050000,
                                 .next_try_us = 250000,
                                 .in_container = true,
                                 .incident = "7f3a0c19",
                                 .keepalive = "after 10 s, every 5 s, 3 times",
                                 .name_servers = "10.0.0.2",
                                 .limits = "pool_size 20",
                                 .pool_sizes = 120,
                                 .connections = 97,
                                 .sqlstate_mode = SQLSTATE_PRECISE};

/* An ErrorResponse as a failure. */
static inline void set_report(struct failure *f, enum failure_phase phase, const struct words *words)
{
	struct str out;

	str_init(&out, 4000000);
	message_error(&out, words);
	assert_false(out.failed);
	failure_set_report(f, phase, out.data + 5, out.len - 5);
	str_fini(&out);
}

#endif
