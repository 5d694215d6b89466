-- Issuers of their own, machines with managed identities, and what is used a single time. A federated
-- credential has an owner, an application or a managed identity's service principal: no foreign key says
-- so, and who deletes an owner deletes its credentials with it. SQLite cannot drop a foreign key, so the
-- credentials move to a table without one.

create table issuer (
	name    text collate "C" primary key,
	url     text collate "C" not null,
	version bigint not null,
	doc     text not null
);
create unique index issuer_url on issuer (url);

create table issuer_place (
	host text collate "C" not null,
	path text collate "C" not null,
	name text collate "C" not null references issuer (name) on delete cascade,
	primary key (host, path)
);
create index issuer_place_of on issuer_place (name);

-- key is the SHA-256 of what was used. Neither a noun nor in the marked state: what was used stays used.
create table used_once (
	key   text collate "C" primary key,
	until bigint not null
);
create index used_once_expiry on used_once (until);

create table machine (
	name    text collate "C" primary key,
	id      text collate "C" not null,
	version bigint not null,
	doc     text not null
);
create unique index machine_id on machine (id);

-- path is that of the resource whose service principal this is.
create table managed_identity (
	principal_id text collate "C" primary key references service_principal (id) on delete cascade,
	path         text collate "C" not null
);
create unique index managed_identity_path on managed_identity (path);

create table federated_trust (
	id       text collate "C" primary key,
	owner_id text collate "C" not null,
	name     text collate "C" not null,
	issuer   text collate "C" not null,
	subject  text collate "C" not null,
	doc      text not null
);
insert into federated_trust (id, owner_id, name, issuer, subject, doc)
	select id, application_id, name, issuer, subject, doc from federated_credential;
drop table federated_credential;
create unique index federated_trust_name on federated_trust (owner_id, name);
create unique index federated_trust_subject on federated_trust (owner_id, issuer, subject) where subject <> '';

create table seed_issuer as select * from issuer where 1 = 0;
create table seed_issuer_place as select * from issuer_place where 1 = 0;
create table seed_machine as select * from machine where 1 = 0;
create table seed_managed_identity as select * from managed_identity where 1 = 0;
create table seed_federated_trust as select * from federated_trust where 1 = 0;
insert into seed_federated_trust (id, owner_id, name, issuer, subject, doc)
	select id, application_id, name, issuer, subject, doc from seed_federated_credential;
drop table seed_federated_credential;
