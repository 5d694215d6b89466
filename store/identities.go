package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// identities keeps the identities of pools and the logins linked to them. A login's row is the one place
// that says whose it is, and its primary key (pool, provider, user) is what makes two callers agree.
// Logins are written in their order, so that writers never wait for each other in a circle.
type identities struct{ db database }

// resolutions bounds how often Resolve looks again after another caller was first.
const resolutions = 16

var errTaken = errors.New("another caller linked the login first")

func (r *identities) Resolve(ctx context.Context, fresh directory.Identity) (directory.Identity, bool, error) {
	for range resolutions {
		for _, l := range fresh.Logins {
			id, err := r.ByLogin(ctx, fresh.PoolID, l)
			if !errors.Is(err, fault.NotFound) {
				return id, false, err
			}
		}
		fresh.Logins = ordered(fresh.Logins)
		err := r.create(ctx, fresh)
		if !errors.Is(err, errTaken) {
			if err != nil {
				return directory.Identity{}, false, err
			}
			id, err := r.Identity(ctx, fresh.ID)
			return id, true, err
		}
	}
	return directory.Identity{}, false, fault.New(fault.Unavailable, "resolve identity in "+fresh.PoolID, "its logins keep changing hands")
}

// create stores an identity with its logins, errTaken if any of them is linked already.
func (r *identities) create(ctx context.Context, i directory.Identity) error {
	op := "create identity " + i.ID
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		err := write(ctx, q, op, `insert into identity (id, pool_id, disabled, merged_into, created_at, modified_at) values ($1, $2, $3, $4, $5, $6)`,
			i.ID, i.PoolID, i.Disabled, i.MergedInto, micros(i.CreatedAt), micros(i.ModifiedAt))
		if err != nil {
			return err
		}
		for _, l := range i.Logins {
			n, err := link(ctx, q, i.PoolID, i.ID, l)
			if err != nil {
				return err
			}
			if n == 0 {
				return fault.Wrap(fault.Conflict, op, errTaken)
			}
		}
		return nil
	}))
}

// link writes a login's row unless there is one; it waits for a writer of the same login to end.
func link(ctx context.Context, q querier, pool, id string, l directory.Login) (int64, error) {
	return q.exec(ctx, `insert into identity_login (pool_id, provider, login_user, identity_id) values ($1, $2, $3, $4) on conflict do nothing`,
		pool, l.Provider, l.User, id)
}

func (r *identities) Identity(ctx context.Context, id string) (directory.Identity, error) {
	const text = `select i.id, i.pool_id, i.disabled, i.merged_into, i.created_at, i.modified_at, coalesce(l.provider, ''), coalesce(l.login_user, '')
		from identity i left join identity_login l on l.identity_id = i.id where i.id = $1 order by l.provider, l.login_user`
	return remembered(ctx, r.db, cloneIdentity, question{text, id, ""}, func() (directory.Identity, error) {
		return r.single(ctx, "identity", text, id)
	})
}

func (r *identities) ByLogin(ctx context.Context, pool string, login directory.Login) (directory.Identity, error) {
	return r.single(ctx, "identity by login", `select i.id, i.pool_id, i.disabled, i.merged_into, i.created_at, i.modified_at, l.provider, l.login_user
		from identity_login k join identity i on i.id = k.identity_id join identity_login l on l.identity_id = i.id
		where k.pool_id = $1 and k.provider = $2 and k.login_user = $3 order by l.provider, l.login_user`, pool, login.Provider, login.User)
}

func (r *identities) Identities(ctx context.Context, pool, after string, limit int, hideDisabled bool) ([]directory.Identity, error) {
	return r.gather(ctx, "identities", `select i.id, i.pool_id, i.disabled, i.merged_into, i.created_at, i.modified_at, coalesce(l.provider, ''), coalesce(l.login_user, '')
		from (select id, pool_id, disabled, merged_into, created_at, modified_at from identity
			where pool_id = $1 and id > $2 and (disabled = false or $3 = 0) order by id limit $4) i
		left join identity_login l on l.identity_id = i.id order by i.id, l.provider, l.login_user`, pool, after, flag(hideDisabled), page(limit))
}

// flag is a boolean for a comparison with a number, which both databases type alike.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (r *identities) single(ctx context.Context, op, text string, args ...any) (directory.Identity, error) {
	got, err := r.gather(ctx, op, text, args...)
	if err == nil && len(got) == 0 {
		err = fault.New(fault.NotFound, described(op, args), "")
	}
	if err != nil {
		return directory.Identity{}, err
	}
	return got[0], nil
}

// gather reads identities with their logins: one row a login, or one without, those of an identity together.
func (r *identities) gather(ctx context.Context, op, text string, args ...any) ([]directory.Identity, error) {
	out := []directory.Identity{}
	err := r.db.each(ctx, text, args, func(rows *sql.Rows) error {
		var i directory.Identity
		var l directory.Login
		var created, modified int64
		if err := rows.Scan(&i.ID, &i.PoolID, &i.Disabled, &i.MergedInto, &created, &modified, &l.Provider, &l.User); err != nil {
			return err
		}
		if len(out) == 0 || out[len(out)-1].ID != i.ID {
			i.CreatedAt, i.ModifiedAt = instant(created), instant(modified)
			out = append(out, i)
		}
		if l != (directory.Login{}) {
			last := &out[len(out)-1]
			last.Logins = append(last.Logins, l)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errText) {
		return nil, failed(op, args, err)
	}
	return out, nil
}

// touch locks an identity for the rest of the transaction and gives its pool: fault.NotFound if there is
// none, fault.Conflict if it is disabled, because what was merged away takes no more changes.
func touch(ctx context.Context, q querier, op, id string, at time.Time) (string, error) {
	type row struct {
		pool     string
		disabled bool
	}
	got, err := one(ctx, q, op, func(r *sql.Rows) (v row, err error) { return v, r.Scan(&v.pool, &v.disabled) },
		`update identity set modified_at = $2 where id = $1 returning pool_id, disabled`, id, micros(at))
	if err == nil && got.disabled {
		err = fault.New(fault.Conflict, op, "disabled")
	}
	return got.pool, err
}

func (r *identities) Link(ctx context.Context, seen directory.Identity, at time.Time, logins ...directory.Login) error {
	id, op := seen.ID, "link identity "+seen.ID
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		pool, err := touch(ctx, q, op, id, at)
		if err != nil {
			return err
		}
		have, err := list(ctx, q, op, scanLogin, `select provider, login_user from identity_login where identity_id = $1`, id)
		if err == nil && !slices.Equal(ordered(have), ordered(seen.Logins)) {
			err = fault.New(fault.Conflict, op, "logins")
		}
		if err != nil {
			return err
		}
		for _, l := range ordered(logins) {
			n, err := link(ctx, q, pool, id, l)
			if err != nil {
				return err
			}
			if n == 1 {
				continue
			}
			owner, err := one(ctx, q, op, scanString,
				`select identity_id from identity_login where pool_id = $1 and provider = $2 and login_user = $3`, pool, l.Provider, l.User)
			if err != nil && !errors.Is(err, fault.NotFound) {
				return err
			}
			if owner != id {
				return fault.New(fault.Conflict, op, "login")
			}
		}
		return nil
	}))
}

func scanLogin(r *sql.Rows) (l directory.Login, err error) { return l, r.Scan(&l.Provider, &l.User) }

// onePerson refuses an identity, locked by touch, of two users of one provider, but for the pool's own
// developers' users. Callers look first and see less: another may link between their look and their write.
func onePerson(ctx context.Context, q querier, op, pool, id string) error {
	p, err := one(ctx, q, op, scanPool, `select version, doc from identity_pool where id = $1`, pool)
	if err != nil {
		return err
	}
	doubled, err := one(ctx, q, op, scanInt, `select count(*) from
		(select provider from identity_login where identity_id = $1 and provider <> $2 group by provider having count(*) > 1) doubled`, id, p.DeveloperProvider)
	if err == nil && doubled > 0 {
		err = fault.New(fault.Conflict, op, "provider")
	}
	return err
}

func (r *identities) Unlink(ctx context.Context, id string, at time.Time, logins ...directory.Login) error {
	op := "unlink identity " + id
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		if _, err := touch(ctx, q, op, id, at); err != nil {
			return err
		}
		for _, l := range ordered(logins) {
			err := must(ctx, q, op, `delete from identity_login where identity_id = $1 and provider = $2 and login_user = $3`, id, l.Provider, l.User)
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

func (r *identities) Merge(ctx context.Context, source, destination string, at time.Time, most int) error {
	op := "merge identity " + source + " into " + destination
	if source == destination {
		return fault.New(fault.Invalid, op, "an identity does not merge into itself")
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		first, err := touch(ctx, q, op, min(source, destination), at)
		if err != nil {
			return err
		}
		second, err := touch(ctx, q, op, max(source, destination), at)
		if err != nil {
			return err
		}
		if first != second {
			return fault.New(fault.Invalid, op, "the identities are of two pools")
		}
		linked, err := one(ctx, q, op, scanInt, `select count(*) from identity_login where identity_id in ($1, $2)`, source, destination)
		if err != nil {
			return err
		}
		if linked > int64(most) {
			return fault.New(fault.LimitExceeded, op, "logins")
		}
		if err := write(ctx, q, op, `update identity_login set identity_id = $2 where identity_id = $1`, source, destination); err != nil {
			return err
		}
		if err := onePerson(ctx, q, op, first, destination); err != nil {
			return err
		}
		return must(ctx, q, op, `update identity set disabled = true, merged_into = $2 where id = $1`, source, destination)
	}))
}

func (r *identities) DeleteIdentity(ctx context.Context, id string) error {
	return must(ctx, r.db, "delete identity "+id, `delete from identity where id = $1`, id)
}

// ordered sorts logins by provider and user and takes repetitions out.
func ordered(logins []directory.Login) []directory.Login {
	out := slices.Clone(logins)
	slices.SortFunc(out, func(a, b directory.Login) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.User, b.User))
	})
	return slices.Compact(out)
}
