package store

import (
	"context"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// federatedCredentials keeps the trusts of applications and managed identities in foreign issuers.
type federatedCredentials struct{ db database }

func (r *federatedCredentials) CreateFederatedCredential(ctx context.Context, c directory.FederatedCredential, most int) error {
	op := "create federated credential " + c.ID + " of " + c.OwnerID
	doc, err := document(op, c)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		if err := r.reserve(ctx, q, op, c); err != nil {
			return err
		}
		n, err := one(ctx, q, op, scanInt, `select count(*) from federated_trust where owner_id = $1`, c.OwnerID)
		if err != nil {
			return err
		}
		if n >= int64(most) {
			return fault.New(fault.LimitExceeded, op, "federated credentials")
		}
		return write(ctx, q, op, `insert into federated_trust (id, owner_id, name, issuer, subject, doc) values ($1, $2, $3, $4, $5, $6)`,
			c.ID, c.OwnerID, c.Name, c.Issuer, c.Subject, doc)
	}))
}

// reserve locks the owner, so that its credentials are counted and written by one caller at a time,
// and refuses a name or subject that another credential of it has.
func (r *federatedCredentials) reserve(ctx context.Context, q querier, op string, c directory.FederatedCredential) error {
	if err := lockOwner(ctx, q, op, c.OwnerID); err != nil {
		return err
	}
	named, err := one(ctx, q, op, scanInt, `select count(*) from federated_trust where owner_id = $1 and name = $2 and id <> $3`,
		c.OwnerID, c.Name, c.ID)
	if err != nil {
		return err
	}
	if named > 0 {
		return fault.New(fault.Conflict, op, "name")
	}
	same, err := one(ctx, q, op, scanInt,
		`select count(*) from federated_trust where owner_id = $1 and issuer = $2 and subject = $3 and subject <> '' and id <> $4`,
		c.OwnerID, c.Issuer, c.Subject, c.ID)
	if err != nil {
		return err
	}
	if same > 0 {
		return fault.New(fault.Conflict, op, "subject")
	}
	return nil
}

// lockOwner holds the row of an application or of a service principal until the transaction ends, so that
// it is not deleted in the meantime either.
func lockOwner(ctx context.Context, q querier, op, id string) error {
	n, err := q.exec(ctx, `update application set version = version where id = $1`, id)
	if err != nil || n > 0 {
		return failed(op, nil, err)
	}
	return must(ctx, q, op, `update service_principal set version = version where id = $1`, id)
}

// forgetTrusts removes the federated credentials of an owner that was deleted in the same transaction.
func forgetTrusts(ctx context.Context, q querier, op, owner string) error {
	return write(ctx, q, op, `delete from federated_trust where owner_id = $1`, owner)
}

func (r *federatedCredentials) FederatedCredential(ctx context.Context, owner, idOrName string) (directory.FederatedCredential, error) {
	return one(ctx, r.db, "federated credential", scanDoc[directory.FederatedCredential],
		`select doc from federated_trust where owner_id = $1 and (id = $2 or name = $2) order by case when id = $2 then 0 else 1 end limit 1`,
		owner, idOrName)
}

func (r *federatedCredentials) UpdateFederatedCredential(ctx context.Context, c directory.FederatedCredential) error {
	op := "update federated credential " + c.ID + " of " + c.OwnerID
	doc, err := document(op, c)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		if err := r.reserve(ctx, q, op, c); err != nil {
			return err
		}
		return must(ctx, q, op, `update federated_trust set name = $3, issuer = $4, subject = $5, doc = $6 where id = $1 and owner_id = $2`,
			c.ID, c.OwnerID, c.Name, c.Issuer, c.Subject, doc)
	}))
}

func (r *federatedCredentials) DeleteFederatedCredential(ctx context.Context, owner, id string) error {
	return must(ctx, r.db, "delete federated credential "+id+" of "+owner,
		`delete from federated_trust where id = $2 and owner_id = $1`, owner, id)
}

func (r *federatedCredentials) FederatedCredentials(ctx context.Context, owner string) ([]directory.FederatedCredential, error) {
	const text = `select doc from federated_trust where owner_id = $1 order by name`
	return remembered(ctx, r.db, cloneFederatedCredentials, question{text, owner, ""}, func() ([]directory.FederatedCredential, error) {
		return list(ctx, r.db, "federated credentials", scanDoc[directory.FederatedCredential], text, owner)
	})
}
