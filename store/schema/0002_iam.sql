-- Identities of accounts: roles, users, groups, managed policies, identity providers and MFA devices, who
-- is attached to what, and the keys of users. References go by id and are checked by the database, so that
-- what is in use cannot be deleted, nor what was deleted used, by callers at the same moment either.

alter table account add column alias text collate "C" not null default '';
alter table account add column token_issuer text collate "C" not null default '';
alter table account add column version bigint not null default 1;
create unique index account_alias on account (alias) where alias <> '';
create unique index account_token_issuer on account (token_issuer) where token_issuer <> '';

-- name is the key by which the kind compares names: folded to lower case, or as written. holder is the
-- user who has an MFA device.
create table iam_entity (
	id         text collate "C" primary key,
	account_id text collate "C" not null,
	kind       text collate "C" not null,
	name       text collate "C" not null,
	arn        text collate "C" not null,
	holder     text collate "C" references iam_entity (id),
	version    bigint not null,
	doc        text not null
);
create unique index iam_entity_name on iam_entity (account_id, kind, name);
create unique index iam_entity_arn on iam_entity (arn);
create index iam_entity_holder on iam_entity (holder);

-- policy_id is null for the cloud's own policies, which have no row.
create table iam_attachment (
	entity_id  text collate "C" not null references iam_entity (id) on delete cascade,
	boundary   boolean not null,
	policy_arn text collate "C" not null,
	policy_id  text collate "C" references iam_entity (id),
	primary key (entity_id, boundary, policy_arn)
);
create index iam_attachment_policy on iam_attachment (policy_id);
create index iam_attachment_arn on iam_attachment (policy_arn);

create table iam_membership (
	user_id  text collate "C" not null references iam_entity (id),
	group_id text collate "C" not null references iam_entity (id),
	primary key (user_id, group_id)
);
create index iam_membership_group on iam_membership (group_id);

-- user_id is null for the keys of an account's root. Keys that were seeded for a user before users were
-- kept get theirs when the seed is applied again.
alter table access_key add column principal_id text collate "C" not null default '';
alter table access_key add column user_id text collate "C" references iam_entity (id);
update access_key set principal_id = coalesce((select a.id from account a where access_key.doc like '%"principalId":"' || a.id || '"%'), '');
create index access_key_of on access_key (principal_id, id);
create index access_key_user on access_key (user_id);

create table last_use (
	id      text collate "C" primary key,
	used_at bigint not null,
	service text not null,
	region  text not null
);

alter table seed_account add column alias text collate "C" not null default '';
alter table seed_account add column token_issuer text collate "C" not null default '';
alter table seed_account add column version bigint not null default 1;
alter table seed_access_key add column principal_id text collate "C" not null default '';
alter table seed_access_key add column user_id text collate "C";
update seed_access_key set principal_id = coalesce((select a.id from seed_account a where seed_access_key.doc like '%"principalId":"' || a.id || '"%'), '');
create table seed_iam_entity as select * from iam_entity where 1 = 0;
create table seed_iam_attachment as select * from iam_attachment where 1 = 0;
create table seed_iam_membership as select * from iam_membership where 1 = 0;
create table seed_last_use as select * from last_use where 1 = 0;
