package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync/atomic"
	"time"

	"github.com/treatyfed/treaty/core/fault"
)

// once keeps what was used a single time, by its hash: a stranger chooses how long the key is. The
// database is one that no cache holds.
type once struct {
	db    database
	swept atomic.Int64 // when expired rows were last all gone, in microseconds; 0 is never
}

// Bounds of forgetting: at most so often by each process, and so many rows by one caller.
const (
	sweepEvery = time.Minute
	sweepMost  = 256
)

// Use is one statement: of callers at the same moment one inserts the row, or replaces the expired one,
// and the others touch none.
func (r *once) Use(ctx context.Context, key string, now, until time.Time) error {
	const op = "use once"
	if err := r.sweep(ctx, op, now); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(key))
	n, err := r.db.exec(ctx, `insert into used_once (key, until) values ($1, $2)
		on conflict (key) do update set until = excluded.until where used_once.until < $3`, hex.EncodeToString(sum[:]), micros(until), micros(now))
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, op, "key")
	}
	return failed(op, nil, err)
}

// sweep deletes expired rows, some at a time until there are none and then not for a while. It comes
// before the use, so that its failure has used up nothing. The outer condition is asked again of a row
// that another caller has taken anew in the meantime; the inner one is not.
func (r *once) sweep(ctx context.Context, op string, now time.Time) error {
	if last := r.swept.Load(); last != 0 && now.Sub(instant(last)).Abs() < sweepEvery { // Abs: a clock may be set back
		return nil
	}
	var n int64
	err := r.db.tx(ctx, func(q querier) (err error) {
		n, err = q.exec(ctx, `delete from used_once where until < $1 and key in (select key from used_once where until < $1 order by until limit $2)`, micros(now), sweepMost)
		return err
	})
	if err == nil && n < sweepMost {
		r.swept.Store(micros(now))
	}
	return failed(op, nil, err)
}
