/* What people read for each failure, literally. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/context.h"
#include "auth/prover.h"
#include "base/printable.h"
#include "base/str.h"
#include "diag/explain.h"
#include "diag/rules.h"
#include "diag_bench.h"
#include "failing_mem.h"

static struct facts unix_facts(void)
{
	struct facts facts = tcp;

	facts.is_unix = true;
	facts.host = "/run/pg";
	facts.address = "/run/pg/.s.PGSQL.5432";
	facts.source_address = NULL;
	return facts;
}

static struct facts local_facts(void)
{
	struct facts facts = tcp;

	facts.host = "localhost";
	facts.address = "127.0.0.1";
	return facts;
}

struct expected {
	const char *class;
	enum verdict_kind kind;
	enum verdict_scope scope;
	const char *sqlstate;
	const char *message;
	const char *detail; /* its beginning, before the common facts */
	const char *hint;
};

static void check_verdict(const struct verdict *v, const struct expected *e)
{
	assert_string_equal(v->class, e->class);
	assert_int_equal(v->kind, e->kind);
	assert_int_equal(v->scope, e->scope);
	assert_string_equal(v->sqlstate, e->sqlstate);
	assert_string_equal(v->precise_sqlstate, e->sqlstate);
	assert_string_equal(str_text(&v->message), e->message);
	assert_memory_equal(str_text(&v->detail), e->detail, strlen(e->detail));
	assert_string_equal(str_text(&v->hint), e->hint);
	/* everything of the table was filled in */
	assert_null(strpbrk(str_text(&v->message), "{}%"));
	assert_null(strpbrk(str_text(&v->hint), "{}?"));
	assert_null(strpbrk(str_text(&v->detail), "{}?%"));
}

static void check_failure(const struct failure *f, const struct facts *facts, const struct expected *e)
{
	struct verdict v;

	verdict_init(&v);
	explain(f, facts, &v);
	check_verdict(&v, e);
	verdict_fini(&v);
}

#define CHECK_HBA_FILE "On the server, add this line to pg_hba.conf (SHOW hba_file tells where it is):\n"
#define PORT_HINT "Check host and port in /etc/pgweir.ini:12; PostgreSQL usually has port 5432."
#define ADMIT_SSL "hostssl    shop    app    172.18.0.3/32    scram-sha-256\nThen run: SELECT pg_reload_conf()"
#define NETWORK_SSL                                                                                                    \
	"Addresses of containers change. This line in its place opens more, to every address of the network:\n"        \
	"hostssl    shop    app    172.18.0.0/16    scram-sha-256"
#define ADMIT "host    shop    app    172.18.0.3/32    scram-sha-256\nThen run: SELECT pg_reload_conf()"
#define BEFORE                                                                                                         \
	"On the server, put this line into pg_hba.conf (SHOW hba_file tells where it is), before the one that asks "   \
	"for it:\n"
#define COPY "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'"
#define NETWORK                                                                                                        \
	"Addresses of containers change. This line in its place opens more, to every address of the network:\n"        \
	"host    shop    app    172.18.0.0/16    scram-sha-256"

static void what_the_system_says_is_explained(void **state)
{
	static const char check_socket[] =
	    "There is no socket /run/pg/.s.PGSQL.5432 in this container. Mount the directory "
	    "of the server's socket into it, or use the name of the server's service as "
	    "host.";
	const struct facts unix_socket = unix_facts(), local = local_facts();
	const struct {
		enum failure_phase phase;
		int code;
		const struct facts *facts;
		struct expected expected;
	} cases[] = {
	    {PHASE_CONNECT,
	     ECONNREFUSED,
	     &tcp,
	     {"connection_refused", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not connect to " TARGET ": connection refused", "Database ",
	      "PostgreSQL may be stopped, or may not listen on this address: run \"pg_isready -h db -p 5432\"; if it "
	      "fails, check listen_addresses and port of the server."}},
	    {PHASE_CONNECT,
	     ECONNREFUSED,
	     &local,
	     {"connection_refused", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not connect to server at \"localhost\" (127.0.0.1), port 5432: connection refused", "Database ",
	      "Inside this container, \"localhost\" is the container itself. Use the name of the server's service or "
	      "container as host, or host.docker.internal for a server on the machine outside."}},
	    {PHASE_CONNECT,
	     EHOSTUNREACH,
	     &tcp,
	     {"no_route", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not connect to " TARGET ": No route to host", "Database ",
	      "Check the address, the route to it and the firewalls between: ip route get 172.18.0.2"}},
	    {PHASE_CONNECT,
	     ENETUNREACH,
	     &tcp,
	     {"network_unreachable", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not connect to " TARGET ": Network is unreachable", "Database ",
	      "This machine has no network that leads there: ip route get 172.18.0.2"}},
	    {PHASE_CONNECT,
	     ETIMEDOUT,
	     &tcp,
	     {"connect_timed_out", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not connect to " TARGET ": timed out after 3.0 s", "Database ",
	      "Nothing answers at 172.18.0.2, port 5432: the address may be wrong, or a firewall may drop the "
	      "packets."}},
	    {PHASE_CONNECT,
	     EACCES,
	     &tcp,
	     {"connect_not_permitted", VERDICT_REFUSED, SCOPE_ADDRESS, "42501",
	      "could not connect to " TARGET ": Permission denied",
	      "This process runs as account \"pooler\". Database ",
	      "A rule of this machine (firewall, SELinux) may forbid the connection."}},
	    {PHASE_CONNECT,
	     99999,
	     &tcp,
	     {"connect_failed", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not connect to " TARGET ": system error 99999", "Database ", ""}},
	    {PHASE_CONNECT,
	     EMFILE,
	     &tcp,
	     {"no_descriptors", VERDICT_UNREACHED, SCOPE_ADDRESS, "53000",
	      "could not connect to " TARGET ": Too many open files", "Database ",
	      "Raise the limit of open files of this process (ulimit -n, LimitNOFILE=)."}},
	    {PHASE_CONNECT,
	     EADDRNOTAVAIL,
	     &tcp,
	     {"no_ports", VERDICT_UNREACHED, SCOPE_ADDRESS, "53000",
	      "could not connect to " TARGET ": Cannot assign requested address", "Database ",
	      "All local ports towards this address may be in use; see net.ipv4.ip_local_port_range."}},
	    {PHASE_CONNECT,
	     ENOENT,
	     &unix_socket,
	     {"socket_missing", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not connect to server on socket \"/run/pg/.s.PGSQL.5432\": No such file or directory", "Database ",
	      check_socket}},
	    {PHASE_CONNECT,
	     ECONNREFUSED,
	     &unix_socket,
	     {"socket_refused", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not connect to server on socket \"/run/pg/.s.PGSQL.5432\": connection refused", "Database ",
	      "PostgreSQL is not running behind this socket. Start it, or compare with unix_socket_directories and "
	      "port "
	      "of the server."}},
	    {PHASE_CONNECT,
	     EACCES,
	     &unix_socket,
	     {"socket_permission", VERDICT_REFUSED, SCOPE_ADDRESS, "42501",
	      "could not connect to server on socket \"/run/pg/.s.PGSQL.5432\": Permission denied",
	      "This process runs as account \"pooler\". Database ",
	      "Let account \"pooler\" use the socket /run/pg/.s.PGSQL.5432: see unix_socket_permissions and "
	      "unix_socket_group of the server, and the rights of the directory."}},
	    {PHASE_STARTUP,
	     ECONNRESET,
	     &tcp,
	     {"closed_after_accept", VERDICT_UNREACHED, SCOPE_POOL, "08006",
	      TARGET " closed the connection: Connection reset by peer", "Database ",
	      "Something in front of PostgreSQL (a proxy, a load balancer) may have no server behind it, or the port "
	      "may "
	      "speak TLS only (server_tls_sslmode, server_tls_negotiation)."}},
	    {PHASE_AUTH,
	     EPIPE,
	     &tcp,
	     {"closed_in_login", VERDICT_UNREACHED, SCOPE_POOL, "08006",
	      TARGET " closed the connection during the login: Broken pipe", "Database ",
	      "The server's log may say why."}},
	    {PHASE_RESOLVE,
	     EAGAIN,
	     &tcp,
	     {"name_lookup_failed", VERDICT_UNREACHED, SCOPE_NAME, "08001",
	      "could not translate host name \"db\" to address: Resource temporarily unavailable", "Database ",
	      "Check that this machine can look it up: getent hosts db"}},
	    {PHASE_SESSION,
	     ECONNRESET,
	     &tcp,
	     {"session_lost", VERDICT_NONE, SCOPE_POOL, "08006",
	      "server conn crashed? connection to " TARGET " was lost: Connection reset by peer", "Database ", ""}},
	    {PHASE_CONNECT,
	     ENOMEM,
	     &tcp,
	     {"out_of_memory", VERDICT_NONE, SCOPE_ADDRESS, "53200", "out of memory", "Database ", ""}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct failure f;

		failure_init(&f);
		failure_set(&f, cases[i].phase, DOMAIN_ERRNO, cases[i].code, NULL);
		check_failure(&f, cases[i].facts, &cases[i].expected);
	}
}

static void what_we_noticed_ourselves_is_explained(void **state)
{
	struct facts outside = tcp, with_md5 = tcp, with_ca = tcp, with_system = tcp;
	const struct {
		enum failure_phase phase;
		enum failure_domain domain;
		int code;
		const char *text;
		const struct facts *facts;
		struct expected expected;
	} cases[] = {
	    {PHASE_CONNECT,
	     DOMAIN_POOLER,
	     FAILURE_TIMED_OUT,
	     "",
	     &tcp,
	     {"connect_timed_out", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not connect to " TARGET ": timed out after 3.0 s", "Database ",
	      "Nothing answers at 172.18.0.2, port 5432: the address may be wrong, or a firewall may drop the "
	      "packets."}},
	    {PHASE_CONNECT,
	     DOMAIN_POOLER,
	     FAILURE_CLOSED,
	     "",
	     &tcp,
	     {"connect_failed", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001", "could not connect to " TARGET, "Database ",
	      ""}},
	    {PHASE_STARTUP,
	     DOMAIN_POOLER,
	     FAILURE_TIMED_OUT,
	     "",
	     &tcp,
	     {"server_silent", VERDICT_UNREACHED, SCOPE_POOL, "08001",
	      "connection to " TARGET " timed out after 3.0 s: connected, but nothing answers", "Database ",
	      "TCP works, but nothing answers: the port may belong to another program, or the server may hang."}},
	    {PHASE_TLS,
	     DOMAIN_POOLER,
	     FAILURE_TIMED_OUT,
	     "",
	     &tcp,
	     {"server_silent", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "connection to " TARGET " timed out after 3.0 s: connected, but nothing answers", "Database ",
	      "TCP works, but nothing answers: the port may belong to another program, or the server may hang."}},
	    {PHASE_STARTUP,
	     DOMAIN_POOLER,
	     FAILURE_CLOSED,
	     "",
	     &tcp,
	     {"closed_after_accept", VERDICT_UNREACHED, SCOPE_POOL, "08006",
	      TARGET " closed the connection without a word", "Database ",
	      "Something in front of PostgreSQL (a proxy, a load balancer) may have no server behind it, or the port "
	      "may "
	      "speak TLS only (server_tls_sslmode, server_tls_negotiation)."}},
	    {PHASE_TLS,
	     DOMAIN_POOLER,
	     FAILURE_CLOSED,
	     "",
	     &tcp,
	     {"closed_after_accept", VERDICT_UNREACHED, SCOPE_ADDRESS, "08006",
	      TARGET " closed the connection without a word", "Database ",
	      "Something in front of PostgreSQL (a proxy, a load balancer) may have no server behind it, or the port "
	      "may speak TLS only (server_tls_negotiation = direct)."}},
	    {PHASE_SETTLE,
	     DOMAIN_POOLER,
	     FAILURE_CLOSED,
	     "",
	     &tcp,
	     {"closed_in_login", VERDICT_UNREACHED, SCOPE_POOL, "08006",
	      TARGET " closed the connection during the login", "Database ", "The server's log may say why."}},
	    {PHASE_STARTUP,
	     DOMAIN_POOLER,
	     FAILURE_NOT_POSTGRES,
	     "HTTP/1.1 400 Bad Request",
	     &tcp,
	     {"not_postgres", VERDICT_REFUSED, SCOPE_POOL, "08001",
	      TARGET " is not a PostgreSQL server: it is an HTTP server",
	      "The first bytes received: \"HTTP/1.1 400 Bad Request\". Database ", PORT_HINT}},
	    {PHASE_TLS,
	     DOMAIN_POOLER,
	     FAILURE_NOT_POSTGRES,
	     "SSH-2.0-OpenSSH_9.2",
	     &tcp,
	     {"not_postgres", VERDICT_REFUSED, SCOPE_ADDRESS, "08001",
	      TARGET " is not a PostgreSQL server: it is an SSH server",
	      "The first bytes received: \"SSH-2.0-OpenSSH_9.2\". Database ", PORT_HINT}},
	    {PHASE_TLS,
	     DOMAIN_POOLER,
	     FAILURE_NOT_POSTGRES,
	     "220 mail",
	     &tcp,
	     {"not_postgres", VERDICT_REFUSED, SCOPE_ADDRESS, "08001", TARGET " is not a PostgreSQL server",
	      "The first bytes received: \"220 mail\". Database ", PORT_HINT}},
	    {PHASE_TLS,
	     DOMAIN_POOLER,
	     FAILURE_NO_TLS,
	     "",
	     &tcp,
	     {"no_tls", VERDICT_REFUSED, SCOPE_ADDRESS, "08001", "server refused SSL: " TARGET " does not support TLS",
	      "Database ", "Set ssl = on at the server, or server_tls_sslmode = prefer here."}},
	    {PHASE_TLS,
	     DOMAIN_TLS,
	     FAILURE_TLS_NOT_TRUSTED,
	     "self-signed certificate, issuer \"/CN=x\"",
	     &with_ca,
	     {"tls_not_trusted", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not establish TLS with " TARGET
	      ": certificate verify failed: self-signed certificate, issuer \"/CN=x\"",
	      "Authorities in use: /etc/ca.crt. Database ",
	      "Put the certificate of the authority that issued it into /etc/ca.crt. If the server's certificate need "
	      "not be verified, set server_tls_sslmode = require."}},
	    {PHASE_TLS,
	     DOMAIN_TLS,
	     FAILURE_TLS_NOT_TRUSTED,
	     "unable to get local issuer certificate, issuer \"/CN=x\"",
	     &with_system,
	     {"tls_not_trusted", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not establish TLS with " TARGET
	      ": certificate verify failed: unable to get local issuer certificate, issuer \"/CN=x\"",
	      "Authorities in use: those that this system trusts (server_tls_ca_file = system, or empty). Database ",
	      "Write the certificate of the authority that issued it to a file, and name that in server_tls_ca_file. "
	      "Or "
	      "let this system trust it: put it into /usr/local/share/ca-certificates and run update-ca-certificates, "
	      "and RELOAD."}},
	    {PHASE_TLS,
	     DOMAIN_TLS,
	     FAILURE_TLS_EXPIRED,
	     "it has expired on 2020-01-01",
	     &with_ca,
	     {"tls_expired", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not establish TLS with " TARGET ": certificate verify failed: certificate has expired",
	      "About the certificate: it has expired on 2020-01-01. Database ",
	      "Renew the certificate of the server (ssl_cert_file), or set the clock of this machine."}},
	    {PHASE_TLS,
	     DOMAIN_TLS,
	     FAILURE_TLS_NOT_YET_VALID,
	     "it is not valid before 2040-01-01",
	     &with_ca,
	     {"tls_not_yet_valid", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not establish TLS with " TARGET ": certificate verify failed: certificate is not yet valid",
	      "About the certificate: it is not valid before 2040-01-01. Database ",
	      "Check the clock of this machine, and that of the machine that made the certificate."}},
	    {PHASE_TLS,
	     DOMAIN_TLS,
	     FAILURE_TLS_OTHER_NAME,
	     "\"a\", \"b\"",
	     &with_ca,
	     {"tls_other_name", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not establish TLS with " TARGET ": certificate does not match host name \"db\"",
	      "The names in it: \"a\", \"b\". Database ",
	      "Use one of these names as host= in /etc/pgweir.ini:12, or give the server a certificate that names "
	      "\"db\". With server_tls_sslmode = verify-ca names are not compared."}},
	    {PHASE_TLS,
	     DOMAIN_TLS,
	     FAILURE_TLS_NOTHING_COMMON,
	     "unsupported protocol",
	     &with_ca,
	     {"tls_nothing_common", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not establish TLS with " TARGET ": no common protocol or cipher: unsupported protocol",
	      "Database ",
	      "Compare server_tls_protocols and server_tls_ciphers here with ssl_min_protocol_version, "
	      "ssl_max_protocol_version and ssl_ciphers of the server."}},
	    {PHASE_TLS,
	     DOMAIN_TLS,
	     FAILURE_TLS_OURS_REFUSED,
	     "tlsv1 alert unknown ca",
	     &with_ca,
	     {"tls_ours_refused", VERDICT_REFUSED, SCOPE_ADDRESS, "F0000",
	      "could not establish TLS with " TARGET
	      ": the server does not accept the pooler's certificate: tlsv1 alert unknown ca",
	      "Database ",
	      "Check server_tls_cert_file and server_tls_key_file (database \"store\"): the server's ssl_ca_file must "
	      "know who issued it."}},
	    {PHASE_TLS,
	     DOMAIN_TLS,
	     FAILURE_TLS_OTHER,
	     "decryption failed",
	     &with_ca,
	     {"tls_failed", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not establish TLS with " TARGET ": decryption failed", "Database ", ""}},
	    {PHASE_TLS,
	     DOMAIN_TLS,
	     FAILURE_TLS_NOT_TLS,
	     "wrong version number",
	     &with_ca,
	     {"tls_failed", VERDICT_UNREACHED, SCOPE_ADDRESS, "08001",
	      "could not establish TLS with " TARGET ": it does not answer in TLS: wrong version number", "Database ",
	      "Something between may answer in place of the server. server_tls_negotiation = direct needs PostgreSQL "
	      "17 or later."}},
	    {PHASE_RESOLVE,
	     DOMAIN_GAI,
	     -2,
	     "Name or service not known",
	     &tcp,
	     {"name_not_found", VERDICT_UNREACHED, SCOPE_NAME, "08001",
	      "could not translate host name \"db\" to address: Name or service not known", "Database ",
	      "In a container only the names of services on the same network are known: check that \"db\" is the name "
	      "of the server's service or container (in Kubernetes: service.namespace), and that both are on one "
	      "network."}},
	    {PHASE_RESOLVE,
	     DOMAIN_GAI,
	     -2,
	     "Name or service not known",
	     &outside,
	     {"name_not_found", VERDICT_UNREACHED, SCOPE_NAME, "08001",
	      "could not translate host name \"db\" to address: Name or service not known", "Database ",
	      "Check the spelling of host= in /etc/pgweir.ini:12, and that this machine can look it up: getent hosts "
	      "db"}},
	    {PHASE_RESOLVE,
	     DOMAIN_POOLER,
	     FAILURE_NO_ADDRESS,
	     "",
	     &tcp,
	     {"no_address", VERDICT_UNREACHED, SCOPE_NAME, "08001",
	      "could not translate host name \"db\" to address: it has no addresses", "Database ",
	      "Check the spelling of host= in /etc/pgweir.ini:12, and that this machine can look it up: getent hosts "
	      "db"}},
	    {PHASE_RESOLVE,
	     DOMAIN_POOLER,
	     FAILURE_TIMED_OUT,
	     "",
	     &tcp,
	     {"name_server_silent", VERDICT_UNREACHED, SCOPE_NAME, "08001",
	      "could not translate host name \"db\" to address: name server timed out after 3.0 s",
	      "Name servers: 10.0.0.2. Database ",
	      "Check the name servers that this machine uses (/etc/resolv.conf): 10.0.0.2"}},
	    {PHASE_AUTH,
	     DOMAIN_POOLER,
	     FAILURE_AUTH_NO_PASSWORD,
	     "SCRAM-SHA-256",
	     &tcp,
	     {"no_password", VERDICT_REFUSED, SCOPE_POOL, "28P01",
	      "server login failed: the server asks for a password, none is known for user \"app\"",
	      "The server asks for SCRAM-SHA-256. Database ",
	      "Put the password of \"app\" into auth_file, or as password= into the [databases] line \"store\" "
	      "(/etc/pgweir.ini:12)."}},
	    {PHASE_AUTH,
	     DOMAIN_POOLER,
	     FAILURE_AUTH_SECRET,
	     "an MD5 hash is stored, the server asks for SCRAM-SHA-256",
	     &with_md5,
	     {"wrong_secret", VERDICT_REFUSED, SCOPE_POOL, "28P01", "server login failed: wrong password type",
	      "For user \"app\", an MD5 hash is stored, the server asks for SCRAM-SHA-256. It came from "
	      "/etc/userlist.txt:3. An MD5 hash can answer nothing but MD5. Database ",
	      "Either store the plain password of \"app\" in /etc/userlist.txt:3, or put the server's own SCRAM "
	      "verifier "
	      "there and let clients log in by SCRAM (auth_type = scram-sha-256): " COPY}},
	    {PHASE_AUTH,
	     DOMAIN_POOLER,
	     FAILURE_AUTH_METHOD,
	     "GSSAPI",
	     &tcp,
	     {"method_not_supported", VERDICT_REFUSED, SCOPE_POOL, "28000",
	      "server login failed: authentication method GSSAPI is not supported", "Database ",
	      BEFORE ADMIT "\n" NETWORK}},
	    {PHASE_AUTH,
	     DOMAIN_POOLER,
	     FAILURE_AUTH_SERVER,
	     "wrong SCRAM server signature",
	     &tcp,
	     {"server_not_proven", VERDICT_REFUSED, SCOPE_POOL, "28000",
	      "server login failed: the server could not prove that it knows the password",
	      "What happened: wrong SCRAM server signature. Database ",
	      "The secret stored here may be out of date: /etc/userlist.txt:3; or this is not the server that it "
	      "should "
	      "be."}},
	    {PHASE_AUTH,
	     DOMAIN_POOLER,
	     FAILURE_PROTOCOL,
	     "malformed AuthenticationOk",
	     &tcp,
	     {"login_protocol", VERDICT_REFUSED, SCOPE_POOL, "08P01",
	      "login to " TARGET " failed: it sent something that is not allowed in the protocol: malformed "
	      "AuthenticationOk",
	      "Database ", "Check that this is a PostgreSQL server: /etc/pgweir.ini:12"}},
	    {PHASE_AUTH,
	     DOMAIN_POOLER,
	     FAILURE_TOO_LARGE,
	     "",
	     &tcp,
	     {"login_too_large", VERDICT_REFUSED, SCOPE_POOL, "08P01",
	      "login to " TARGET " failed: it sent a message beyond the limit", "Database ",
	      "Check that this is a PostgreSQL server: /etc/pgweir.ini:12"}},
	    {PHASE_AUTH,
	     DOMAIN_POOLER,
	     FAILURE_NO_MEMORY,
	     "",
	     &tcp,
	     {"out_of_memory", VERDICT_NONE, SCOPE_POOL, "53200", "out of memory", "Database ", ""}},
	    {PHASE_CONNECT,
	     DOMAIN_POOLER,
	     FAILURE_ADMIN,
	     "RECONNECT",
	     &tcp,
	     {"admin", VERDICT_NONE, SCOPE_ADDRESS, "57P01", "admin forced disconnect",
	      "Ended by an operator: RECONNECT. Database ", ""}},
	    {PHASE_SESSION,
	     DOMAIN_POOLER,
	     FAILURE_ADMIN,
	     "KILL",
	     &tcp,
	     {"session_admin", VERDICT_NONE, SCOPE_POOL, "57P01", "admin forced disconnect",
	      "Ended by an operator: KILL. Database ", ""}},
	    {PHASE_SESSION,
	     DOMAIN_POOLER,
	     FAILURE_CLOSED,
	     "",
	     &tcp,
	     {"session_lost", VERDICT_NONE, SCOPE_POOL, "08006",
	      "server conn crashed? connection to " TARGET " was lost: closed by the server without a word",
	      "Database ", ""}},
	    {PHASE_SESSION,
	     DOMAIN_POOLER,
	     FAILURE_TIMED_OUT,
	     "",
	     &tcp,
	     {"session_silent", VERDICT_NONE, SCOPE_POOL, "08006",
	      "server conn crashed? connection to " TARGET " timed out after 3.0 s",
	      "Keepalive in force: after 10 s, every 5 s, 3 times. Database ",
	      "The server's host may have vanished, or something between may have cut the connection."}},
	    {PHASE_SESSION,
	     DOMAIN_POOLER,
	     FAILURE_PROTOCOL,
	     "broken ParameterStatus packet",
	     &tcp,
	     {"session_protocol", VERDICT_NONE, SCOPE_POOL, "08P01",
	      TARGET " sent something that is not allowed in the protocol: broken ParameterStatus packet", "Database ",
	      ""}},
	    {PHASE_SESSION,
	     DOMAIN_POOLER,
	     FAILURE_TOO_LARGE,
	     "ErrorResponse",
	     &tcp,
	     {"session_too_large", VERDICT_NONE, SCOPE_POOL, "08P01",
	      TARGET " sent a message beyond the limit: ErrorResponse", "Database ", ""}},
	    {PHASE_SESSION,
	     DOMAIN_POOLER,
	     FAILURE_NO_MEMORY,
	     "",
	     &tcp,
	     {"session_no_memory", VERDICT_NONE, SCOPE_POOL, "53200", "out of memory", "Database ", ""}},
	    {PHASE_NONE,
	     DOMAIN_NONE,
	     0,
	     "",
	     &tcp,
	     {"other", VERDICT_UNREACHED, SCOPE_POOL, "08001", "login to " TARGET " failed", "Database ", ""}},
	};

	(void)state;
	outside.in_container = false;
	with_md5.stored = STORED_MD5;
	with_ca.ca_file = "/etc/ca.crt";
	with_system.ca_file = "system";
	with_system.system_ca = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct failure f;

		failure_init(&f);
		failure_set(&f, cases[i].phase, cases[i].domain, cases[i].code, cases[i].text);
		check_failure(&f, cases[i].facts, &cases[i].expected);
	}
}

static void what_the_server_says_is_kept_and_explained(void **state)
{
	struct facts outside = tcp, unix_socket = unix_facts();
	const struct {
		enum failure_phase phase;
		const char *sqlstate, *message;
		const struct facts *facts;
		struct expected expected;
	} cases[] = {
	    {PHASE_STARTUP,
	     "28000",
	     NO_ENTRY "no encryption",
	     &tcp,
	     {"no_hba_entry_plain", VERDICT_REFUSED, SCOPE_POOL, "28000", NO_ENTRY "no encryption", "Database ",
	      CHECK_HBA_FILE ADMIT
	      "\n" NETWORK
	      "\nIf the server has a hostssl line already, set server_tls_sslmode = require here instead."}},
	    {PHASE_STARTUP,
	     "28000",
	     NO_ENTRY "SSL off",
	     &outside,
	     {"no_hba_entry_plain", VERDICT_REFUSED, SCOPE_POOL, "28000", NO_ENTRY "SSL off", "Database ",
	      CHECK_HBA_FILE ADMIT
	      "\n" NETWORK
	      "\nIf the server has a hostssl line already, set server_tls_sslmode = require here instead."}},
	    {PHASE_STARTUP,
	     "28000",
	     NO_ENTRY "SSL encryption",
	     &tcp,
	     {"no_hba_entry", VERDICT_REFUSED, SCOPE_POOL, "28000", NO_ENTRY "SSL encryption", "Database ",
	      CHECK_HBA_FILE ADMIT_SSL "\n" NETWORK_SSL}},
	    {PHASE_STARTUP,
	     "28000",
	     "no pg_hba.conf entry for host \"[local]\", user \"app\", database \"shop\", no encryption",
	     &unix_socket,
	     {"no_hba_entry", VERDICT_REFUSED, SCOPE_POOL, "28000",
	      "no pg_hba.conf entry for host \"[local]\", user \"app\", database \"shop\", no encryption", "Database ",
	      CHECK_HBA_FILE "local    shop    app    scram-sha-256\nThen run: SELECT pg_reload_conf()"}},
	    {PHASE_STARTUP,
	     "28000",
	     "pg_hba.conf rejects connection for host \"172.18.0.3\", user \"app\", database \"shop\", SSL encryption",
	     &tcp,
	     {"hba_rejects", VERDICT_REFUSED, SCOPE_POOL, "28000",
	      "pg_hba.conf rejects connection for host \"172.18.0.3\", user \"app\", database \"shop\", SSL encryption",
	      "Database ",
	      "A reject line of the server's pg_hba.conf (SHOW hba_file tells where it is) matches user, database and "
	      "address. Put this line before it:\n" ADMIT_SSL "\n" NETWORK_SSL}},
	    {PHASE_STARTUP,
	     "28000",
	     "pg_hba.conf rejects connection for host \"172.18.0.3\", user \"app\", database \"shop\", no encryption",
	     &tcp,
	     {"hba_rejects", VERDICT_REFUSED, SCOPE_POOL, "28000",
	      "pg_hba.conf rejects connection for host \"172.18.0.3\", user \"app\", database \"shop\", no encryption",
	      "Database ",
	      "A reject line of the server's pg_hba.conf (SHOW hba_file tells where it is) matches user, database and "
	      "address. Put this line before it:\n" ADMIT "\n" NETWORK}},
	    {PHASE_AUTH,
	     "28000",
	     "role \"app\" does not exist",
	     &tcp,
	     {"role_missing", VERDICT_REFUSED, SCOPE_POOL, "28000", "role \"app\" does not exist", "Database ",
	      "On the server, run: CREATE ROLE \"app\" LOGIN"}},
	    {PHASE_AUTH,
	     "28000",
	     "role \"app\" is not permitted to log in",
	     &tcp,
	     {"role_may_not_login", VERDICT_REFUSED, SCOPE_POOL, "28000", "role \"app\" is not permitted to log in",
	      "Database ", "On the server, run: ALTER ROLE \"app\" LOGIN"}},
	    {PHASE_AUTH,
	     "28P01",
	     "password authentication failed for user \"app\"",
	     &tcp,
	     {"wrong_password", VERDICT_REFUSED, SCOPE_POOL, "28P01", "password authentication failed for user \"app\"",
	      "The password came from /etc/userlist.txt:3. Database ",
	      "Correct the password of \"app\" in /etc/userlist.txt:3, or set it anew in psql: \\password \"app\""}},
	    {PHASE_SETTLE,
	     "3D000",
	     "database \"shop\" does not exist",
	     &tcp,
	     {"database_missing", VERDICT_REFUSED, SCOPE_POOL, "3D000", "database \"shop\" does not exist",
	      "The entry \"store\" of [databases] was used. It is at /etc/pgweir.ini:12. Database ",
	      "Correct dbname= of the [databases] entry \"store\", or on the server run: CREATE DATABASE \"shop\""}},
	    {PHASE_SETTLE,
	     "42501",
	     "permission denied for database \"shop\"",
	     &tcp,
	     {"no_privilege", VERDICT_REFUSED, SCOPE_POOL, "42501", "permission denied for database \"shop\"",
	      "Database ", "On the server, run: GRANT CONNECT ON DATABASE \"shop\" TO \"app\""}},
	    {PHASE_SETTLE,
	     "53300",
	     "too many connections for role \"app\"",
	     &tcp,
	     {"role_limit", VERDICT_UNREACHED, SCOPE_POOL, "53300", "too many connections for role \"app\"",
	      "Limits in force here: pool_size 20. Database ",
	      "Make the pools of this user smaller (pool_size, max_user_connections), or on the server run: ALTER ROLE "
	      "\"app\" CONNECTION LIMIT -1"}},
	    {PHASE_SETTLE,
	     "53300",
	     "too many connections for database \"shop\"",
	     &tcp,
	     {"database_limit", VERDICT_UNREACHED, SCOPE_POOL, "53300", "too many connections for database \"shop\"",
	      "Limits in force here: pool_size 20. Database ",
	      "Make the pools of this database smaller (pool_size, max_db_connections), or on the server run: ALTER "
	      "DATABASE \"shop\" CONNECTION LIMIT -1"}},
	    {PHASE_SETTLE,
	     "53300",
	     "sorry, too many clients already",
	     &tcp,
	     {"no_slots", VERDICT_UNREACHED, SCOPE_POOL, "53300", "sorry, too many clients already",
	      "The sizes of all pools for this host add up to 120. Of its connections, 97 are held here. Database ",
	      "The sum of all pool sizes must stay below max_connections of the server less its reserved slots. Who "
	      "holds "
	      "them: SELECT usename, client_addr, count(*) FROM pg_stat_activity GROUP BY 1, 2 ORDER BY 3 DESC"}},
	    {PHASE_STARTUP,
	     "57P03",
	     "the database system is starting up",
	     &tcp,
	     {"not_yet_ready", VERDICT_LATER, SCOPE_POOL, "57P03", "the database system is starting up", "Database ",
	      "The server's log shows how far it is. On a standby, check hot_standby = on."}},
	    {PHASE_AUTH,
	     "XX000",
	     "two\nlines",
	     &tcp,
	     {"server_refused", VERDICT_REFUSED, SCOPE_POOL, "XX000", "two lines", "Database ", ""}},
	    {PHASE_SESSION,
	     "57P01",
	     "terminating connection due to administrator command",
	     &tcp,
	     {"session_ended", VERDICT_NONE, SCOPE_POOL, "57P01", "terminating connection due to administrator command",
	      "Database ", ""}},
	};

	(void)state;
	outside.in_container = false;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct words words = {"FATAL", cases[i].sqlstate, cases[i].message, NULL, NULL};
		struct facts compatible = *cases[i].facts;
		struct failure f;

		failure_init(&f);
		set_report(&f, cases[i].phase, &words);
		check_failure(&f, cases[i].facts, &cases[i].expected);
		/* what the server reported is kept in either mode */
		compatible.sqlstate_mode = SQLSTATE_COMPATIBLE;
		check_failure(&f, &compatible, &cases[i].expected);
		failure_fini(&f);
	}
}

/* ---- The table itself ---- */

/* Facts under which a row's condition holds, and as few others as possible. */
static struct facts facts_for(enum rule_when when)
{
	struct facts facts = {.database = "shop", .user = "app", .host = "db", .address = "172.18.0.2"};

	facts.is_unix = when == ON_UNIX || when == ON_UNIX_IN_CONTAINER;
	facts.in_container = when == ON_UNIX_IN_CONTAINER || when == IN_CONTAINER || when == LOCAL_IN_CONTAINER;
	facts.system_ca = when == SYSTEM_CA;
	facts.forced_user = when == FORCED_USER || when == MD5_STORED_FORCED_USER;
	if (when == LOCAL_IN_CONTAINER)
		facts.host = "localhost";
	facts.on_windows = when == ON_WINDOWS || when == LOCAL_ON_WINDOWS;
	facts.below_windows = when == OUTSIDE_ON_WINDOWS;
	if (when == LOCAL_ON_WINDOWS)
		facts.host = "localhost";
	if (when == WITHOUT_HOST)
		facts.host = NULL;
	if (when == OUTSIDE_OF_CONTAINER || when == OUTSIDE_ON_WINDOWS)
		facts.host = "host.docker.internal";
	if (when == SCRAM_STORED)
		facts.stored = STORED_SCRAM;
	if (when == MD5_STORED || when == MD5_STORED_FORCED_USER)
		facts.stored = STORED_MD5;
	return facts;
}

static bool leads_to(const struct rule *rule, const struct failure *f, const struct facts *facts)
{
	struct subject s;

	subject_init(&s, f, facts);
	return rules_find(&s) == rule;
}

/* A failure that the row is for, with this phase and code where the row leaves them open. */
static bool is_reached_with(const struct rule *rule, enum failure_phase phase, int code)
{
	const struct rule_match *m = &rule->match;
	struct facts facts = facts_for(m->when);
	struct failure f;
	bool reached;

	failure_init(&f);
	if (m->phase != PHASE_ANY)
		phase = m->phase;
	if (m->domain == DOMAIN_SERVER) {
		struct words words = {"FATAL", m->sqlstate[0] == '\0' ? "XX000" : m->sqlstate, m->text, NULL, NULL};

		set_report(&f, phase, &words);
	} else {
		failure_set(&f, phase, m->domain, m->code == ANY ? code : m->code, m->text);
	}
	reached = leads_to(rule, &f, &facts);
	failure_fini(&f);
	return reached;
}

static bool is_reached(const struct rule *rule)
{
	static const int codes[] = {0, FAILURE_CLOSED, 99999};

	for (int phase = PHASE_NONE; phase <= PHASE_SESSION; phase++)
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
			if (is_reached_with(rule, (enum failure_phase)phase, codes[i]))
				return true;
	return false;
}

static void every_row_is_reached_by_what_it_is_for(void **state)
{
	(void)state;
	for (const struct rule *rule = rules; rule->class != NULL; rule++) {
		if (!is_reached(rule))
			print_error("row %u (%s) is hidden by an earlier one\n", (unsigned)(rule - rules), rule->class);
		assert_true(is_reached(rule));
	}
}

/* With everything known and with nothing known. */
static void check_texts(const char *text, const char *class)
{
	const struct facts nothing = {.port = 0};
	struct failure f;
	struct str out;

	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ENOENT, "x");
	str_init(&out, 10000);
	for (int known = 0; known < 2; known++) {
		struct subject s;

		subject_init(&s, &f, known ? &tcp : &nothing);
		str_clear(&out);
		texts_expand(text, &s, &out);
		if (known && strpbrk(str_text(&out), "{}%?") != NULL && strstr(text, "crashed?") == NULL)
			fail_msg("%s: \"%s\"", class, str_text(&out));
		assert_null(strpbrk(str_text(&out), "{}%"));
		assert_null(strstr(str_text(&out), "  to"));
	}
	str_fini(&out);
}

static void rows_have_what_their_columns_say(void **state)
{
	(void)state;
	for (size_t i = 0; rules[i].class != NULL; i++) {
		bool first = true;

		for (size_t k = 0; k < i; k++)
			first = first && strcmp(rules[k].class, rules[i].class) != 0;
		assert_string_equal(explain_rows[i].class, rules[i].class);
		assert_int_equal(explain_rows[i].doc[0] != '\0', first);
		assert_true(rules[i].message[0] != '\0');
		assert_true(strlen(rules[i].sqlstate) == 5 || rules[i].match.domain == DOMAIN_SERVER);
		check_texts(rules[i].message, rules[i].class);
		check_texts(rules[i].detail, rules[i].class);
		check_texts(rules[i].hint, rules[i].class);
	}
}

static void facts_that_are_not_known_are_left_out(void **state)
{
	struct facts nothing = {.next_try_us = UINT64_MAX}, host = {.host = "db"},
	             address = {.address = "::1", .port = 5}, same = {.host = "::1", .address = "::1"};
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	failure_set(&f, PHASE_CONNECT, DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
	explain(&f, &nothing, &v);
	assert_string_equal(str_text(&v.message), "could not connect to server: timed out");
	assert_string_equal(str_text(&v.detail), "Phase \"connect\".");
	assert_string_equal(v.sqlstate, "08P01");
	assert_string_equal(v.precise_sqlstate, "08001");
	explain(&f, &host, &v);
	assert_string_equal(str_text(&v.message), "could not connect to server at \"db\": timed out");
	explain(&f, &address, &v);
	assert_string_equal(str_text(&v.message), "could not connect to server at \"::1\", port 5: timed out");
	explain(&f, &same, &v);
	assert_string_equal(str_text(&v.message), "could not connect to server at \"::1\": timed out");
	f.phase = PHASE_NONE;
	explain(&f, &nothing, &v);
	assert_string_equal(str_text(&v.detail), "");
	verdict_fini(&v);
}

static void servers_own_detail_and_hint_are_added(void **state)
{
	static const struct words words = {"FATAL", "42501", "permission denied", "User lacks it.", "Ask somebody."};
	struct facts few = {.database = "a\"b", .user = "x"};
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	set_report(&f, PHASE_SETTLE, &words);
	explain(&f, &few, &v);
	assert_string_equal(str_text(&v.detail),
	                    "User lacks it. Database \"a\"b\", user \"x\", phase \"end of login\".");
	assert_string_equal(
	    str_text(&v.hint),
	    "On the server, run: GRANT CONNECT ON DATABASE \"a\"\"b\" TO \"x\"\nThe server's own hint: Ask "
	    "somebody.");
	failure_fini(&f);
	verdict_fini(&v);
}

static void unreadable_reports_are_still_explained(void **state)
{
	static const struct words strange = {"FATAL", "hi", "m", NULL, NULL};
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	failure_set_report(&f, PHASE_AUTH, "garbage", 7);
	explain(&f, &tcp, &v);
	assert_string_equal(v.class, "server_refused");
	assert_string_equal(v.sqlstate, "08P01");
	assert_string_equal(str_text(&v.message), "server sent an error without a message");
	failure_set_report(&f, PHASE_AUTH, "", 0);
	explain(&f, &tcp, &v);
	assert_string_equal(v.class, "server_refused");
	set_report(&f, PHASE_AUTH, &strange);
	explain(&f, &tcp, &v);
	assert_string_equal(v.sqlstate, "08P01");
	failure_fini(&f);
	verdict_fini(&v);
}

static void long_texts_are_kept_to_the_bound_and_say_where_they_were_cut(void **state)
{
	static const size_t sizes[] = {500, PRINTABLE_MAX_BYTES, PRINTABLE_MAX_BYTES + 1, 1000000};
	char *text = calloc(1, 1000001);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct words words = {"FATAL", "XX000", text, text, text};
		size_t kept = sizes[i] < PRINTABLE_MAX_BYTES ? sizes[i] : PRINTABLE_MAX_BYTES;
		struct failure f;
		struct verdict v;

		memset(text, 'x', sizes[i]);
		text[sizes[i]] = '\0';
		failure_init(&f);
		verdict_init(&v);
		set_report(&f, PHASE_AUTH, &words);
		explain(&f, &tcp, &v);
		assert_memory_equal(str_text(&v.message), text, kept);
		assert_memory_equal(str_text(&v.detail), text, kept);
		assert_memory_equal(str_text(&v.hint), text, kept);
		assert_int_equal(strstr(str_text(&v.message), "… (cut)") != NULL, sizes[i] > kept);
		assert_true(v.message.len < kept + 64);
		/* our own facts are not pushed out */
		assert_non_null(strstr(str_text(&v.detail), "incident 7f3a0c19."));
		failure_fini(&f);
		verdict_fini(&v);
	}
	free(text);
}

/* The verdict on the bytes of an ErrorResponse. */
static void explain_bytes(const char *bytes, size_t len, struct verdict *v)
{
	struct failure f;

	failure_init(&f);
	failure_set_report(&f, PHASE_AUTH, bytes, len);
	explain(&f, &tcp, v);
	failure_fini(&f);
}

static void hostile_reports_become_one_printable_line_each(void **state)
{
	static const char bytes[] = "SFATAL\0VWHATEVER\0C28P01\0Mred \033[31m\nline\r\xFF\x9B\0Dd\x01\0Hh\n# evil\0";
	struct verdict v;

	(void)state;
	verdict_init(&v);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		const char *hint;

		explain_bytes(bytes, len, &v);
		assert_true(printable_is(str_text(&v.message)));
		assert_true(printable_is(str_text(&v.detail)));
		hint = strstr(str_text(&v.hint), "The server's own hint: ");
		assert_true(hint == NULL || printable_is(hint));
		assert_int_equal(strlen(v.sqlstate), 5);
		assert_int_equal(strlen(verdict_words(&v).sqlstate), 5);
		assert_non_null(strstr(str_text(&v.detail), "incident 7f3a0c19."));
	}
	assert_string_equal(v.class, "wrong_password");
	assert_string_equal(str_text(&v.message), "red ?[31m line ??");
	assert_non_null(strstr(str_text(&v.hint), "\nThe server's own hint: h # evil"));
	verdict_fini(&v);
}

static void reports_without_some_fields_are_used_as_far_as_they_go(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *class, *sqlstate, *message;
	} cases[] = {
	    {"C28P01\0\0", 8, "wrong_password", "28P01", "server sent an error without a message"},
	    {"Mno code\0\0", 10, "server_refused", "08P01", "no code"},
	    {"C57P03\0Mcut of", 13, "not_yet_ready", "57P03", "cut o"},
	    {"C57P03", 6, "not_yet_ready", "57P03", "server sent an error without a message"},
	    {"C57P03x\0Mm\0\0", 12, "server_refused", "08P01", "m"},
	    {"C57p03\0Mm\0\0", 11, "server_refused", "08P01", "m"},
	    {"SSTRANGE\0Mm\0\0", 13, "server_refused", "08P01", "m"},
	    {"Mm\0\0behind it", 13, "server_refused", "08P01", "m"},
	    {"C28000\0Mrole \"x\" does not exist\0\0", 33, "role_missing", "28000", "role \"x\" does not exist"},
	    {"C28000\0Mit does not exist, role\0\0", 33, "server_refused", "28000", "it does not exist, role"},
	    {"M", 1, "server_refused", "08P01", "server sent an error without a message"},
	};
	struct verdict v;

	(void)state;
	verdict_init(&v);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		explain_bytes(cases[i].bytes, cases[i].len, &v);
		assert_string_equal(v.class, cases[i].class);
		assert_string_equal(v.sqlstate, cases[i].sqlstate);
		assert_string_equal(str_text(&v.message), cases[i].message);
	}
	verdict_fini(&v);
}

/* Clients choose them where a database or user may have any name. */
static void hostile_names_are_harmless_in_every_text(void **state)
{
	static const struct words missing = {"FATAL", "3D000", "no such thing", NULL, NULL},
	                          no_entry = {"FATAL", "28000", NO_ENTRY "SSL on", NULL, NULL};
	struct facts facts = {.database = "a\nb\"\\", .user = "x\033", .config_database = "c\r", .host = "h\nh"};
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	set_report(&f, PHASE_SETTLE, &missing);
	explain(&f, &facts, &v);
	assert_string_equal(str_text(&v.hint), "Correct dbname= of the [databases] entry \"c \", or on the server run: "
	                                       "CREATE DATABASE U&\"a\\000Ab\"\"\\\\\"");
	assert_true(printable_is(str_text(&v.detail)));
	set_report(&f, PHASE_STARTUP, &no_entry);
	explain(&f, &facts, &v);
	assert_string_equal(str_text(&v.hint),
	                    CHECK_HBA_FILE "# no line of pg_hba.conf can mean exactly this database and user\n"
	                                   "Then run: SELECT pg_reload_conf()");
	facts.user = facts.database = "/x";
	explain(&f, &facts, &v);
	assert_non_null(strstr(str_text(&v.hint), "\n# no line of"));
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	explain(&f, &facts, &v);
	assert_string_equal(str_text(&v.message), "could not connect to server at \"h h\": connection refused");
	failure_fini(&f);
	verdict_fini(&v);
}

static void a_line_that_needs_facts_says_so_without_them(void **state)
{
	struct facts facts = {.user = "app"};
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	failure_set(&f, PHASE_AUTH, DOMAIN_POOLER, FAILURE_AUTH_METHOD, "SSPI");
	explain(&f, &facts, &v);
	assert_non_null(strstr(str_text(&v.hint), "\n# host    DATABASE    USER    ADDRESS/32    scram-sha-256"));
	verdict_fini(&v);
}

/* ---- What is stored against what the server asks for ---- */

#define MD5_SECRET "md5a3556571e93b0d20722ba62be61e8c2d"
#define SCRAM_SECRET                                                                                                   \
	"SCRAM-SHA-256$4096:AQIDBA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"                                    \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* Asks like a server; the prover's failure, which is empty if it can go on. */
static void ask(struct prover *p, const char *body, size_t len, struct failure *why)
{
	struct str out;

	str_init(&out, 10000);
	(void)!prover_take(p, body, len, &out, why);
	str_fini(&out);
}

static void secrets_that_cannot_answer_are_named_with_two_ways_out(void **state)
{
	static const struct {
		const char *stored;
		enum stored_secret kind;
		const char *asks; /* an Authentication message */
		size_t len;
		bool forced_user;
		const char *class; /* NULL: it can answer */
		const char *detail, *one_way, *other_way;
	} cases[] = {
#define PASSWORD "\0\0\0\3", 4
#define MD5 "\0\0\0\5salt", 8
#define SASL "\0\0\0\12SCRAM-SHA-256\0\0", 19
	    {"x", STORED_PLAIN, PASSWORD, false, NULL, NULL, NULL, NULL},
	    {"x", STORED_PLAIN, MD5, false, NULL, NULL, NULL, NULL},
	    {"x", STORED_PLAIN, SASL, true, NULL, NULL, NULL, NULL},
	    {MD5_SECRET, STORED_MD5, MD5, false, NULL, NULL, NULL, NULL},
	    {MD5_SECRET, STORED_MD5, SASL, false, "wrong_secret",
	     "For user \"app\", an MD5 hash is stored, the server asks for SCRAM-SHA-256. It came from "
	     "/etc/userlist.txt:3.",
	     "Either store the plain password of \"app\" in /etc/userlist.txt:3, or ",
	     "put the server's own SCRAM verifier there and let clients log in by SCRAM (auth_type = "
	     "scram-sha-256): " COPY},
	    {MD5_SECRET, STORED_MD5, SASL, true, "wrong_secret", "an MD5 hash is stored",
	     "Either put the plain password of \"app\" as password= into the [databases] line \"store\" "
	     "(/etc/pgweir.ini:12), or ",
	     "remove user= from it and let clients log in by SCRAM"},
	    {SCRAM_SECRET, STORED_SCRAM, MD5, false, "wrong_secret",
	     "For user \"app\", a SCRAM verifier is stored, the server asks for an MD5 password.",
	     "Either store the plain password of \"app\" in /etc/userlist.txt:3, or ",
	     "SET password_encryption = 'scram-sha-256'; \\password \"app\"; " COPY},
	    {SCRAM_SECRET, STORED_SCRAM, SASL, false, "wrong_secret", "no client of this pool has logged in by SCRAM.",
	     "Either store the plain password of \"app\" in /etc/userlist.txt:3, or ", "set auth_type = scram-sha-256"},
	    {SCRAM_SECRET, STORED_SCRAM, SASL, true, "wrong_secret",
	     "user= of the [databases] line makes all clients log in as \"app\".",
	     "Either put the plain password of \"app\" as password= into the [databases] line \"store\" "
	     "(/etc/pgweir.ini:12), or ",
	     "remove user= from it"},
	    {NULL, STORED_NOTHING, PASSWORD, false, "no_password", "The server asks for a password.", "into auth_file",
	     "as password= into the [databases] line"},
	    {NULL, STORED_NOTHING, MD5, false, "no_password", "The server asks for an MD5 password.", "into auth_file",
	     "as password= into the [databases] line"},
	    {NULL, STORED_NOTHING, SASL, false, "no_password", "The server asks for SCRAM-SHA-256.", "into auth_file",
	     "as password= into the [databases] line"},
	};
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {1}, random[SCRAM_NONCE_BYTES] = {2};
	struct auth_context *ctx = auth_context_new(mock_key);

	(void)state;
	assert_non_null(ctx);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret *stored =
		    cases[i].stored == NULL ? NULL : secret_new(cases[i].stored, strlen(cases[i].stored));
		struct credentials with = {.user = "app", .secret = stored};
		struct prover *p = prover_new(ctx, &with, random);
		struct facts facts = tcp;
		struct failure f;
		struct verdict v;

		facts.stored = cases[i].kind;
		facts.forced_user = cases[i].forced_user;
		failure_init(&f);
		verdict_init(&v);
		ask(p, cases[i].asks, cases[i].len, &f);
		assert_int_equal(failure_is_set(&f), cases[i].class != NULL);
		if (cases[i].class != NULL) {
			explain(&f, &facts, &v);
			assert_string_equal(v.class, cases[i].class);
			assert_non_null(strstr(str_text(&v.detail), cases[i].detail));
			assert_non_null(strstr(str_text(&v.hint), cases[i].one_way));
			assert_non_null(strstr(str_text(&v.hint), cases[i].other_way));
			assert_null(strstr(str_text(&v.hint), MD5_SECRET));
			assert_null(strstr(str_text(&v.hint), SCRAM_SECRET));
		}
		verdict_fini(&v);
		failure_fini(&f);
		prover_free(p);
		secret_unref(stored);
	}
	auth_context_free(ctx);
}

static void secrets_that_are_not_the_servers_are_named_too(void **state)
{
	static const struct words wrong = {"FATAL", "28P01", "password authentication failed for user \"app\"", NULL,
	                                   NULL};
	struct facts facts = tcp;
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	failure_set(&f, PHASE_AUTH, DOMAIN_POOLER, FAILURE_AUTH_OTHER_SALT,
	            "the SCRAM verifier here has another salt than the server's");
	facts.stored = STORED_SCRAM;
	explain(&f, &facts, &v);
	assert_string_equal(v.class, "wrong_secret");
	assert_string_equal(
	    str_text(&v.hint),
	    "Either store the plain password of \"app\" in /etc/userlist.txt:3, or copy the server's own "
	    "verifier there: " COPY);
	set_report(&f, PHASE_AUTH, &wrong);
	explain(&f, &facts, &v);
	assert_true(verdict_is_wrong_password(&v));
	assert_non_null(strstr(str_text(&v.hint), "one made anew from the same password differs"));
	facts.stored = STORED_MD5;
	explain(&f, &facts, &v);
	assert_true(verdict_is_wrong_password(&v));
	assert_non_null(strstr(str_text(&v.detail), "The MD5 hash came from /etc/userlist.txt:3."));
	failure_fini(&f);
	verdict_fini(&v);
}

static void md5_is_in_the_line_if_nothing_else_is_stored(void **state)
{
	static const struct words words = {"FATAL", "28000", NO_ENTRY "no encryption", NULL, NULL};
	struct facts facts = tcp;
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	set_report(&f, PHASE_STARTUP, &words);
	facts.stored = STORED_MD5;
	explain(&f, &facts, &v);
	assert_non_null(strstr(str_text(&v.hint), "\nhost    shop    app    172.18.0.3/32    md5\n"));
	failure_fini(&f);
	verdict_fini(&v);
}

/* ---- Containers ---- */

static void hints_know_containers(void **state)
{
	const struct {
		int code;
		bool in_container;
		const char *host, *hint;
	} cases[] = {
	    {ECONNREFUSED, true, "127.0.0.1", "Inside this container"},
	    {ECONNREFUSED, false, "localhost", "pg_isready -h localhost"},
	    {ECONNREFUSED, true, "host.docker.internal", "an address that containers reach"},
	    {0, true, "host.docker.internal", "--add-host=host.docker.internal:host-gateway"},
	    {0, false, "host.docker.internal", "--add-host=host.docker.internal:host-gateway"},
	    {0, true, "database", "service.namespace"},
	    {0, false, "database", "getent hosts database"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct facts facts = {.host = cases[i].host, .port = 5432, .in_container = cases[i].in_container};
		struct failure f;
		struct verdict v;

		failure_init(&f);
		verdict_init(&v);
		if (cases[i].code != 0)
			failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, cases[i].code, NULL);
		else
			failure_set(&f, PHASE_RESOLVE, DOMAIN_GAI, -2, "Name or service not known");
		explain(&f, &facts, &v);
		assert_non_null(strstr(str_text(&v.hint), cases[i].hint));
		verdict_fini(&v);
	}
}

/* ---- Windows ---- */

#define PG16 "C:\\Program Files\\PostgreSQL\\16"

static void check_hint(const struct failure *f, const struct facts *facts, const char *has)
{
	struct verdict v;

	verdict_init(&v);
	explain(f, facts, &v);
	if (strstr(str_text(&v.hint), has) == NULL)
		print_error("\"%s\" is not in \"%s\"\n", has, str_text(&v.hint));
	assert_non_null(strstr(str_text(&v.hint), has));
	verdict_fini(&v);
}

static void hints_know_windows(void **state)
{
	static const struct facts plain = {.host = "db", .address = "10.0.0.5", .port = 5432},
	                          windows = {.host = "db", .address = "10.0.0.5", .port = 5432, .on_windows = true},
	                          local = {.host = "localhost", .address = "::1", .port = 5433, .on_windows = true},
	                          docker = {.host = "host.docker.internal",
	                                    .address = "192.168.65.254",
	                                    .port = 5432,
	                                    .in_container = true,
	                                    .below_windows = true};
	const struct {
		int code;
		const struct facts *facts;
		const char *hint;
	} cases[] = {
	    {ECONNREFUSED, &plain, "run \"pg_isready -h db -p 5432\""},
	    {ECONNREFUSED, &windows, "run \"Test-NetConnection db -Port 5432\""},
	    {ECONNREFUSED, &local, "\"Get-NetTCPConnection -State Listen -LocalPort 5433\""},
	    {ECONNREFUSED, &local, "\nRestart-Service postgresql-x64-<version>"},
	    {ECONNREFUSED, &docker, "PostgreSQL on the Windows machine outside"},
	    {ECONNREFUSED, &docker, "\nRestart-Service postgresql-x64-<version>"},
	    {EMFILE, &windows, "Windows has no room"},
	    {EADDRINUSE, &windows, "netsh int ipv4 show dynamicport tcp"},
	    {ENOBUFS, &windows, "netsh int ipv4 show dynamicport tcp"},
	    {ETIMEDOUT, &windows,
	     "\nNew-NetFirewallRule -DisplayName PostgreSQL -Direction Inbound -Protocol TCP "
	     "-LocalPort 5432 -Action Allow"},
	    {ETIMEDOUT, &docker, "\nNew-NetFirewallRule"},
	    {EHOSTUNREACH, &windows, "Find-NetRoute -RemoteIPAddress 10.0.0.5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct failure f;

		failure_init(&f);
		failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, cases[i].code, NULL);
		check_hint(&f, cases[i].facts, cases[i].hint);
	}
}

static void a_line_without_host_and_no_place_for_sockets_is_explained(void **state)
{
	static const struct facts without = {.database = "app", .config_place = "pgweir.ini:3"}, with = {.host = "db"};
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	failure_set(&f, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_NO_ADDRESS, NULL);
	check_hint(&f, &without, "Write host= into pgweir.ini:3: without it");
	check_hint(&f, &with, "Check the spelling of host=");
	verdict_init(&v);
	explain(&f, &without, &v);
	assert_string_equal(str_text(&v.message), "no host to connect to");
	assert_string_equal(v.class, "no_address");
	verdict_fini(&v);
}

static void a_socket_on_a_system_without_them_is_explained(void **state)
{
	struct facts facts = {.host = "C:/run", .is_unix = true, .config_place = "pgweir.ini:3", .on_windows = true};
	struct failure f;

	(void)state;
	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, EAFNOSUPPORT, NULL);
	check_hint(&f, &facts, "write host=127.0.0.1 in pgweir.ini:3.");
}

/* The line for pg_hba.conf, its place and the way to have it read. */
static void servers_on_windows_are_told_where_their_file_is(void **state)
{
	static const struct words words = {"FATAL", "28000", NO_ENTRY "no encryption", NULL, NULL};
	static const char source[] = "SFATAL\0C28000\0Mno pg_hba.conf entry for host \"172.18.0.3\", SSL on\0"
	                             "Fd:\\pginstaller_13.auto\\postgres.windows-x64\\src\\backend\\libpq\\auth.c\0";
	struct facts facts = tcp;
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	set_report(&f, PHASE_STARTUP, &words);
	facts.place = (struct server_place){.on_windows = true, .major = 16};
	check_hint(&f, &facts,
	           "(SHOW hba_file tells where it is; on Windows usually " PG16 "\\data\\pg_hba.conf):\n" ADMIT
	           "\nor, on Windows in PowerShell as administrator: & \"" PG16 "\\bin\\pg_ctl.exe\" reload -D \"" PG16
	           "\\data\"\n" NETWORK);
	/* without any evidence nothing of the kind is said */
	facts.place.on_windows = false;
	check_hint(&f, &facts, "(SHOW hba_file tells where it is):\n" ADMIT "\n" NETWORK);
	/* Docker Desktop on Windows */
	facts.below_windows = true;
	facts.host = "host.docker.internal";
	check_hint(&f, &facts, "on Windows usually " PG16 "\\data\\pg_hba.conf");
	/* a pooler on Windows beside its server */
	facts.below_windows = false;
	facts.on_windows = true;
	facts.host = facts.address = "127.0.0.1";
	facts.place.major = 0;
	check_hint(&f, &facts, "on Windows usually C:\\Program Files\\PostgreSQL\\<version>\\data\\pg_hba.conf");
	/* its own words show it */
	failure_set_report(&f, PHASE_STARTUP, source, sizeof(source));
	check_hint(&f, &tcp, "on Windows usually C:\\Program Files\\PostgreSQL\\13\\data\\pg_hba.conf");
	/* also when they are cut off */
	failure_set_report(&f, PHASE_STARTUP, source, sizeof(source) - 4);
	verdict_init(&v);
	explain(&f, &tcp, &v);
	assert_non_null(strstr(str_text(&v.hint), "\\PostgreSQL\\13\\"));
	verdict_fini(&v);
	failure_fini(&f);
}

static void addresses_that_were_translated_are_named(void **state)
{
	static const struct words words = {
	    "FATAL", "28000",
	    "no pg_hba.conf entry for host \"192.168.65.1\", user \"app\", database \"shop\", no encryption", NULL,
	    NULL};
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	set_report(&f, PHASE_STARTUP, &words);
	explain(&f, &tcp, &v);
	assert_memory_equal(
	    str_text(&v.detail),
	    "The server saw address 192.168.65.1, here it is 172.18.0.3: something between translates it, "
	    "as Docker Desktop and NAT do. Database ",
	    120);
	assert_non_null(strstr(str_text(&v.hint), "\nhost    shop    app    192.168.65.1/32    scram-sha-256\n"));
	assert_non_null(strstr(str_text(&v.hint), "\nhost    shop    app    192.168.65.0/24    scram-sha-256\n"));
	verdict_fini(&v);
	failure_fini(&f);
}

/* ---- No outages ---- */

static void waits_and_limits_have_classes_and_keep_the_classic_words(void **state)
{
	static const struct {
		enum failure_code code;
		const char *text, *class, *sqlstate, *message;
	} cases[] = {
	    {FAILURE_POOL_FULL, "", "query_wait_timeout", "53300", "query_wait_timeout"},
	    {FAILURE_DATABASE_FULL, "", "database_full", "53300", "query_wait_timeout"},
	    {FAILURE_USER_FULL, "", "user_full", "53300", "query_wait_timeout"},
	    {FAILURE_HOST_FULL, "", "host_full", "53300", "query_wait_timeout"},
	    {FAILURE_PROCESS_FULL, "", "process_full", "53300", "query_wait_timeout"},
	    {FAILURE_PAUSED, "by admin", "paused", "57P03", "query_wait_timeout"},
	    {FAILURE_DISABLED, "", "disabled", "57P03", "database \"store\" is disabled"},
	    {FAILURE_NO_DATABASE, "", "no_such_database", "3D000", "no such database: store"},
	    {FAILURE_DATABASE_CLIENTS, "", "database_clients", "53300",
	     "client connections exceeded (max_db_client_connections)"},
	    {FAILURE_USER_CLIENTS, "", "user_clients", "53300",
	     "client connections exceeded (max_user_client_connections)"},
	    {FAILURE_TOO_MANY_CLIENTS, "", "too_many_clients", "53300",
	     "no more connections allowed (max_client_conn)"},
	    {FAILURE_QUERY_TIMEOUT, "waiting", "query_timeout", "57014", "query_timeout"},
	    {FAILURE_QUERY_TIMEOUT, "", "query_timeout", "57014", "query timeout"},
	    {FAILURE_TRANSACTION_TIMEOUT, "", "transaction_timeout", "25P04", "transaction timeout"},
	    {FAILURE_IDLE_TRANSACTION_TIMEOUT, "", "idle_transaction_timeout", "25P03", "idle transaction timeout"},
	    {FAILURE_CLIENT_IDLE_TIMEOUT, "", "client_idle_timeout", "57P05", "client_idle_timeout"},
	    {FAILURE_CLIENT_LOGIN_TIMEOUT, "server down", "client_login_timeout", "08P01",
	     "client_login_timeout (server down)"},
	    {FAILURE_CLIENT_LOGIN_TIMEOUT, "", "client_login_timeout", "08P01", "client_login_timeout"},
	    {FAILURE_SHUTDOWN, "newcomer", "shutting_down", "57P03", "pooler is shutting down"},
	    {FAILURE_SHUTDOWN, "", "shutting_down", "57P01", "server shutting down"},
	    {FAILURE_DATABASE_REMOVED, "", "database_removed", "57P01", "database removed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct facts facts = {.database = "shop", .config_database = "store", .limits = "pool_size 20"};
		struct failure f;
		struct verdict v;

		failure_init(&f);
		verdict_init(&v);
		failure_set(&f, PHASE_NONE, DOMAIN_POOLER, (int)cases[i].code, cases[i].text);
		explain(&f, &facts, &v);
		assert_string_equal(v.class, cases[i].class);
		assert_int_equal(v.kind, VERDICT_NONE);
		assert_string_equal(v.sqlstate, "08P01");
		assert_string_equal(v.precise_sqlstate, cases[i].sqlstate);
		assert_string_equal(str_text(&v.message), cases[i].message);
		assert_non_null(strstr(str_text(&v.detail), "Database \"shop\"."));
		verdict_fini(&v);
	}
}

static void only_what_was_learned_before_the_login_is_shared(void **state)
{
	static const struct {
		enum failure_phase phase;
		enum verdict_scope scope;
	} cases[] = {{PHASE_NONE, SCOPE_POOL},   {PHASE_RESOLVE, SCOPE_NAME}, {PHASE_CONNECT, SCOPE_ADDRESS},
	             {PHASE_TLS, SCOPE_ADDRESS}, {PHASE_STARTUP, SCOPE_POOL}, {PHASE_AUTH, SCOPE_POOL},
	             {PHASE_SETTLE, SCOPE_POOL}, {PHASE_SESSION, SCOPE_POOL}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct facts nothing = {.port = 0};
		struct failure f;
		struct verdict v;

		failure_init(&f);
		verdict_init(&v);
		failure_set(&f, cases[i].phase, DOMAIN_POOLER, FAILURE_CLOSED, NULL);
		explain(&f, &nothing, &v);
		assert_int_equal(v.scope, cases[i].scope);
		verdict_fini(&v);
	}
}

static void verdicts_can_be_copied_and_made_into_words(void **state)
{
	struct facts nothing = {.port = 0};
	struct failure f;
	struct verdict v, copy;
	struct words words;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	verdict_init(&copy);
	failure_set(&f, PHASE_NONE, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
	explain(&f, &nothing, &v);
	verdict_copy(&copy, &v);
	verdict_fini(&v);
	words = verdict_words(&copy);
	assert_string_equal(words.severity, "FATAL");
	assert_string_equal(words.sqlstate, "08P01");
	assert_string_equal(words.message, "out of memory");
	assert_null(words.detail);
	assert_null(words.hint);
	assert_false(verdict_is_wrong_password(&copy));
	copy.class = "wrong_password";
	assert_true(verdict_is_wrong_password(&copy));
	verdict_fini(&copy);
}

static void explaining_without_memory_is_survived(void **state)
{
	struct failure f;

	(void)state;
	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	for (size_t n = 1; n < 20; n++) {
		struct verdict v, copy;

		verdict_init(&v);
		verdict_init(&copy);
		mem_until_failure = n;
		explain(&f, &tcp, &v);
		verdict_copy(&copy, &v);
		mem_until_failure = 0;
		assert_string_equal(v.class, "connection_refused");
		assert_true(strlen(verdict_words(&v).message) > 0);
		verdict_fini(&v);
		verdict_fini(&copy);
		assert_int_equal(mem_blocks, 0);
	}
}

static void what_auth_query_may_not_read_is_granted(void **state)
{
	static const struct {
		const char *message, *grant; /* NULL: none can be told */
	} cases[] = {
	    {"permission denied for table secrets", "GRANT SELECT ON secrets TO \"asker\""},
	    {"permission denied for view pg_shadow", "GRANT SELECT ON pg_shadow TO \"asker\""},
	    {"permission denied for relation old_name1", "GRANT SELECT ON old_name1 TO \"asker\""},
	    {"permission denied for schema private", "GRANT USAGE ON SCHEMA private TO \"asker\""},
	    {"permission denied for function secret_of", "GRANT EXECUTE ON FUNCTION secret_of TO \"asker\""},
	    {"permission denied for table x; DROP TABLE y", NULL},
	    {"permission denied for table ", NULL},
	    {"permission denied for table 1st", NULL},
	    {"permission denied for table Upper", NULL},
	    {"keine Berechtigung", NULL},
	};
	struct facts facts = {.database = "app",
	                      .user = "asker",
	                      .auth_query = "SELECT a, b FROM c WHERE a = $1",
	                      .runs_auth_query = true};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct words words = {"ERROR", "42501", cases[i].message, NULL, NULL};
		char front[200];
		struct failure f;
		struct verdict v;

		failure_init(&f);
		verdict_init(&v);
		set_report(&f, PHASE_LOOKUP, &words);
		explain(&f, &facts, &v);
		assert_string_equal(v.class, "auth_query_denied");
		assert_int_equal(v.scope, SCOPE_POOL);
		snprintf(front, sizeof(front),
		         "On the server, in database \"app\", run: %s\nThe user \"asker\" in auth_user must",
		         cases[i].grant == NULL ? "" : cases[i].grant);
		if (cases[i].grant == NULL)
			assert_memory_equal(str_text(&v.hint), "The user \"asker\" in auth_user must", 30);
		else
			assert_memory_equal(str_text(&v.hint), front, strlen(front));
		assert_string_equal(
		    str_text(&v.detail),
		    "auth_query: SELECT a, b FROM c WHERE a = $1. This user is auth_user: it runs auth_query "
		    "for clients that log in. Database \"app\", user \"asker\", phase \"auth_query\".");
		failure_fini(&f);
		verdict_fini(&v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_system_says_is_explained),
	    cmocka_unit_test(what_we_noticed_ourselves_is_explained),
	    cmocka_unit_test(what_the_server_says_is_kept_and_explained),
	    cmocka_unit_test(every_row_is_reached_by_what_it_is_for),
	    cmocka_unit_test(rows_have_what_their_columns_say),
	    cmocka_unit_test(facts_that_are_not_known_are_left_out),
	    cmocka_unit_test(servers_own_detail_and_hint_are_added),
	    cmocka_unit_test(unreadable_reports_are_still_explained),
	    cmocka_unit_test(long_texts_are_kept_to_the_bound_and_say_where_they_were_cut),
	    cmocka_unit_test(hostile_reports_become_one_printable_line_each),
	    cmocka_unit_test(reports_without_some_fields_are_used_as_far_as_they_go),
	    cmocka_unit_test(hostile_names_are_harmless_in_every_text),
	    cmocka_unit_test(a_line_that_needs_facts_says_so_without_them),
	    cmocka_unit_test(secrets_that_cannot_answer_are_named_with_two_ways_out),
	    cmocka_unit_test(secrets_that_are_not_the_servers_are_named_too),
	    cmocka_unit_test(md5_is_in_the_line_if_nothing_else_is_stored),
	    cmocka_unit_test(hints_know_containers),
	    cmocka_unit_test(hints_know_windows),
	    cmocka_unit_test(a_line_without_host_and_no_place_for_sockets_is_explained),
	    cmocka_unit_test(a_socket_on_a_system_without_them_is_explained),
	    cmocka_unit_test(servers_on_windows_are_told_where_their_file_is),
	    cmocka_unit_test(addresses_that_were_translated_are_named),
	    cmocka_unit_test(waits_and_limits_have_classes_and_keep_the_classic_words),
	    cmocka_unit_test(only_what_was_learned_before_the_login_is_shared),
	    cmocka_unit_test(verdicts_can_be_copied_and_made_into_words),
	    cmocka_unit_test(explaining_without_memory_is_survived),
	    cmocka_unit_test(what_auth_query_may_not_read_is_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
