package store

import (
	"context"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// memberships keeps which users are in which groups.
type memberships struct{ db database }

func (r *memberships) Join(ctx context.Context, userID, groupID string, most int) error {
	op := "join user " + userID + " to group " + groupID
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		// The user is locked, so that its groups are counted and written by one caller at a time.
		if err := must(ctx, q, op, `update iam_entity set version = version where id = $1 and kind = 'user'`, userID); err != nil {
			return err
		}
		_, err := one(ctx, q, op, scanInt, `select 1 from iam_entity g join iam_entity u on u.account_id = g.account_id
			where g.id = $2 and g.kind = 'group' and u.id = $1`, userID, groupID)
		if err != nil {
			return err
		}
		n, err := q.exec(ctx, `insert into iam_membership (user_id, group_id) values ($1, $2) on conflict do nothing`, userID, groupID)
		if err != nil || n == 0 {
			return err
		}
		groups, err := one(ctx, q, op, scanInt, `select count(*) from iam_membership where user_id = $1`, userID)
		if err == nil && groups > int64(most) {
			err = fault.New(fault.LimitExceeded, op, "groups")
		}
		return err
	}))
}

func (r *memberships) Leave(ctx context.Context, userID, groupID string) error {
	return must(ctx, r.db, "take user "+userID+" from group "+groupID, `delete from iam_membership where user_id = $1 and group_id = $2`, userID, groupID)
}

func (r *memberships) GroupsOf(ctx context.Context, userID string) ([]directory.IAMGroup, error) {
	const text = `select g.version, g.doc from iam_membership m join iam_entity g on g.id = m.group_id where m.user_id = $1 order by g.name`
	return remembered(ctx, r.db, cloneIAMGroups, question{text, userID, ""}, func() ([]directory.IAMGroup, error) {
		return list(ctx, r.db, "groups of", scanEntity[directory.IAMGroup], text, userID)
	})
}

func (r *memberships) Members(ctx context.Context, groupID, after string, limit int) ([]directory.IAMUser, error) {
	return list(ctx, r.db, "members", scanEntity[directory.IAMUser], `select u.version, u.doc from iam_membership m join iam_entity u on u.id = m.user_id
		where m.group_id = $1 and u.name > $2 order by u.name limit $3`, groupID, folded(after), page(limit))
}
