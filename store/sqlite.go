package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/treatyfed/treaty/core/fault"
)

// sqlite is a database in this process. One connection writes, under the turn; readers have a pool of
// their own (WAL lets them go on beside the writer). In memory there is one connection for everything,
// because the rows are that connection's. Statements are prepared once and stay. They take microseconds,
// so a context is looked at before one starts, while waiting for the turn, but not within: a driver that
// watches a context for each statement costs more than the statement.
type sqlite struct {
	pool    *sql.DB // of readers; nil in memory
	prepare sync.Map
	writer  *sql.DB
	turn    chan struct{}
	conn    *sql.Conn
	own     map[string]*sql.Stmt // the writer's, under the turn
	mind    cache
	reading sync.RWMutex // held by each reader of the pool: close waits for all, as the pool's own Close does not
	cleanup func() error
	file    string // the database's; "" in memory
}

// pragmas, for each connection: SQLite documentation "PRAGMA Statements". With WAL and NORMAL a commit
// is in the file before it is acknowledged and survives the process; only a power cut may take the last ones.
var pragmas = []string{"busy_timeout(5000)", "foreign_keys(1)", "synchronous(NORMAL)", "temp_store(MEMORY)", "wal_autocheckpoint(4000)", "cache_size(-8000)"}

func openSQLiteMemory(ctx context.Context) (database, error) {
	d, err := connectSQLite(ctx, "file::memory:", "", 0, nil)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func openSQLiteTemporary(ctx context.Context, readers int) (database, error) {
	dir, err := os.MkdirTemp("", "treaty-store-")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open store", err)
	}
	db, err := openSQLite(ctx, filepath.Join(dir, "treaty.db"), readers, func() error { return os.RemoveAll(dir) })
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return db, nil
}

func openSQLiteFile(ctx context.Context, name string, readers int) (database, error) {
	return openSQLite(ctx, name, readers, nil)
}

func openSQLite(ctx context.Context, name string, readers int, cleanup func() error) (database, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "open store", err)
	}
	// SQLite gives -wal and -shm the mode of the database file; made here, so that no umask opens it to others.
	f, err := os.OpenFile(abs, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open store", err)
	}
	if err := f.Close(); err != nil {
		return nil, fault.Wrap(fault.Internal, "open store", err)
	}
	// The cache holds only while this Store sees every write to the file.
	release, err := lockFile(abs+"-lock", "open store "+abs, "stop that one or name another file")
	if err != nil {
		return nil, err
	}
	if readers <= 0 {
		readers = 4
	}
	path := filepath.ToSlash(abs)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter: file:///C:/…
	}
	db, err := connectSQLite(ctx, "file:"+(&url.URL{Path: path}).EscapedPath(), "journal_mode(WAL)", readers, func() error {
		err := release()
		if cleanup != nil {
			err = errors.Join(err, cleanup())
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, release())
	}
	db.file = abs
	return db, nil
}

func connectSQLite(ctx context.Context, file, journal string, readers int, cleanup func() error) (*sqlite, error) {
	query := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	if journal != "" {
		query["_pragma"] = append([]string{journal}, pragmas...)
	}
	d := &sqlite{turn: make(chan struct{}, 1), own: map[string]*sql.Stmt{}, cleanup: cleanup}
	var err error
	if d.writer, err = sql.Open("sqlite", file+"?"+query.Encode()); err != nil {
		return nil, fault.Wrap(fault.Internal, "open store", err)
	}
	d.writer.SetMaxOpenConns(1)
	if d.conn, err = d.writer.Conn(ctx); err != nil {
		return nil, errors.Join(fault.Wrap(fault.Internal, "open store", err), d.writer.Close())
	}
	if readers == 0 {
		return d, nil
	}
	query["_pragma"] = append([]string{"query_only(1)"}, pragmas...)
	if d.pool, err = sql.Open("sqlite", file+"?"+query.Encode()); err != nil {
		return nil, errors.Join(fault.Wrap(fault.Internal, "open store", err), d.close())
	}
	d.pool.SetMaxOpenConns(readers)
	d.pool.SetMaxIdleConns(readers)
	return d, nil
}

func (d *sqlite) close() error {
	var errs []error
	d.turn <- struct{}{} // after the last writer; who comes later finds no statements
	defer d.leave()
	if d.own == nil { // closed before
		return nil
	}
	d.reading.Lock()
	defer d.reading.Unlock()
	if d.pool != nil {
		d.prepare.Range(func(_, s any) bool { errs = append(errs, s.(*sql.Stmt).Close()); return true })
		errs = append(errs, d.pool.Close())
	}
	for _, s := range d.own {
		errs = append(errs, s.Close())
	}
	d.own = nil
	errs = append(errs, d.conn.Close(), d.writer.Close())
	if d.cleanup != nil {
		errs = append(errs, d.cleanup())
	}
	return errors.Join(errs...)
}

// take waits for the writer's turn; the caller gives it back with leave.
func (d *sqlite) take(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *sqlite) leave() { <-d.turn }

func (d *sqlite) each(ctx context.Context, text string, args []any, row func(*sql.Rows) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := texts(args); err != nil {
		return err
	}
	if d.pool == nil {
		if err := d.take(ctx); err != nil {
			return err
		}
		defer d.leave()
		return (*sqliteTx)(d).each(ctx, text, args, row)
	}
	d.reading.RLock()
	defer d.reading.RUnlock()
	quiet := context.WithoutCancel(ctx)
	stmt, err := d.reader(quiet, text)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(quiet, args...)
	return drain(rows, err, row)
}

// reader prepares a statement for the pool of readers, once.
func (d *sqlite) reader(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := d.prepare.Load(text); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := d.pool.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if first, loaded := d.prepare.LoadOrStore(text, s); loaded {
		return first.(*sql.Stmt), s.Close()
	}
	return s, nil
}

func (d *sqlite) exec(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = d.writing(ctx, &d.mind, func(t *sqliteTx) error {
		n, err = t.exec(ctx, text, args...)
		return err
	})
	return n, err
}

func (d *sqlite) tx(ctx context.Context, f func(q querier) error) error {
	return d.writing(ctx, &d.mind, func(t *sqliteTx) error { return t.transact(ctx, func() error { return f(t) }) })
}

func (d *sqlite) migration(ctx context.Context, f func(m migrator) error) error {
	return d.writing(ctx, &d.mind, func(t *sqliteTx) error { return t.transact(ctx, func() error { return f(t) }) })
}

// freeze has nothing to do: there is one writer.
func (d *sqlite) freeze(context.Context, querier, []string) error { return nil }

func (d *sqlite) aside() database { return &aside{d} }

func (d *sqlite) cached() *cache { return &d.mind }

// writing runs f in its turn, with the cache shut if there is one for what f writes.
func (d *sqlite) writing(ctx context.Context, c *cache, f func(t *sqliteTx) error) error {
	if err := d.take(ctx); err != nil {
		return err
	}
	defer d.leave()
	if c != nil {
		defer c.shut()()
	}
	return f((*sqliteTx)(d))
}

// aside is the database for tables that no cache holds.
type aside struct{ *sqlite }

func (d *aside) exec(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = d.writing(ctx, nil, func(t *sqliteTx) error {
		n, err = t.exec(ctx, text, args...)
		return err
	})
	return n, err
}

func (d *aside) tx(ctx context.Context, f func(q querier) error) error {
	return d.writing(ctx, nil, func(t *sqliteTx) error { return t.transact(ctx, func() error { return f(t) }) })
}

// sqliteTx is the writing connection in the hands of whoever has the turn.
type sqliteTx sqlite

func (t *sqliteTx) each(ctx context.Context, text string, args []any, row func(*sql.Rows) error) error {
	stmt, err := t.statement(ctx, text, args)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(context.WithoutCancel(ctx), args...)
	return drain(rows, err, row)
}

func (t *sqliteTx) exec(ctx context.Context, text string, args ...any) (int64, error) {
	stmt, err := t.statement(ctx, text, args)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *sqliteTx) statement(ctx context.Context, text string, args []any) (*sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := texts(args); err != nil {
		return nil, err
	}
	if s := t.own[text]; s != nil {
		return s, nil
	}
	if t.own == nil {
		return nil, sql.ErrConnDone
	}
	s, err := t.conn.PrepareContext(context.WithoutCancel(ctx), text)
	if err == nil {
		t.own[text] = s
	}
	return s, err
}

// transact runs f between begin immediate and commit.
func (t *sqliteTx) transact(ctx context.Context, f func() error) error {
	if _, err := t.exec(ctx, `begin immediate`); err != nil {
		return err
	}
	done := false
	quiet := context.WithoutCancel(ctx)
	defer func() {
		if !done { // f failed or panicked, or the commit did not happen
			_, _ = t.exec(quiet, `rollback`)
		}
	}()
	if err := f(); err != nil {
		return err
	}
	if _, err := t.exec(quiet, `commit`); err != nil {
		return err
	}
	done = true
	return nil
}

func (t *sqliteTx) script(ctx context.Context, text string) error {
	own := strings.NewReplacer(` collate "C"`, "", `bigint primary key`, `integer primary key`)
	_, err := t.conn.ExecContext(ctx, own.Replace(text))
	return err
}

// drain hands every row to row and closes rows; it keeps the first error.
func drain(rows *sql.Rows, err error, row func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := row(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	if err := rows.Err(); err != nil {
		return errors.Join(err, rows.Close())
	}
	return rows.Close()
}
