package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/treatyfed/treaty/core/fault"
)

// postgres is a database that several replicas share. pgx keeps prepared statements by their text.
// Transactions run in read committed, PostgreSQL's default: what must not change under one is locked by
// an update that changes nothing.
type postgres struct{ pool *sql.DB }

func openPostgres(ctx context.Context, dsn string, connections int) (database, error) {
	if _, err := pgx.ParseConfig(dsn); err != nil {
		return nil, fault.Wrap(fault.Invalid, "open store", err) // pgconn leaves the password out of this error
	}
	pool, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "open store", err)
	}
	if connections <= 0 {
		connections = 16
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fault.Wrap(fault.Unavailable, "open store", err), pool.Close())
	}
	return &postgres{pool}, nil
}

func (d *postgres) aside() database { return d }

func (d *postgres) close() error { return d.pool.Close() }

func (d *postgres) each(ctx context.Context, text string, args []any, row func(*sql.Rows) error) error {
	if err := texts(args); err != nil {
		return err
	}
	rows, err := d.pool.QueryContext(ctx, text, args...)
	return drain(rows, err, row)
}

func (d *postgres) exec(ctx context.Context, text string, args ...any) (int64, error) {
	if err := texts(args); err != nil {
		return 0, err
	}
	var n int64
	err := persist(func() (err error) {
		n, err = affected(d.pool.ExecContext(ctx, text, args...))
		return err
	})
	return n, err
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// attempts bounds how often a statement or a transaction is run again after a deadlock.
const attempts = 8

func (d *postgres) tx(ctx context.Context, f func(q querier) error) error {
	return persist(func() error {
		return d.transact(ctx, func(t *postgresTx) error { return f(t) })
	})
}

// persist runs what the database does whole or not at all, again after a deadlock, and once more after a
// key was found taken.
func persist(run func() error) error {
	hadTaken := false
	for n := 1; ; n++ {
		err := run()
		if n == attempts || !again(err) && (hadTaken || !taken(err)) {
			return err
		}
		hadTaken = hadTaken || taken(err)
	}
}

// taken reports whether a unique key was found to be another row's. It is worth one more try: "on conflict"
// looks at one key only, so when two replicas put the same new row the later one may trip over another of
// its keys ("INSERT", the conflict target). The second time the row is there to be replaced.
func taken(err error) bool {
	var pg sqlState
	return errors.As(err, &pg) && pg.SQLState() == pgUnique
}

// migrationLock is the advisory lock under which replicas that start together migrate one by one.
const migrationLock = 0x7ea7_0001

func (d *postgres) migration(ctx context.Context, f func(m migrator) error) error {
	return d.transact(ctx, func(t *postgresTx) error {
		if _, err := t.exec(ctx, `select pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
			return err
		}
		return f(t)
	})
}

func (d *postgres) freeze(ctx context.Context, q querier, tables []string) error {
	_, err := q.exec(ctx, `lock table `+strings.Join(tables, ", ")+` in share row exclusive mode`)
	return err
}

func (d *postgres) transact(ctx context.Context, f func(t *postgresTx) error) error {
	tx, err := d.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	if err := f(&postgresTx{tx}); err != nil {
		return err
	}
	return tx.Commit()
}

type postgresTx struct{ tx *sql.Tx }

func (t *postgresTx) each(ctx context.Context, text string, args []any, row func(*sql.Rows) error) error {
	if err := texts(args); err != nil {
		return err
	}
	rows, err := t.tx.QueryContext(ctx, text, args...)
	return drain(rows, err, row)
}

func (t *postgresTx) exec(ctx context.Context, text string, args ...any) (int64, error) {
	if err := texts(args); err != nil {
		return 0, err
	}
	return affected(t.tx.ExecContext(ctx, text, args...))
}

func (t *postgresTx) script(ctx context.Context, text string) error {
	_, err := t.tx.ExecContext(ctx, text, pgx.QueryExecModeSimpleProtocol) // several statements in one
	return err
}

// constraintColumn is the last column of the unique key that PostgreSQL names: indexes are named
// TABLE_COLUMN, primary keys TABLE_pkey.
func constraintColumn(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}
	column := strings.TrimPrefix(pg.ConstraintName, pg.TableName+"_")
	if column == "pkey" {
		return primaryReason(pg.TableName)
	}
	return column
}

// primaryReason is the last column of a table's primary key.
func primaryReason(table string) string {
	switch table {
	case "identity_login":
		return "login_user"
	case "tenant_name", "service_principal_name", "issuer", "machine":
		return "name"
	case "resource":
		return "path"
	}
	return "id"
}
