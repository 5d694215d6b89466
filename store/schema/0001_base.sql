-- Rows are key columns and a document (doc, JSON) of what is only carried. Statements must mean the same
-- on SQLite and PostgreSQL: types text, bigint, boolean, bytea; text ids; times as microseconds since
-- 1970 in UTC (0 is no time). Two substitutions for SQLite: collate "C" is taken out, as byte order is its
-- default, and a bigint primary key is called integer, which there makes it the row's own number. A unique
-- index is named TABLE_COLUMN after its last column, which becomes the reason of a conflict. Every table
-- of nouns has its shadow seed_TABLE, which holds the marked state.

create table account (
	id  text collate "C" primary key,
	doc text not null
);

create table access_key (
	id     text collate "C" primary key,
	secret bytea not null,
	doc    text not null
);

create table identity_pool (
	id         text collate "C" primary key,
	account_id text collate "C" not null,
	region     text collate "C" not null,
	version    bigint not null,
	doc        text not null
);
create index identity_pool_page on identity_pool (account_id, region, id);

create table identity (
	id          text collate "C" primary key,
	pool_id     text collate "C" not null references identity_pool (id) on delete cascade,
	disabled    boolean not null,
	merged_into text not null,
	created_at  bigint not null,
	modified_at bigint not null
);
create index identity_page on identity (pool_id, id);

create table identity_login (
	pool_id     text collate "C" not null,
	provider    text collate "C" not null,
	login_user  text collate "C" not null,
	identity_id text collate "C" not null references identity (id) on delete cascade,
	primary key (pool_id, provider, login_user)
);
create index identity_login_of on identity_login (identity_id, provider, login_user);

create table tenant (
	id  text collate "C" primary key,
	doc text not null
);

create table tenant_name (
	name      text collate "C" primary key,
	tenant_id text collate "C" not null references tenant (id) on delete cascade
);
create index tenant_name_of on tenant_name (tenant_id);

create table application (
	id          text collate "C" primary key,
	tenant_id   text collate "C" not null,
	app_id      text collate "C" not null,
	unique_name text collate "C" not null,
	version     bigint not null,
	doc         text not null
);
create unique index application_app_id on application (app_id);
create unique index application_unique_name on application (tenant_id, unique_name) where unique_name <> '';
create index application_page on application (tenant_id, id);

create table application_uri (
	tenant_id      text collate "C" not null,
	uri            text collate "C" not null,
	application_id text collate "C" not null references application (id) on delete cascade,
	primary key (tenant_id, uri)
);
create index application_uri_of on application_uri (application_id);

create table federated_credential (
	id             text collate "C" primary key,
	application_id text collate "C" not null references application (id) on delete cascade,
	name           text collate "C" not null,
	issuer         text collate "C" not null,
	subject        text collate "C" not null,
	doc            text not null
);
create unique index federated_credential_name on federated_credential (application_id, name);
create unique index federated_credential_subject on federated_credential (application_id, issuer, subject) where subject <> '';

create table service_principal (
	id        text collate "C" primary key,
	tenant_id text collate "C" not null,
	app_id    text collate "C" not null,
	version   bigint not null,
	doc       text not null
);
create unique index service_principal_app_id on service_principal (tenant_id, app_id);
create index service_principal_page on service_principal (tenant_id, id);

create table service_principal_name (
	tenant_id    text collate "C" not null,
	name         text collate "C" not null,
	principal_id text collate "C" not null references service_principal (id) on delete cascade,
	primary key (tenant_id, name)
);
create index service_principal_name_of on service_principal_name (principal_id);

create table app_role_assignment (
	tenant_id    text collate "C" not null,
	id           text collate "C" not null,
	principal_id text collate "C" not null,
	resource_id  text collate "C" not null references service_principal (id) on delete cascade,
	role_id      text collate "C" not null,
	doc          text not null,
	primary key (tenant_id, id)
);
create unique index app_role_assignment_role_id on app_role_assignment (principal_id, resource_id, role_id);
create index app_role_assignment_on on app_role_assignment (resource_id, id);

create table directory_user (
	id        text collate "C" primary key,
	tenant_id text collate "C" not null,
	upn       text collate "C" not null,
	doc       text not null
);
create unique index directory_user_upn on directory_user (tenant_id, upn);
create index directory_user_page on directory_user (tenant_id, id);

create table subscription (
	id        text collate "C" primary key,
	tenant_id text collate "C" not null,
	doc       text not null
);
create index subscription_page on subscription (tenant_id, id);

create table resource (
	path       text collate "C" primary key,
	id         text not null,
	name       text not null,
	type       text collate "C" not null,
	created_at bigint not null,
	version    bigint not null,
	doc        text not null
);

create table role_definition (
	tenant_id text collate "C" not null,
	id        text collate "C" not null,
	name      text collate "C" not null,
	doc       text not null,
	primary key (tenant_id, id)
);
create unique index role_definition_name on role_definition (tenant_id, name);

create table role_assignment (
	tenant_id          text collate "C" not null,
	id                 text collate "C" not null,
	principal_id       text collate "C" not null,
	role_definition_id text collate "C" not null,
	scope              text collate "C" not null,
	doc                text not null,
	primary key (tenant_id, id)
);
create unique index role_assignment_scope on role_assignment (tenant_id, principal_id, role_definition_id, scope);

create table signing_key (
	ring         text collate "C" not null,
	id           text collate "C" not null,
	sequence     bigint not null,
	private      bytea not null,
	certificate  bytea not null,
	not_before   bigint not null,
	retire_after bigint not null,
	primary key (ring, id)
);
create unique index signing_key_sequence on signing_key (ring, sequence);

create table seal_check (
	id     text primary key,
	sealed bytea not null
);

create table audit_event (
	position       bigint primary key,
	request_id     text collate "C" not null,
	correlation_id text collate "C" not null,
	doc            text not null,
	evidence       text not null
);
create index audit_event_request on audit_event (request_id);
create index audit_event_correlation on audit_event (correlation_id) where correlation_id <> '';

create table snapshot (
	id text primary key
);
create table seed_account as select * from account where 1 = 0;
create table seed_access_key as select * from access_key where 1 = 0;
create table seed_identity_pool as select * from identity_pool where 1 = 0;
create table seed_identity as select * from identity where 1 = 0;
create table seed_identity_login as select * from identity_login where 1 = 0;
create table seed_tenant as select * from tenant where 1 = 0;
create table seed_tenant_name as select * from tenant_name where 1 = 0;
create table seed_application as select * from application where 1 = 0;
create table seed_application_uri as select * from application_uri where 1 = 0;
create table seed_federated_credential as select * from federated_credential where 1 = 0;
create table seed_service_principal as select * from service_principal where 1 = 0;
create table seed_service_principal_name as select * from service_principal_name where 1 = 0;
create table seed_app_role_assignment as select * from app_role_assignment where 1 = 0;
create table seed_directory_user as select * from directory_user where 1 = 0;
create table seed_subscription as select * from subscription where 1 = 0;
create table seed_resource as select * from resource where 1 = 0;
create table seed_role_definition as select * from role_definition where 1 = 0;
create table seed_role_assignment as select * from role_assignment where 1 = 0;
