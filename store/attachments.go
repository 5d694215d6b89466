package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
)

// attachments answers from the rows that the repositories of roles, users and groups write beside their
// documents.
type attachments struct{ db database }

// attachment is a row's key within its entity.
type attachment struct {
	policy   string
	boundary bool
}

// attach makes the attachment rows of an entity what its grants say. Rows that stay are not touched, so
// that a writer of the entity need not wait for one of the policy, nor the other way round.
func attach(ctx context.Context, q querier, op string, e *directory.IAMEntity, g *directory.Grants) error {
	if g == nil {
		return nil
	}
	var want []attachment
	for _, arn := range keysInOrder(g.Managed) {
		want = append(want, attachment{arn, false})
	}
	if g.Boundary != "" {
		want = append(want, attachment{g.Boundary, true})
	}
	have, err := list(ctx, q, op, func(r *sql.Rows) (a attachment, err error) { return a, r.Scan(&a.policy, &a.boundary) },
		`select policy_arn, boundary from iam_attachment where entity_id = $1`, e.ID)
	if err != nil {
		return err
	}
	for _, a := range have {
		if slices.Contains(want, a) {
			continue
		}
		if err := write(ctx, q, op, `delete from iam_attachment where entity_id = $1 and policy_arn = $2 and boundary = $3`, e.ID, a.policy, a.boundary); err != nil {
			return err
		}
	}
	for _, a := range want {
		if slices.Contains(have, a) {
			continue
		}
		if err := attachOne(ctx, q, op, e, a); err != nil {
			return err
		}
	}
	return nil
}

// attachOne writes a row: fault.NotFound when the policy is none of the account's nor the cloud's own, or
// is being deleted.
func attachOne(ctx context.Context, q querier, op string, e *directory.IAMEntity, a attachment) error {
	var policy any
	if !ofTheCloud(a.policy) {
		id, err := one(ctx, q, op, scanString, `select id from iam_entity where arn = $1 and account_id = $2 and kind = 'policy'`, a.policy, e.AccountID)
		if err != nil {
			return err
		}
		policy = id
	}
	return write(ctx, q, op, `insert into iam_attachment (entity_id, boundary, policy_arn, policy_id) values ($1, $2, $3, $4)`, e.ID, a.boundary, a.policy, policy)
}

// ofTheCloud reports whether a managed policy is one that every account has: such ARNs say aws where
// others have the account (IAM user guide, "AWS managed policies").
func ofTheCloud(arn string) bool {
	fields := strings.SplitN(arn, ":", 6)
	return len(fields) == 6 && fields[4] == "aws"
}

func (r *attachments) Attachments(ctx context.Context, account, policyARN string) ([]directory.Attachment, error) {
	return list(ctx, r.db, "attachments", scanAttachment, `select e.kind, a.boundary, e.doc from iam_attachment a join iam_entity e on e.id = a.entity_id
		where a.policy_arn = $2 and e.account_id = $1 order by e.kind, e.name, a.boundary`, account, policyARN)
}

func scanAttachment(r *sql.Rows) (a directory.Attachment, err error) {
	var doc string
	var e directory.IAMEntity
	if err = r.Scan(&a.Kind, &a.Boundary, &doc); err == nil {
		err = json.Unmarshal([]byte(doc), &e)
	}
	a.EntityID, a.Name, a.Path = e.ID, e.Name, e.Path
	return a, err
}

func (r *attachments) AttachmentCounts(ctx context.Context, account string) (attached, boundaries map[string]int, err error) {
	attached, boundaries = map[string]int{}, map[string]int{}
	_, err = list(ctx, r.db, "attachment counts", func(r *sql.Rows) (n int, err error) {
		var a attachment
		if err = r.Scan(&a.policy, &a.boundary, &n); err != nil {
			return n, err
		}
		if a.boundary {
			boundaries[a.policy] = n
		} else {
			attached[a.policy] = n
		}
		return n, nil
	}, `select a.policy_arn, a.boundary, count(*) from iam_attachment a join iam_entity e on e.id = a.entity_id
		where e.account_id = $1 group by a.policy_arn, a.boundary`, account)
	return attached, boundaries, err
}
