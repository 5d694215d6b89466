package store

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/treatyfed/treaty/core/fault"
)

// Codes of the two databases that mean something to a caller.
// PostgreSQL: appendix A "PostgreSQL Error Codes". SQLite: "Result and Error Codes", extended.
const (
	pgUnique, pgForeign        = "23505", "23503"
	pgSerialization            = "40001"
	pgDeadlock                 = "40P01"
	pgTooLong                  = "54000" // an index row over 2704 bytes
	liteUnique, litePrimary    = 2067, 1555
	liteForeign                = 787
	liteTooBig                 = 18
	pgConnection, pgOutOfReach = "08", "57P" // classes
)

// sqlState is what pgx's server errors have.
type sqlState interface{ SQLState() string }

// resultCode is what modernc's errors have.
type resultCode interface {
	Code() int
	Error() string
}

// failed makes a fault of a database's error, once; nil stays nil and a fault stays as it is. For a
// unique key that is taken the reason is the last column of that key.
func failed(op string, args []any, err error) error {
	var already *fault.Fault
	if err == nil || errors.As(err, &already) {
		return err
	}
	op = described(op, args)
	var pg sqlState
	var lite resultCode
	var network net.Error
	switch {
	case errors.Is(err, errText):
		return fault.New(fault.Invalid, op, err.Error())
	case errors.As(err, &pg):
		return postgresFault(op, pg.SQLState(), err)
	case errors.As(err, &lite):
		return sqliteFault(op, lite, err)
	case errors.As(err, &network), errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Unavailable, op, err)
	}
	return fault.Wrap(fault.Internal, op, err)
}

func postgresFault(op, state string, err error) error {
	switch {
	case state == pgUnique:
		return &fault.Fault{Kind: fault.Conflict, Op: op, Reason: constraintColumn(err), Err: err}
	case state == pgForeign:
		return fault.Wrap(fault.NotFound, op, err)
	case state == pgTooLong:
		return fault.Wrap(fault.Invalid, op, err)
	case strings.HasPrefix(state, pgConnection), strings.HasPrefix(state, pgOutOfReach), state == pgSerialization, state == pgDeadlock:
		return fault.Wrap(fault.Unavailable, op, err)
	}
	return fault.Wrap(fault.Internal, op, err)
}

func sqliteFault(op string, lite resultCode, err error) error {
	switch lite.Code() {
	case liteUnique, litePrimary:
		// "… UNIQUE constraint failed: table.a, table.b (2067)"
		text, _, _ := strings.Cut(lite.Error(), " (")
		return &fault.Fault{Kind: fault.Conflict, Op: op, Reason: text[strings.LastIndexByte(text, '.')+1:], Err: err}
	case liteForeign:
		return fault.Wrap(fault.NotFound, op, err)
	case liteTooBig:
		return fault.Wrap(fault.Invalid, op, err)
	}
	return fault.Wrap(fault.Internal, op, err)
}

// again reports whether a transaction may simply be run once more.
func again(err error) bool {
	var pg sqlState
	return errors.As(err, &pg) && (pg.SQLState() == pgSerialization || pg.SQLState() == pgDeadlock)
}

// refersTo reports whether a row that others refer to was to be deleted, or a reference written to one
// that is not there.
func refersTo(err error) bool {
	var pg sqlState
	var lite resultCode
	return errors.As(err, &pg) && pg.SQLState() == pgForeign || errors.As(err, &lite) && lite.Code() == liteForeign
}
