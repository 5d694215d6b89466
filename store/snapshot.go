package store

import (
	"context"
	"errors"
	"slices"
)

// nouns are the tables that a snapshot holds, those that others refer to first. Signing keys, the
// audit and what was used once are not among them: a reset to the snapshot neither invalidates tokens nor
// forgets why something was refused, and what was used stays used.
var nouns = []struct{ table, columns string }{
	{"account", "id, doc, alias, token_issuer, version"},
	{"iam_entity", "id, account_id, kind, name, arn, holder, version, doc"},
	{"iam_attachment", "entity_id, boundary, policy_arn, policy_id"},
	{"iam_membership", "user_id, group_id"},
	{"access_key", "id, secret, doc, principal_id, user_id"},
	{"last_use", "id, used_at, service, region"},
	{"identity_pool", "id, account_id, region, version, doc"},
	{"identity", "id, pool_id, disabled, merged_into, created_at, modified_at"},
	{"identity_login", "pool_id, provider, login_user, identity_id"},
	{"tenant", "id, doc"},
	{"tenant_name", "name, tenant_id"},
	{"application", "id, tenant_id, app_id, unique_name, version, doc"},
	{"application_uri", "tenant_id, uri, application_id"},
	{"federated_trust", "id, owner_id, name, issuer, subject, doc"},
	{"service_principal", "id, tenant_id, app_id, version, doc"},
	{"service_principal_name", "tenant_id, name, principal_id"},
	{"managed_identity", "principal_id, path"},
	{"app_role_assignment", "tenant_id, id, principal_id, resource_id, role_id, doc"},
	{"directory_user", "id, tenant_id, upn, doc"},
	{"subscription", "id, tenant_id, doc"},
	{"resource", "path, id, name, type, created_at, version, doc"},
	{"role_definition", "tenant_id, id, name, doc"},
	{"role_assignment", "tenant_id, id, principal_id, role_definition_id, scope, doc"},
	{"machine", "name, id, version, doc"},
	{"issuer", "name, url, version, doc"},
	{"issuer_place", "host, path, name"},
}

// Snapshot marks what is now in the directory as the state that Restore returns to. It is kept in the
// database and replaces an earlier one.
func (s *Store) Snapshot(ctx context.Context) error {
	return failed("snapshot", nil, s.db.tx(ctx, func(q querier) error {
		if err := s.freeze(ctx, q); err != nil {
			return err
		}
		if err := s.copy(ctx, q, "", "seed_"); err != nil {
			return err
		}
		return write(ctx, q, "snapshot", `insert into snapshot (id) values ('seed') on conflict do nothing`)
	}))
}

// Restore returns to the last Snapshot, in one transaction; fault.NotFound when there is none.
func (s *Store) Restore(ctx context.Context) error {
	return failed("restore", nil, s.db.tx(ctx, func(q querier) error {
		if _, err := one(ctx, q, "restore snapshot", scanString, `select id from snapshot where id = 'seed'`); err != nil {
			return err
		}
		if err := s.freeze(ctx, q); err != nil {
			return err
		}
		return s.copy(ctx, q, "seed_", "")
	}))
}

// Reset empties the database but for its schema: directory, keys, audit, snapshot and what was used once.
func (s *Store) Reset(ctx context.Context) error {
	err := failed("reset", nil, s.db.tx(ctx, func(q querier) error {
		if err := s.freeze(ctx, q); err != nil {
			return err
		}
		for _, t := range []string{"signing_key", "audit_event", "snapshot", "used_once"} {
			if err := write(ctx, q, "reset", `delete from `+t); err != nil {
				return err
			}
		}
		return errors.Join(s.clear(ctx, q, "seed_"), s.clear(ctx, q, ""))
	}))
	if err != nil {
		return err
	}
	return s.Audit.forget()
}

// freeze keeps other replicas from writing nouns until the transaction ends.
func (s *Store) freeze(ctx context.Context, q querier) error {
	var tables []string
	for _, n := range nouns {
		tables = append(tables, n.table)
	}
	return s.db.freeze(ctx, q, tables)
}

// clear deletes every row of the nouns' tables with a prefix, those that refer to others first.
func (s *Store) clear(ctx context.Context, q querier, prefix string) error {
	for _, n := range slices.Backward(nouns) {
		if err := write(ctx, q, "clear "+n.table, `delete from `+prefix+n.table); err != nil {
			return err
		}
	}
	return nil
}

// copy replaces the rows of every noun's table with the prefix to by those of its twin with the prefix from.
func (s *Store) copy(ctx context.Context, q querier, from, to string) error {
	if err := s.clear(ctx, q, to); err != nil {
		return err
	}
	for _, n := range nouns {
		err := write(ctx, q, "copy "+n.table, `insert into `+to+n.table+` (`+n.columns+`) select `+n.columns+` from `+from+n.table)
		if err != nil {
			return err
		}
	}
	return nil
}
