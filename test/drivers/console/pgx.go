// The console by pgx as it is without options: statements are prepared and kept, results come in binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

func check(holds bool, what ...interface{}) {
	if !holds {
		fmt.Fprintln(os.Stderr, what...)
		os.Exit(1)
	}
}

func must(err error) { check(err == nil, err) }

func values(c *pgx.Conn, sql string) (all [][]interface{}) {
	rows, err := c.Query(context.Background(), sql)
	must(err)
	defer rows.Close()
	for rows.Next() {
		row, err := rows.Values()
		must(err)
		all = append(all, row)
	}
	must(rows.Err())
	return
}

func main() {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, "")
	must(err)
	must(c.Ping(ctx))
	for i := 0; i < 3; i++ {
		check(values(c, "SHOW VERSION")[0][0] == "PgBouncer 1.26.1", "version")
		lists := values(c, "SHOW LISTS")
		check(lists[0][0] == "databases" && lists[0][1] == int32(3), lists)
		check(len(values(c, "SHOW STATS")) > 0, "stats")
		check(len(values(c, "SHOW SERVERS")) == 0, "servers")
	}
	_, err = c.Exec(ctx, "PAUSE second")
	must(err)
	_, err = c.Exec(ctx, "RESUME second")
	must(err)
	_, err = c.Exec(ctx, "nonsense")
	var e *pgconn.PgError
	check(errors.As(err, &e) && e.Code == "08P01" && e.Message == "invalid command 'nonsense', use SHOW HELP;", err)
	must(c.Ping(ctx))
	must(c.Close(ctx))
	fmt.Println("done")
}
