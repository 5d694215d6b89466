// Package store keeps what Treaty knows: every repository of core/directory, the signing keys and the
// audit, in SQLite (the default, a file or memory of this process) or in PostgreSQL (for several replicas).
//
// It is the only package that knows SQL. One SQL text serves both databases: lower case, listed columns,
// beside its method; dialects differ in two files, sqlite.go and postgres.go. A row is its key columns
// and a JSON document of what is only carried. Every repository method is atomic by itself and there are
// no exported transactions: what must be single or limited is so by one statement, a unique key or a row
// lock, also with several replicas. Secrets and private keys are sealed before they get here; the master
// key is the server's. It leaves rules, caches and ids to its callers, and has no clock of its own.
package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
)

// Config says where the rows are.
type Config struct {
	// DSN is "" or "sqlite::memory:" for memory of this Store alone, "sqlite:PATH" for a file,
	// "sqlite:" for a temporary file that Close removes, or a postgres:// URL as libpq has it.
	DSN string
	// Sealer seals access key secrets and private keys at rest. Required.
	Sealer *credential.Sealer
	// AuditKeep is how many audit events are kept, newest first; 0 is 100 000, negative is all.
	AuditKeep int
	// AuditAge is how much older than the newest event an audit event may be; 0 is 30 days, negative is any.
	AuditAge time.Duration
	// Connections is how many connections may read (SQLite) or work (PostgreSQL) at a time; 0 is 4 and 16.
	Connections int
}

// Store is a database and the repositories over it, each safe for concurrent use.
type Store struct {
	Accounts             directory.Accounts
	AccessKeys           directory.AccessKeys
	IAMRoles             directory.Entities[directory.IAMRole]
	IAMUsers             directory.Entities[directory.IAMUser]
	IAMGroups            directory.Entities[directory.IAMGroup]
	IAMPolicies          directory.Entities[directory.IAMPolicy]
	OIDCProviders        directory.Entities[directory.OIDCProvider]
	SAMLProviders        directory.Entities[directory.SAMLProvider]
	MFADevices           directory.Entities[directory.MFADevice]
	Attachments          directory.Attachments
	Memberships          directory.Memberships
	Usage                directory.Usage
	Pools                directory.Pools
	Identities           directory.Identities
	Tenants              directory.Tenants
	Applications         directory.Applications
	Principals           directory.Principals
	FederatedCredentials directory.FederatedCredentials
	AppRoleAssignments   directory.AppRoleAssignments
	Users                directory.Users
	Subscriptions        directory.Subscriptions
	Resources            directory.Resources
	Roles                directory.Roles
	Machines             directory.Machines
	ManagedIdentities    directory.ManagedIdentities
	Issuers              directory.Issuers
	Once                 directory.Once
	Keys                 token.KeyStore
	Audit                *Audit

	db database
}

// Open opens the database that cfg names and brings its schema up to date. It refuses a database whose
// schema is newer than this binary, or whose secrets were sealed under another master key.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Sealer == nil {
		return nil, fault.New(fault.Invalid, "open store", "no sealer: a master key is needed")
	}
	db, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db, migrations()); err != nil {
		return nil, errors.Join(err, db.close())
	}
	if err := checkSeal(ctx, db, cfg.Sealer); err != nil {
		return nil, errors.Join(err, db.close())
	}
	a, err := openAudit(ctx, db, cfg)
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	longTerm := &accessKeys{db, cfg.Sealer}
	return &Store{
		Accounts:             &accounts{longTerm},
		AccessKeys:           longTerm,
		IAMRoles:             &entities[directory.IAMRole]{db, "role", folded, cloneIAMRole},
		IAMUsers:             &entities[directory.IAMUser]{db, "user", folded, cloneIAMUser},
		IAMGroups:            &entities[directory.IAMGroup]{db, "group", folded, cloneIAMGroup},
		IAMPolicies:          &entities[directory.IAMPolicy]{db, "policy", folded, cloneIAMPolicy},
		OIDCProviders:        &entities[directory.OIDCProvider]{db, "OIDC provider", exact, cloneOIDCProvider},
		SAMLProviders:        &entities[directory.SAMLProvider]{db, "SAML provider", folded, cloneSAMLProvider},
		MFADevices:           &entities[directory.MFADevice]{db, "MFA device", folded, cloneMFADevice},
		Attachments:          &attachments{db},
		Memberships:          &memberships{db},
		Usage:                &usage{db.aside()},
		Pools:                &pools{db},
		Identities:           &identities{db},
		Tenants:              &tenants{db},
		Applications:         &applications{db},
		Principals:           &principals{db},
		FederatedCredentials: &federatedCredentials{db},
		AppRoleAssignments:   &appRoleAssignments{db},
		Users:                &users{db},
		Subscriptions:        &subscriptions{db},
		Resources:            &resources{db},
		Roles:                &roles{db},
		Machines:             &machines{db},
		ManagedIdentities:    &managedIdentities{db},
		Issuers:              &issuers{db},
		Once:                 &once{db: db.aside()},
		Keys:                 &keys{db, cfg.Sealer},
		Audit:                a,
		db:                   db,
	}, nil
}

func open(ctx context.Context, cfg Config) (database, error) {
	if strings.HasPrefix(cfg.DSN, "postgres://") || strings.HasPrefix(cfg.DSN, "postgresql://") {
		return openPostgres(ctx, cfg.DSN, cfg.Connections)
	}
	file, sqlite := strings.CutPrefix(cfg.DSN, "sqlite:")
	switch {
	case cfg.DSN == "" || sqlite && file == ":memory:":
		return openSQLiteMemory(ctx)
	case sqlite && file == "":
		return openSQLiteTemporary(ctx, cfg.Connections)
	case sqlite:
		return openSQLiteFile(ctx, file, cfg.Connections)
	}
	scheme, _, _ := strings.Cut(cfg.DSN, ":") // the rest may hold a password
	return nil, fault.New(fault.Invalid, "open store", "a database is sqlite:PATH, sqlite::memory: or postgres://…, not "+scheme+":…")
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := one(ctx, s.db, "ping", scanInt, `select 1`)
	return err
}

// Close waits for what runs in the background and closes the database.
func (s *Store) Close() error {
	return errors.Join(s.Audit.close(), fault.Wrap(fault.Internal, "close store", s.db.close()))
}
