#include <pthread.h>
#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SQLHDBC db;

static void check(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static SQLHSTMT statement(void)
{
	SQLHSTMT s;

	check(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, db, &s)), "no statement");
	return s;
}

static void state_of(SQLSMALLINT kind, SQLHANDLE of, char state[6])
{
	SQLCHAR text[500] = "";
	SQLINTEGER code;
	SQLSMALLINT len;

	SQLGetDiagRec(kind, of, 1, (SQLCHAR *)state, &code, text, sizeof(text), &len);
	fprintf(stderr, "%s %s\n", state, (char *)text);
}

static void run(const char *sql)
{
	SQLHSTMT s = statement();
	char state[6] = "";

	if (!SQL_SUCCEEDED(SQLExecDirect(s, (SQLCHAR *)sql, SQL_NTS))) {
		state_of(SQL_HANDLE_STMT, s, state);
		check(0, sql);
	}
	SQLFreeHandle(SQL_HANDLE_STMT, s);
}

static long number(const char *sql)
{
	SQLHSTMT s = statement();
	SQLINTEGER n = -1;

	check(SQL_SUCCEEDED(SQLExecDirect(s, (SQLCHAR *)sql, SQL_NTS)) && SQL_SUCCEEDED(SQLFetch(s)), sql);
	SQLGetData(s, 1, SQL_C_SLONG, &n, 0, NULL);
	SQLFreeHandle(SQL_HANDLE_STMT, s);
	return n;
}

static void commits(int automatic)
{
	SQLSetConnectAttr(db, SQL_ATTR_AUTOCOMMIT,
	                  (SQLPOINTER)(size_t)(automatic ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF), 0);
}

static void prepared(void)
{
	SQLHSTMT s = statement();
	SQLINTEGER n, sum;

	check(SQL_SUCCEEDED(SQLPrepare(s, (SQLCHAR *)"SELECT ?::int + 1", SQL_NTS)), "not prepared");
	SQLBindParameter(s, 1, SQL_PARAM_INPUT, SQL_C_SLONG, SQL_INTEGER, 0, 0, &n, 0, NULL);
	for (n = 0; n < 20; n++) {
		check(SQL_SUCCEEDED(SQLExecute(s)) && SQL_SUCCEEDED(SQLFetch(s)), "not executed");
		SQLGetData(s, 1, SQL_C_SLONG, &sum, 0, NULL);
		check(sum == n + 1, "a wrong sum");
		SQLCloseCursor(s);
		commits(n % 3 == 0);
	}
	commits(1);
	SQLFreeHandle(SQL_HANDLE_STMT, s);
}

static void transaction(const char *table)
{
	char sql[200];

	commits(0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(sql, sizeof(sql), "INSERT INTO %s VALUES (%d, 'row')", table, i);
			run(sql);
		}
		SQLEndTran(SQL_HANDLE_DBC, db, round == 0 ? SQL_COMMIT : SQL_ROLLBACK);
	}
	commits(1);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	check(number(sql) == 100, "rows were lost or stayed");
}

static void error(void)
{
	SQLHSTMT s = statement();
	char state[6] = "";

	check(!SQL_SUCCEEDED(SQLExecDirect(s, (SQLCHAR *)"SELECT 1/0", SQL_NTS)), "no error");
	state_of(SQL_HANDLE_STMT, s, state);
	check(strcmp(state, "22012") == 0, "another SQLSTATE");
	SQLFreeHandle(SQL_HANDLE_STMT, s);
	check(number("SELECT 1") == 1, "it does not go on");
}

static void big(void)
{
	SQLHSTMT s = statement();
	SQLINTEGER n;
	SQLLEN len;
	char text[300];
	int rows = 0;

	check(SQL_SUCCEEDED(
	          SQLExecDirect(s, (SQLCHAR *)"SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n", SQL_NTS)),
	      "no rows");
	while (SQL_SUCCEEDED(SQLFetch(s))) {
		SQLGetData(s, 1, SQL_C_SLONG, &n, 0, NULL);
		SQLGetData(s, 2, SQL_C_CHAR, text, sizeof(text), &len);
		check(n == ++rows && len == 200, "a row is broken");
	}
	check(rows == 20000, "rows are missing");
	SQLFreeHandle(SQL_HANDLE_STMT, s);
}

struct running {
	SQLHSTMT statement;
	char sql[200];
	int succeeds;
};

static void *run_beside(void *arg)
{
	struct running *r = (struct running *)arg;

	r->succeeds = SQL_SUCCEEDED(SQLExecDirect(r->statement, (SQLCHAR *)r->sql, SQL_NTS));
	return NULL;
}

static void cancel(const char *table, SQLHDBC watch)
{
	SQLHDBC ours = db;
	struct running r = {.statement = statement()};
	char seen[300], state[6] = "";
	pthread_t thread;

	snprintf(r.sql, sizeof(r.sql), "SELECT pg_advisory_lock(7) AS %s", table);
	snprintf(seen, sizeof(seen), "SELECT count(*) FROM pg_stat_activity WHERE query = '%s'", r.sql);
	check(pthread_create(&thread, NULL, run_beside, &r) == 0, "no thread");
	db = watch;
	while (number(seen) == 0)
		continue;
	db = ours;
	check(SQL_SUCCEEDED(SQLCancel(r.statement)), "not cancelled");
	pthread_join(thread, NULL);
	check(!r.succeeds, "not ended by it");
	state_of(SQL_HANDLE_STMT, r.statement, state);
	check(strcmp(state, "57014") == 0, "another SQLSTATE");
	SQLFreeHandle(SQL_HANDLE_STMT, r.statement);
	check(number("SELECT 7") == 7, "it does not go on");
}

static SQLHDBC connected(SQLHENV env)
{
	char line[500], state[6] = "";
	SQLHDBC made;

	SQLAllocHandle(SQL_HANDLE_DBC, env, &made);
	snprintf(line, sizeof(line),
	         "Driver={PostgreSQL Unicode};Servername=%s;Port=%s;Database=%s;UID=%s;PWD=%s;UseServerSidePrepare=1;",
	         getenv("PGHOST"), getenv("PGPORT"), getenv("PGDATABASE"), getenv("PGUSER"), getenv("PGPASSWORD"));
	if (!SQL_SUCCEEDED(
	        SQLDriverConnect(made, NULL, (SQLCHAR *)line, SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT))) {
		state_of(SQL_HANDLE_DBC, made, state);
		exit(1);
	}
	return made;
}

int main(void)
{
	char line[500];
	const char *table = getenv("TABLE");
	SQLHENV env;
	SQLHDBC watch;

	SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env);
	SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
	db = connected(env);
	watch = connected(env);
	snprintf(line, sizeof(line), "CREATE TABLE %s (n int, t text)", table);
	run(line);
	prepared();
	transaction(table);
	error();
	big();
	cancel(table, watch);
	snprintf(line, sizeof(line), "DROP TABLE %s", table);
	run(line);
	SQLDisconnect(watch);
	SQLDisconnect(db);
	puts("prepared transaction error big cancel");
	return 0;
}
