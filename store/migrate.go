package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/treatyfed/treaty/core/fault"
)

//go:embed schema/*.sql
var schema embed.FS

// migrations are the numbered scripts of the schema: schema/0001_base.sql brings a database to version 1.
// A script that was released is never changed.
func migrations() fs.FS {
	sub, err := fs.Sub(schema, "schema")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// migrate brings the database to the version of the last script. A database that is newer is refused
// rather than read wrongly. Processes that start together migrate one after another.
func migrate(ctx context.Context, db database, scripts fs.FS) error {
	names, err := fs.Glob(scripts, "*.sql") // in order of their numbers
	if err != nil {
		return fault.Wrap(fault.Internal, "migrate", err)
	}
	err = db.migration(ctx, func(m migrator) error {
		if err := m.script(ctx, `create table if not exists schema_version (version bigint primary key)`); err != nil {
			return err
		}
		have, err := one(ctx, m, "schema version", scanInt, `select coalesce(max(version), 0) from schema_version`)
		if err != nil {
			return err
		}
		if have > int64(len(names)) {
			return fault.New(fault.Invalid, "migrate", fmt.Sprintf("the database has schema version %d and this treaty knows versions up to %d: "+
				"use the newer treaty, or another database", have, len(names)))
		}
		for i := int(have); i < len(names); i++ {
			if n, err := strconv.Atoi(names[i][:4]); err != nil || n != i+1 {
				return fault.New(fault.Internal, "migrate", "script "+names[i]+" is out of order")
			}
			text, err := fs.ReadFile(scripts, names[i])
			if err != nil {
				return err
			}
			if err := m.script(ctx, string(text)); err != nil {
				return fmt.Errorf("%s: %w", names[i], err)
			}
			if err := write(ctx, m, "migrate", `insert into schema_version (version) values ($1)`, i+1); err != nil {
				return err
			}
		}
		return nil
	})
	return failed("migrate", nil, err)
}
