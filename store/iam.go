package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// entities keeps one kind of IAM entities: one table has the rows of all kinds. The attachment rows of
// who has grants follow its document in the same transaction.
type entities[T directory.IAM] struct {
	db    database
	kind  string
	key   func(name string) string // by which names compare: folded or exact
	clone func(T) T
}

// exact is a key that is compared as written.
func exact(s string) string { return s }

// parts gives what rows are made of: the entity within v, its grants if its kind has any, and the user who
// holds it if its kind is held.
func parts[T directory.IAM](v *T) (e *directory.IAMEntity, g *directory.Grants, holder any) {
	switch v := any(v).(type) {
	case *directory.IAMRole:
		return &v.IAMEntity, &v.Grants, nil
	case *directory.IAMUser:
		return &v.IAMEntity, &v.Grants, nil
	case *directory.IAMGroup:
		return &v.IAMEntity, &v.Grants, nil
	case *directory.IAMPolicy:
		return &v.IAMEntity, nil, nil
	case *directory.OIDCProvider:
		return &v.IAMEntity, nil, nil
	case *directory.SAMLProvider:
		return &v.IAMEntity, nil, nil
	case *directory.MFADevice:
		if v.UserID != "" && v.UserID != v.AccountID { // the account id stands for its root, which has no row
			holder = v.UserID
		}
		return &v.IAMEntity, nil, holder
	}
	panic("a kind of directory.IAM is not listed here")
}

func (r *entities[T]) Create(ctx context.Context, v T, most int) error {
	e, g, holder := parts(&v)
	op := "create " + r.kind + " " + e.ID
	doc, err := document(op, v)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		// The account is locked, so that its entities are counted and written by one caller at a time.
		if err := must(ctx, q, op, `update account set version = version where id = $1`, e.AccountID); err != nil {
			return err
		}
		if err := r.free(ctx, q, op, e, ""); err != nil {
			return err
		}
		n, err := one(ctx, q, op, scanInt, `select count(*) from iam_entity where account_id = $1 and kind = $2`, e.AccountID, r.kind)
		if err != nil {
			return err
		}
		if n >= int64(most) {
			return fault.New(fault.LimitExceeded, op, r.kind)
		}
		err = write(ctx, q, op, `insert into iam_entity (id, account_id, kind, name, arn, holder, version, doc) values ($1, $2, $3, $4, $5, $6, 1, $7)`,
			e.ID, e.AccountID, r.kind, r.key(e.Name), e.ARN, holder, doc)
		if err != nil {
			return err
		}
		return attach(ctx, q, op, e, g)
	}))
}

// free refuses a name, id or ARN that an entity other than self has. The unique keys refuse them as well,
// but which of several they name differs between the databases.
func (r *entities[T]) free(ctx context.Context, q querier, op string, e *directory.IAMEntity, self string) error {
	taken, err := list(ctx, q, op, scanString, `select case when account_id = $1 and kind = $2 and name = $3 then 'name' when id = $4 then 'id' else 'arn' end as reason
		from iam_entity where ((account_id = $1 and kind = $2 and name = $3) or id = $4 or arn = $5) and id <> $6 order by reason desc`,
		e.AccountID, r.kind, r.key(e.Name), e.ID, e.ARN, self)
	if err == nil && len(taken) > 0 {
		err = fault.New(fault.Conflict, op, taken[0])
	}
	return err
}

func (r *entities[T]) Named(ctx context.Context, account, name string) (T, error) {
	const text = `select version, doc from iam_entity where kind = $1 and account_id = $2 and name = $3`
	return r.read(ctx, text, account, r.key(name))
}

func (r *entities[T]) WithID(ctx context.Context, id string) (T, error) {
	const text = `select version, doc from iam_entity where kind = $1 and id = $2`
	return r.read(ctx, text, id)
}

func (r *entities[T]) WithARN(ctx context.Context, arn string) (T, error) {
	const text = `select version, doc from iam_entity where kind = $1 and arn = $2`
	return r.read(ctx, text, arn)
}

// read gives the entity that a statement selects by kind and up to two keys.
func (r *entities[T]) read(ctx context.Context, text string, keys ...string) (T, error) {
	q := question{text, r.kind + " " + keys[0], ""}
	args := []any{r.kind, keys[0]}
	if len(keys) > 1 {
		q.b = keys[1]
		args = append(args, keys[1])
	}
	return remembered(ctx, r.db, r.clone, q, func() (T, error) {
		return one(ctx, r.db, "read", scanEntity[T], text, args...)
	})
}

func (r *entities[T]) Update(ctx context.Context, v T) error {
	e, g, holder := parts(&v)
	op := "update " + r.kind + " " + e.ID
	doc, err := document(op, v)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		err := swap(ctx, q, op, `select 1 from iam_entity where id = $1 and kind = $2`, []any{e.ID, r.kind},
			`update iam_entity set version = version + 1, holder = $4, doc = $5 where id = $1 and kind = $2 and version = $3`,
			e.ID, r.kind, e.Version, holder, doc)
		if err != nil {
			return err
		}
		same, err := one(ctx, q, op, scanInt, `select count(*) from iam_entity where id = $1 and name = $2 and arn = $3`, e.ID, r.key(e.Name), e.ARN)
		if err != nil {
			return err
		}
		if same == 0 {
			if err := r.free(ctx, q, op, e, e.ID); err != nil {
				return err
			}
			if err := write(ctx, q, op, `update iam_entity set name = $2, arn = $3 where id = $1`, e.ID, r.key(e.Name), e.ARN); err != nil {
				return err
			}
		}
		return attach(ctx, q, op, e, g)
	}))
}

func (r *entities[T]) Delete(ctx context.Context, id string, version int64) error {
	op := "delete " + r.kind + " " + id
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		n, err := q.exec(ctx, `delete from iam_entity where id = $1 and kind = $2 and version = $3`, id, r.kind, version)
		switch {
		case refersTo(err):
			return &fault.Fault{Kind: fault.Conflict, Op: op, Reason: "in use", Err: err}
		case err != nil:
			return err
		case n == 0:
			if _, err := one(ctx, q, op, scanInt, `select 1 from iam_entity where id = $1 and kind = $2`, id, r.kind); err != nil {
				return err
			}
			return fault.New(fault.Conflict, op, "version")
		}
		return forget(ctx, q, op, id)
	}))
}

func (r *entities[T]) List(ctx context.Context, account, after string, limit int) ([]T, error) {
	return list(ctx, r.db, "list", scanEntity[T],
		`select version, doc from iam_entity where account_id = $1 and kind = $2 and name > $3 order by name limit $4`, account, r.kind, r.key(after), page(limit))
}

func (r *entities[T]) Count(ctx context.Context, account string) (int, error) {
	n, err := one(ctx, r.db, "count", scanInt, `select count(*) from iam_entity where account_id = $1 and kind = $2`, account, r.kind)
	return int(n), err
}

func scanEntity[T directory.IAM](r *sql.Rows) (v T, err error) {
	var doc string
	var version int64
	if err = r.Scan(&version, &doc); err == nil {
		err = json.Unmarshal([]byte(doc), &v)
	}
	e, _, _ := parts(&v)
	e.Version = version
	return v, err
}
