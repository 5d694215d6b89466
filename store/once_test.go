package store

import (
	"fmt"
	"testing"
	"time"
)

// TestWhatWasUsedOnceIsForgotten counts rows: they expire, are deleted a bounded number at a time, and not
// looked for at each use.
func TestWhatWasUsedOnceIsForgotten(t *testing.T) {
	t.Parallel()
	s := inMemory(t)
	at := func(minutes int) time.Time { return time.Unix(1e9, 0).Add(time.Duration(minutes) * time.Minute) }
	use := func(key string, now time.Time, rows int64) {
		t.Helper()
		if err := s.Once.Use(t.Context(), key, now, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := one(t.Context(), s.db, "count", scanInt, `select count(*) from used_once`)
		if err != nil || n != rows {
			t.Fatalf("%d rows, want %d (%v)", n, rows, err)
		}
	}
	for n := range sweepMost + 10 {
		use(fmt.Sprint(n), at(0), int64(n+1))
	}
	use("a", at(5), 11)
	use("b", at(5), 2)
	use("c", at(5).Add(sweepEvery-1), 3)
	use("d", at(7), 1)
	use("e", at(0), 2) // the clock was set back: nothing has expired
	use("f", at(9), 1)
}
