package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

var table = os.Getenv("TABLE")
var ctx = context.Background()

func check(holds bool, what ...interface{}) {
	if !holds {
		fmt.Fprintln(os.Stderr, what...)
		os.Exit(1)
	}
}

func must(err error) { check(err == nil, err) }

func number(c *pgx.Conn, sql string) (n int) {
	must(c.QueryRow(ctx, sql).Scan(&n))
	return
}

func sqlstate(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

// The driver prepares every statement by name and keeps it.
func prepared(c *pgx.Conn) {
	for i := 0; i < 20; i++ {
		var sum int
		if i%3 == 0 {
			t, err := c.Begin(ctx)
			must(err)
			must(t.QueryRow(ctx, "SELECT $1::int + 1", i).Scan(&sum))
			must(t.Commit(ctx))
		} else {
			must(c.QueryRow(ctx, "SELECT $1::int + 1", i).Scan(&sum))
		}
		check(sum == i+1, "a wrong sum")
	}
}

func transaction(c *pgx.Conn) {
	for round := 0; round < 2; round++ {
		t, err := c.Begin(ctx)
		must(err)
		b := &pgx.Batch{}
		for i := 0; i < 100; i++ {
			b.Queue("INSERT INTO "+table+" VALUES ($1, $2)", i, "row")
		}
		must(t.SendBatch(ctx, b).Close())
		if round == 0 {
			must(t.Commit(ctx))
		} else {
			must(t.Rollback(ctx))
		}
	}
	check(number(c, "SELECT count(*) FROM "+table) == 100, "rows were lost or stayed")
}

func big(c *pgx.Conn) {
	rows, err := c.Query(ctx, "SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n")
	must(err)
	seen := 0
	for rows.Next() {
		var n int
		var text string
		must(rows.Scan(&n, &text))
		seen++
		check(n == seen && len(text) == 200, "a row is broken")
	}
	must(rows.Err())
	check(seen == 20000, "rows are missing")
}

func copying(c *pgx.Conn) {
	var in [][]interface{}
	for i := 0; i < 5000; i++ {
		in = append(in, []interface{}{int32(1000 + i), "copied"})
	}
	n, err := c.CopyFrom(ctx, pgx.Identifier{table}, []string{"n", "t"}, pgx.CopyFromRows(in))
	must(err)
	check(n == 5000, "not all went in")
	var out strings.Builder
	_, err = c.PgConn().CopyTo(ctx, &out, "COPY (SELECT t FROM "+table+" WHERE n >= 1000) TO STDOUT")
	must(err)
	check(out.String() == strings.Repeat("copied\n", 5000), "COPY OUT is not what went in")
}

// A context that ends closes the connection in this driver: the request is sent as libpq does.
func cancel(c *pgx.Conn) {
	go func() {
		other, err := pgx.Connect(ctx, "")
		must(err)
		for number(other, "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_advisory_lock(7)::text AS "+table+"'") == 0 {
		}
		must(c.PgConn().CancelRequest(ctx))
		must(other.Close(ctx))
	}()
	_, err := c.Exec(ctx, "SELECT pg_advisory_lock(7)::text AS "+table)
	check(sqlstate(err) == "57014", sqlstate(err))
	check(number(c, "SELECT 7") == 7, "it does not go on")
	hurry, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	_, err = c.Exec(hurry, "SELECT pg_advisory_lock(7)")
	check(err != nil, "no error")
}

func main() {
	c, err := pgx.Connect(ctx, "")
	must(err)
	_, err = c.Exec(ctx, "CREATE TABLE "+table+" (n int, t text)")
	must(err)
	prepared(c)
	transaction(c)
	_, err = c.Exec(ctx, "SELECT 1/0")
	check(sqlstate(err) == "22012", sqlstate(err))
	check(number(c, "SELECT 1") == 1, "it does not go on")
	big(c)
	copying(c)
	_, err = c.Exec(ctx, "DROP TABLE "+table)
	must(err)
	cancel(c)
	fmt.Println("prepared transaction error big copy cancel")
}
