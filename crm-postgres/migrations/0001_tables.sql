-- Every table of a tenant begins its keys with `tenant_id`, so that a row can neither be found nor
-- referred to without its tenant, and the tables can be distributed by it. `doc` is the record as JSON;
-- the columns beside it are what is filtered, sorted or kept unique, and are compared by leakproof
-- operators alone: row security lets no other become an index condition.
--
-- The type of `doc` is `json`, not `jsonb`: it is given back as it was written, and holds all
-- characters that people paste into a text, of which `jsonb` and `text` refuse one.

alter default privileges revoke execute on functions from public;

-- Row security for a table whose rows belong to tenants. The restrictive policy is what isolates;
-- the permissive one lets the rows through that it leaves.
create function crm.protect(_table regclass) returns void language plpgsql as $$
declare
    _own constant text :=
        'tenant_id = (select nullif(current_setting(''crm.tenant_id'', true), '''')::uuid)';
begin
    execute format('alter table %s enable row level security', _table);
    execute format('alter table %s force row level security', _table);
    execute format('create policy allowed on %s using (true) with check (true)', _table);
    execute format(
        'create policy own_tenant on %s as restrictive using (%s) with check (%s)', _table, _own, _own
    );
end
$$;

create table crm.tenants (
    tenant_id uuid not null,
    slug      text collate "C" not null,
    version   bigint not null,
    doc       json not null,
    constraint tenants_pkey primary key (tenant_id),
    constraint tenants_slug_key unique (slug)
);

create table crm.users (
    tenant_id uuid   not null,
    id        uuid   not null,
    email_key text   collate "C" not null,
    version   bigint not null,
    doc       json   not null,
    constraint users_pkey primary key (tenant_id, id),
    constraint users_email_key unique (tenant_id, email_key),
    constraint users_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id)
);

-- What people and programs prove themselves with: how a user signs in, each sign-in, API keys, accounts
-- with providers of identities. From `useless_from` on a row may be forgotten.
create table crm.credentials (
    tenant_id    uuid        not null,
    id           uuid        not null,
    kind         text        collate "C" not null,
    user_id      uuid,
    useless_from timestamptz not null,
    version      bigint      not null,
    doc          json        not null,
    constraint credentials_pkey primary key (tenant_id, id),
    constraint credentials_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id),
    constraint credentials_user_fkey
        foreign key (tenant_id, user_id) references crm.users (tenant_id, id)
);
create index credentials_kind on crm.credentials (tenant_id, kind, id);
create index credentials_user on crm.credentials (tenant_id, user_id, kind, id)
    where user_id is not null;

-- What a user is found by before the tenant is known: `email:<address>`, `oidc:<provider>:<digest>`.
create table crm.sign_in_names (
    tenant_id uuid not null,
    value     text collate "C" not null,
    user_id   uuid not null,
    constraint sign_in_names_pkey primary key (tenant_id, value),
    constraint sign_in_names_user_fkey
        foreign key (tenant_id, user_id) references crm.users (tenant_id, id)
);
create index sign_in_names_value on crm.sign_in_names (value, tenant_id);

-- What came of requests that can be repeated.
create table crm.outcomes (
    tenant_id uuid        not null,
    key       text        collate "C" not null,
    until     timestamptz not null,
    doc       json        not null,
    constraint outcomes_pkey primary key (tenant_id, key),
    constraint outcomes_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id)
);
create index outcomes_until on crm.outcomes (tenant_id, until);

create table crm.companies (
    tenant_id uuid   not null,
    id        uuid   not null,
    version   bigint not null,
    doc       json   not null,
    constraint companies_pkey primary key (tenant_id, id),
    constraint companies_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id)
);

-- kind: 0 name, 1 domain
create table crm.company_keys (
    tenant_id  uuid     not null,
    kind       smallint not null,
    value      text     collate "C" not null,
    company_id uuid     not null,
    constraint company_keys_pkey primary key (tenant_id, kind, value),
    constraint company_keys_company_fkey
        foreign key (tenant_id, company_id) references crm.companies (tenant_id, id)
);
create index company_keys_company on crm.company_keys (tenant_id, company_id);

create table crm.contacts (
    tenant_id  uuid        not null,
    id         uuid        not null,
    deleted    boolean     not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    sort_name  text        collate "C" not null,
    owner_id   uuid,
    company_id uuid,
    version    bigint      not null,
    doc        json        not null,
    constraint contacts_pkey primary key (tenant_id, id),
    constraint contacts_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id),
    constraint contacts_owner_fkey
        foreign key (tenant_id, owner_id) references crm.users (tenant_id, id),
    constraint contacts_company_fkey
        foreign key (tenant_id, company_id) references crm.companies (tenant_id, id)
);
create index contacts_created on crm.contacts (tenant_id, deleted, created_at, id);
create index contacts_updated on crm.contacts (tenant_id, deleted, updated_at, id);
create index contacts_name on crm.contacts (tenant_id, deleted, sort_name, id);
create index contacts_owner on crm.contacts (tenant_id, owner_id, deleted, created_at, id)
    where owner_id is not null;
create index contacts_company on crm.contacts (tenant_id, company_id, deleted, created_at, id)
    where company_id is not null;

-- kind: 0 e-mail, 1 phone, 2 tag, 3 fingerprint
create table crm.contact_keys (
    tenant_id  uuid     not null,
    kind       smallint not null,
    value      text     collate "C" not null,
    contact_id uuid     not null,
    live       boolean  not null,
    constraint contact_keys_pkey primary key (tenant_id, kind, value, live, contact_id),
    constraint contact_keys_contact_fkey
        foreign key (tenant_id, contact_id) references crm.contacts (tenant_id, id)
);
create unique index contact_keys_live_email on crm.contact_keys (tenant_id, value)
    where kind = 0 and live;

-- Search. A posting for each term of a live contact; all terms of a contact in one text; the
-- vocabulary, and the hashes of each word with up to two letters left out.
create table crm.terms (
    tenant_id  uuid not null,
    word       text collate "C" not null,
    contact_id uuid not null,
    constraint terms_pkey primary key (tenant_id, word, contact_id)
);
create table crm.contact_terms (
    tenant_id  uuid not null,
    contact_id uuid not null,
    terms      text collate "C" not null,
    constraint contact_terms_pkey primary key (tenant_id, contact_id)
);
create table crm.words (
    tenant_id uuid not null,
    word      text collate "C" not null,
    constraint words_pkey primary key (tenant_id, word)
);
-- The hash is of 32 bits without a sign, kept in an integer of the same bits.
create table crm.word_deletes (
    tenant_id uuid    not null,
    hash      integer not null,
    word      text    collate "C" not null,
    constraint word_deletes_pkey primary key (tenant_id, hash, word)
);

create table crm.activities (
    tenant_id   uuid        not null,
    id          uuid        not null,
    contact_id  uuid        not null,
    kind        text        collate "C" not null,
    occurred_at timestamptz not null,
    user_id     uuid,
    doc         json        not null,
    constraint activities_pkey primary key (tenant_id, id),
    constraint activities_contact_fkey
        foreign key (tenant_id, contact_id) references crm.contacts (tenant_id, id)
);
create index activities_timeline on crm.activities (tenant_id, contact_id, occurred_at, id);
create index activities_time on crm.activities (tenant_id, occurred_at, id);
create index activities_kind on crm.activities (tenant_id, kind, occurred_at, id);
create index activities_user on crm.activities (tenant_id, user_id, occurred_at, id);

-- The position begins with the transaction's number, see `crm.commit` and `crm.events_after`.
create table crm.events (
    tenant_id    uuid        not null,
    position     bigint      not null,
    id           uuid        not null,
    name         text        collate "C" not null,
    occurred_at  timestamptz not null,
    actor        text        not null,
    request_id   text        not null,
    subject_kind text        collate "C" not null,
    subject_id   uuid        not null,
    data         json        not null,
    constraint events_pkey primary key (tenant_id, position),
    constraint events_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id)
);

create table crm.audit (
    tenant_id     uuid        not null,
    id            uuid        not null,
    at            timestamptz not null,
    actor         text        not null,
    action        text        collate "C" not null,
    resource_kind text        collate "C" not null,
    resource_id   uuid        not null,
    request_id    text        not null,
    fields        json        not null,
    constraint audit_pkey primary key (tenant_id, id),
    constraint audit_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id)
);
create index audit_resource on crm.audit (tenant_id, resource_kind, resource_id, id);

select crm.protect('crm.users');
select crm.protect('crm.credentials');
select crm.protect('crm.outcomes');
select crm.protect('crm.companies');
select crm.protect('crm.company_keys');
select crm.protect('crm.contacts');
select crm.protect('crm.contact_keys');
select crm.protect('crm.terms');
select crm.protect('crm.contact_terms');
select crm.protect('crm.words');
select crm.protect('crm.word_deletes');
select crm.protect('crm.activities');
select crm.protect('crm.events');
select crm.protect('crm.audit');

-- A tenant is also looked up before one is known, by slug or in a list of the operator's, and so is a
-- user who signs in. For that a statement names the reason of its work across tenants; only reads of
-- these two tables heed it.
create function crm.protect_but_for_look_ups(_table regclass) returns void language plpgsql as $$
declare
    _own constant text :=
        'tenant_id = (select nullif(current_setting(''crm.tenant_id'', true), '''')::uuid)';
    _or_system constant text :=
        _own || ' or (select coalesce(current_setting(''crm.system'', true), '''') <> '''')';
begin
    execute format('alter table %s enable row level security', _table);
    execute format('alter table %s force row level security', _table);
    execute format('create policy allowed on %s using (true) with check (true)', _table);
    execute format(
        'create policy own_tenant_or_system on %s as restrictive for select using (%s)',
        _table, _or_system
    );
    execute format(
        'create policy own_tenant_insert on %s as restrictive for insert with check (%s)', _table, _own
    );
    execute format(
        'create policy own_tenant_update on %s as restrictive for update using (%s) with check (%s)',
        _table, _own, _own
    );
    execute format(
        'create policy own_tenant_delete on %s as restrictive for delete using (%s)', _table, _own
    );
end
$$;
select crm.protect_but_for_look_ups('crm.tenants');
select crm.protect_but_for_look_ups('crm.sign_in_names');

-- What the application needs and no more: the audit log and the event log cannot be rewritten.
grant select, insert on all tables in schema crm to crm_app;
grant update on crm.tenants, crm.users, crm.credentials, crm.outcomes, crm.companies, crm.contacts, crm.contact_terms to crm_app;
grant delete on crm.credentials, crm.outcomes, crm.company_keys, crm.contact_keys, crm.terms, crm.contact_terms, crm.words,
    crm.word_deletes to crm_app;
