package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// subscriptions keeps Azure subscriptions.
type subscriptions struct{ db database }

// PutSubscription adds or replaces by ID; fault.Conflict when another tenant has the ID.
func (r *subscriptions) PutSubscription(ctx context.Context, s directory.Subscription) error {
	op := "put subscription " + s.ID
	doc, err := document(op, s)
	if err != nil {
		return err
	}
	n, err := r.db.exec(ctx, `insert into subscription (id, tenant_id, doc) values ($1, $2, $3)
		on conflict (id) do update set doc = excluded.doc where subscription.tenant_id = excluded.tenant_id`, folded(s.ID), s.TenantID, doc)
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, op, "id")
	}
	return failed(op, nil, err)
}

// Subscription finds by id in any case, as ARM's paths are.
func (r *subscriptions) Subscription(ctx context.Context, id string) (directory.Subscription, error) {
	return one(ctx, r.db, "subscription", scanDoc[directory.Subscription], `select doc from subscription where id = $1`, folded(id))
}

func (r *subscriptions) Subscriptions(ctx context.Context, tenant string) ([]directory.Subscription, error) {
	return list(ctx, r.db, "subscriptions", scanDoc[directory.Subscription], `select doc from subscription where tenant_id = $1 order by id`, tenant)
}

// resources keeps ARM resources by their path in lower case. What keeps its first writing (id, name,
// creation) is in columns; the document holds the rest.
type resources struct{ db database }

func (r *resources) PutResource(ctx context.Context, v directory.Resource) (bool, error) {
	op := "put resource " + v.ID
	doc, err := document(op, v)
	if err != nil {
		return false, err
	}
	if v.Version != 0 {
		n, err := r.db.exec(ctx, `update resource set type = $3, version = version + 1, doc = $4 where path = $1 and version = $2`, pathOf(v.ID), v.Version, folded(v.Type), doc)
		if err == nil && n == 0 {
			return false, fault.New(fault.Conflict, op, "version")
		}
		return false, failed(op, nil, err)
	}
	var version int64
	err = r.db.tx(ctx, func(q querier) (err error) {
		version, err = one(ctx, q, op, scanInt, `insert into resource (path, id, name, type, created_at, version, doc) values ($1, $2, $3, $4, $5, 1, $6)
			on conflict (path) do update set type = excluded.type, version = resource.version + 1, doc = excluded.doc returning version`,
			pathOf(v.ID), v.ID, v.Name, folded(v.Type), micros(v.CreatedAt), doc)
		return err
	})
	return version == 1, failed(op, nil, err)
}

func (r *resources) Resource(ctx context.Context, id string) (directory.Resource, error) {
	return one(ctx, r.db, "resource", scanResource, `select id, name, created_at, version, doc from resource where path = $1`, pathOf(id))
}

// DeleteResource removes a resource and all whose path goes on from its own: '0' follows '/' in byte order.
// Then it removes the service principals of managed identities that have lost their resource; one that was
// made at the same moment and that the deletion did not see has its resource still.
func (r *resources) DeleteResource(ctx context.Context, id string) error {
	op, path := "delete resource "+id, pathOf(id)
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		if err := must(ctx, q, op, `delete from resource where path = $1`, path); err != nil {
			return err
		}
		if err := write(ctx, q, op, `delete from resource where path > $1 and path < $2`, path+"/", path+"0"); err != nil {
			return err
		}
		bereft, err := list(ctx, q, op, scanString, `select m.principal_id from managed_identity m where (m.path = $1 or m.path > $2 and m.path < $3)
			and not exists (select 1 from resource r where r.path = m.path) order by m.path`, path, path+"/", path+"0")
		if err != nil {
			return err
		}
		for _, id := range bereft {
			if err := forgetPrincipal(ctx, q, op, id); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Resources lists those below a scope; a resourceType of "" is every type.
func (r *resources) Resources(ctx context.Context, scope, resourceType, after string, limit int) ([]directory.Resource, error) {
	scope = pathOf(scope)
	return list(ctx, r.db, "resources", scanResource, `select id, name, created_at, version, doc from resource
		where path > $1 and path < $2 and path > $3 and (type = $4 or $4 = '') order by path limit $5`,
		scope+"/", scope+"0", pathOf(after), folded(resourceType), page(limit))
}

// pathOf is the key of an ARM id: lower case, without a slash at its end.
func pathOf(id string) string { return strings.TrimRight(folded(id), "/") }

func scanResource(rows *sql.Rows) (v directory.Resource, err error) {
	var id, name, doc string
	var created, version int64
	if err = rows.Scan(&id, &name, &created, &version, &doc); err == nil {
		err = json.Unmarshal([]byte(doc), &v)
	}
	v.ID, v.Name, v.CreatedAt, v.Version = id, name, instant(created), version
	return v, err
}
