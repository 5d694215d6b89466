package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/treatyfed/treaty/core/fault"
)

// querier runs statements: a database (each statement by itself) or a transaction.
type querier interface {
	// each calls row for every row of a reading statement. In a transaction, row must not query.
	each(ctx context.Context, text string, args []any, row func(*sql.Rows) error) error
	// exec runs a writing statement and counts the rows it wrote.
	exec(ctx context.Context, text string, args ...any) (int64, error)
}

// database is SQLite or PostgreSQL.
type database interface {
	querier
	// tx runs f in a transaction, once more when the database gave up on it for another's sake; f must
	// have no other effect.
	tx(ctx context.Context, f func(q querier) error) error
	// migration runs f in a transaction that no other process's migration overlaps.
	migration(ctx context.Context, f func(m migrator) error) error
	// freeze keeps other writers from the tables until the transaction ends.
	freeze(ctx context.Context, q querier, tables []string) error
	// aside is the same database for tables that no cache holds.
	aside() database
	close() error
}

// migrator is a transaction that may run scripts.
type migrator interface {
	querier
	// script runs statements of the schema, written for PostgreSQL, in this database's words.
	script(ctx context.Context, text string) error
}

// scanner makes a T of one row.
type scanner[T any] func(*sql.Rows) (T, error)

// one returns the first row of a reading statement, fault.NotFound when there is none.
func one[T any](ctx context.Context, q querier, op string, scan scanner[T], text string, args ...any) (out T, err error) {
	found := false
	err = q.each(ctx, text, args, func(r *sql.Rows) (err error) {
		if !found {
			found = true
			out, err = scan(r)
		}
		return err
	})
	switch {
	case err != nil && !errors.Is(err, errText):
		return out, failed(op, args, err)
	case !found: // also what no column can hold
		return out, fault.New(fault.NotFound, described(op, args), "")
	}
	return out, nil
}

// list returns every row of a reading statement, never nil.
func list[T any](ctx context.Context, q querier, op string, scan scanner[T], text string, args ...any) ([]T, error) {
	out := []T{}
	err := q.each(ctx, text, args, func(r *sql.Rows) error {
		v, err := scan(r)
		out = append(out, v)
		return err
	})
	if err != nil && !errors.Is(err, errText) {
		return nil, failed(op, args, err)
	}
	return out, nil
}

// must runs a writing statement that is to touch a row: fault.NotFound when it touches none.
func must(ctx context.Context, q querier, op, text string, args ...any) error {
	n, err := q.exec(ctx, text, args...)
	if err == nil && n == 0 {
		return fault.New(fault.NotFound, op, "")
	}
	return failed(op, nil, err)
}

// write runs a writing statement.
func write(ctx context.Context, q querier, op, text string, args ...any) error {
	_, err := q.exec(ctx, text, args...)
	return failed(op, nil, err)
}

// swap runs an update that holds only for the version that was read: fault.Conflict when the row has
// another one, fault.NotFound when it is gone. exists selects the row by its keys, whatever its version.
func swap(ctx context.Context, q querier, op, exists string, keys []any, text string, args ...any) error {
	n, err := q.exec(ctx, text, args...)
	if err != nil || n > 0 {
		return failed(op, nil, err)
	}
	if _, err := one(ctx, q, op, scanInt, exists, keys...); err != nil {
		return err
	}
	return fault.New(fault.Conflict, op, "version")
}

func scanInt(r *sql.Rows) (n int64, err error)     { return n, r.Scan(&n) }
func scanString(r *sql.Rows) (s string, err error) { return s, r.Scan(&s) }

// scanDoc makes a T of the one column doc.
func scanDoc[T any](r *sql.Rows) (v T, err error) {
	var doc string
	if err = r.Scan(&doc); err == nil {
		err = json.Unmarshal([]byte(doc), &v)
	}
	return v, err
}

// document is the doc column of v.
func document(op string, v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), fault.Wrap(fault.Invalid, op, err)
}

// micros is a time as it is kept in a column: microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant undoes micros.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// page is the limit of a list: SQLite would take a negative one for none.
func page(limit int) int { return max(limit, 0) }

// folded is a key that is compared in any case.
func folded(s string) string { return strings.ToLower(s) }

// errText is a text that no column can hold.
var errText = errors.New("text holds a zero byte or is not UTF-8")

// texts refuses what PostgreSQL cannot keep in a text and SQLite would cut, so that both answer alike.
func texts(args []any) error {
	for _, a := range args {
		if s, ok := a.(string); ok && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
			return errText
		}
	}
	return nil
}

// described names what a read asked for: the operation and its text keys.
func described(op string, args []any) string {
	for _, a := range args {
		if s, ok := a.(string); ok {
			op += fmt.Sprintf(" %q", s)
		}
	}
	return op
}
