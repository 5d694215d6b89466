package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// usage keeps last uses. It writes aside of the cache, which holds nothing of it and is not to be emptied
// by it.
type usage struct{ db database }

// NoteUse keeps the latest use: replicas may note theirs in any order.
func (r *usage) NoteUse(ctx context.Context, id string, u directory.Use) error {
	return write(ctx, r.db, "note use of "+id, `insert into last_use (id, used_at, service, region) values ($1, $2, $3, $4)
		on conflict (id) do update set used_at = excluded.used_at, service = excluded.service, region = excluded.region where last_use.used_at <= excluded.used_at`,
		id, micros(u.At), u.Service, u.Region)
}

func (r *usage) LastUse(ctx context.Context, id string) (directory.Use, error) {
	u, err := one(ctx, r.db, "last use", func(r *sql.Rows) (u directory.Use, err error) {
		var at int64
		err = r.Scan(&at, &u.Service, &u.Region)
		u.At = instant(at)
		return u, err
	}, `select used_at, service, region from last_use where id = $1`, id)
	if errors.Is(err, fault.NotFound) {
		err = nil
	}
	return u, err
}

// forget drops the use of what is deleted.
func forget(ctx context.Context, q querier, op, id string) error {
	return write(ctx, q, op, `delete from last_use where id = $1`, id)
}
