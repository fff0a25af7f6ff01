package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lib/pq"
)

var table = os.Getenv("TABLE")

func check(holds bool, what ...interface{}) {
	if !holds {
		fmt.Fprintln(os.Stderr, what...)
		os.Exit(1)
	}
}

func must(err error) { check(err == nil, err) }

func number(db *sql.DB, text string) (n int) {
	must(db.QueryRow(text).Scan(&n))
	return
}

func sqlstate(err error) string {
	var e *pq.Error
	if errors.As(err, &e) {
		return string(e.Code)
	}
	return fmt.Sprint(err)
}

func prepared(db *sql.DB) {
	plus, err := db.Prepare("SELECT $1::int + 1")
	must(err)
	for i := 0; i < 20; i++ {
		var sum int
		t, err := db.Begin()
		must(err)
		must(t.Stmt(plus).QueryRow(i).Scan(&sum))
		check(sum == i+1, "a wrong sum")
		must(t.Commit())
		must(plus.QueryRow(i).Scan(&sum))
		check(sum == i+1, "a wrong sum")
	}
	must(plus.Close())
}

func transaction(db *sql.DB) {
	for round := 0; round < 2; round++ {
		t, err := db.Begin()
		must(err)
		for i := 0; i < 100; i++ {
			_, err = t.Exec("INSERT INTO "+table+" VALUES ($1, $2)", i, "row")
			must(err)
		}
		if round == 0 {
			must(t.Commit())
		} else {
			must(t.Rollback())
		}
	}
	check(number(db, "SELECT count(*) FROM "+table) == 100, "rows were lost or stayed")
}

func big(db *sql.DB) {
	rows, err := db.Query("SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n")
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

// The driver has COPY in only.
func copying(db *sql.DB) {
	t, err := db.Begin()
	must(err)
	in, err := t.Prepare(pq.CopyIn(table, "n", "t"))
	must(err)
	for i := 0; i < 5000; i++ {
		_, err = in.Exec(1000+i, "copied")
		must(err)
	}
	_, err = in.Exec()
	must(err)
	must(in.Close())
	must(t.Commit())
	check(number(db, "SELECT count(*) FROM "+table+" WHERE t = 'copied'") == 5000, "not all went in")
}

func cancel(db *sql.DB) {
	hurry, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	_, err := db.ExecContext(hurry, "SELECT pg_advisory_lock(7)")
	check(sqlstate(err) == "57014", sqlstate(err))
	check(number(db, "SELECT 7") == 7, "it does not go on")
}

func main() {
	db, err := sql.Open("postgres", "sslmode=disable")
	must(err)
	_, err = db.Exec("CREATE TABLE " + table + " (n int, t text)")
	must(err)
	prepared(db)
	transaction(db)
	_, err = db.Exec("SELECT 1/0")
	check(sqlstate(err) == "22012", sqlstate(err))
	check(number(db, "SELECT 1") == 1, "it does not go on")
	big(db)
	copying(db)
	cancel(db)
	_, err = db.Exec("DROP TABLE " + table)
	must(err)
	fmt.Println("prepared transaction error big copy cancel")
}
