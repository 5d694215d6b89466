package store_test

import (
	"database/sql"
	"testing"
)

// tamper runs a statement on a file that no store has open.
func tamper(t *testing.T, name, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", name)
	must(t, err)
	_, err = db.ExecContext(t.Context(), text)
	must(t, err)
	must(t, db.Close())
}
