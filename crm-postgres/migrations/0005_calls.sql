-- Calls, what contacts said about being called, and the tenants' accounts with carriers.

create table crm.telephony_accounts (
    tenant_id uuid   not null,
    id        uuid   not null,
    provider  text   collate "C" not null,
    name      text   collate "C" not null,
    version   bigint not null,
    doc       json   not null,
    constraint telephony_accounts_pkey primary key (tenant_id, id),
    constraint telephony_accounts_name_key unique (tenant_id, provider, name),
    constraint telephony_accounts_tenant_fkey
        foreign key (tenant_id) references crm.tenants (tenant_id)
);
-- A carrier's request names the account, from which the tenant is found.
create index telephony_accounts_name on crm.telephony_accounts (provider, name, tenant_id);

create table crm.calls (
    tenant_id        uuid        not null,
    id               uuid        not null,
    contact_id       uuid,
    user_id          uuid,
    direction        text        collate "C" not null,
    status           text        collate "C" not null,
    disposition      text        collate "C",
    account_id       uuid,
    provider_call_id text        collate "C",
    started_at       timestamptz not null,
    version          bigint      not null,
    doc              json        not null,
    constraint calls_pkey primary key (tenant_id, id),
    constraint calls_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id),
    constraint calls_contact_fkey
        foreign key (tenant_id, contact_id) references crm.contacts (tenant_id, id),
    constraint calls_user_fkey foreign key (tenant_id, user_id) references crm.users (tenant_id, id),
    constraint calls_account_fkey
        foreign key (tenant_id, account_id) references crm.telephony_accounts (tenant_id, id)
);
-- The name first: a comparison that holds for no account, too, is no index condition.
create unique index calls_provider_key on crm.calls (tenant_id, provider_call_id, account_id)
    nulls not distinct where provider_call_id is not null;
create index calls_time on crm.calls (tenant_id, started_at, id);
create index calls_direction on crm.calls (tenant_id, direction, started_at, id);
create index calls_status on crm.calls (tenant_id, status, started_at, id);
create index calls_contact on crm.calls (tenant_id, contact_id, started_at, id)
    where contact_id is not null;
create index calls_user on crm.calls (tenant_id, user_id, started_at, id) where user_id is not null;
create index calls_disposition on crm.calls (tenant_id, disposition, started_at, id)
    where disposition is not null;

create table crm.consents (
    tenant_id  uuid        not null,
    id         uuid        not null,
    contact_id uuid        not null,
    purpose    text        collate "C" not null,
    at         timestamptz not null,
    doc        json        not null,
    constraint consents_pkey primary key (tenant_id, id),
    constraint consents_contact_fkey
        foreign key (tenant_id, contact_id) references crm.contacts (tenant_id, id)
);
create index consents_contact on crm.consents (tenant_id, contact_id, purpose, at, id);

select crm.protect_but_for_look_ups('crm.telephony_accounts');
select crm.protect('crm.calls');
select crm.protect('crm.consents');

-- What a contact said is never changed.
grant select, insert on crm.telephony_accounts, crm.calls, crm.consents to crm_app;
grant update on crm.telephony_accounts, crm.calls to crm_app;
-- A call's entry on the timeline follows the call.
grant update on crm.activities to crm_app;

-- Of what goes into `crm.commit` as one argument, all but the lease: it is rare, and ordinary commits do
-- not pay for it. Texts of JSON are kept in JSON as texts, for they may hold what `text` refuses.
create function crm.commit_more(_tenant uuid, _at timestamptz, _more json)
returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _parts record;
begin
    select * into _parts from json_to_record(_more) as part (
        lease json, accounts json, calls json, entries json, consents json, schedules json,
        ends json, jobs json,
        notifications json, notification_preferences json
    );
    if _parts.accounts is not null then
        perform crm.put_telephony_accounts(_tenant, _parts.accounts);
    end if;
    if _parts.calls is not null then
        perform crm.put_calls(_tenant, _parts.calls);
    end if;
    if _parts.entries is not null then
        insert into crm.activities (tenant_id, id, contact_id, kind, occurred_at, user_id, doc)
            select _tenant, made.id, made.contact_id, made.kind, made.occurred_at, made.user_id,
                   made.doc::json
            from json_to_recordset(_parts.entries) as made (
                id uuid, contact_id uuid, kind text, occurred_at timestamptz, user_id uuid, doc text
            )
            order by made.id
            on conflict (tenant_id, id) do update set contact_id = excluded.contact_id,
                kind = excluded.kind, occurred_at = excluded.occurred_at,
                user_id = excluded.user_id, doc = excluded.doc;
    end if;
    if _parts.consents is not null then
        insert into crm.consents (tenant_id, id, contact_id, purpose, at, doc)
            select _tenant, made.id, made.contact_id, made.purpose, made.at, made.doc::json
            from json_to_recordset(_parts.consents) as made (
                id uuid, contact_id uuid, purpose text, at timestamptz, doc text
            );
    end if;
    if _parts.schedules is not null then
        perform crm.put_schedules(_tenant, _parts.schedules);
    end if;
    if _parts.notifications is not null then
        perform crm.put_notifications(_tenant, _parts.notifications);
    end if;
    if _parts.notification_preferences is not null then
        perform crm.put_notification_preferences(_tenant, _parts.notification_preferences);
    end if;
    if _parts.ends is not null then
        perform crm.end_dead_jobs(_tenant, _at, _parts.ends);
    end if;
    if _parts.lease is not null then
        delete from crm.jobs using json_to_record(_parts.lease) as lease (job uuid, completes boolean)
            where jobs.tenant_id = _tenant and jobs.id = lease.job and lease.completes;
    end if;
    if _parts.jobs is not null then
        insert into crm.jobs (tenant_id, id, kind, state, priority, run_at, attempts, max_attempts,
                              unique_key, request_id, created_at, payload)
            select _tenant, made.id, made.kind, made.state, made.priority, made.run_at, made.attempts,
                   made.max_attempts, made.unique_key, made.request_id, made.created_at,
                   made.payload::json
            from json_to_recordset(_parts.jobs) as made (
                id uuid, kind text, state text, priority smallint, run_at timestamptz,
                attempts bigint, max_attempts bigint, unique_key text, request_id text,
                created_at timestamptz, payload text
            )
            -- In one order for all, so that two units wait for each other and do not lock each other out.
            order by made.kind, made.unique_key, made.id
            on conflict do nothing;
    end if;
end
$$;

create function crm.put_telephony_accounts(_tenant uuid, _accounts json)
returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _done uuid[];
    _refused record;
begin
    with made as (
        select * from json_to_recordset(_accounts) as made (
            id uuid, expected bigint, version bigint, provider text, name text, doc text
        )
    ), inserted as (
        insert into crm.telephony_accounts (tenant_id, id, provider, name, version, doc)
            select _tenant, id, provider, name, version, doc::json from made where expected = 0
            on conflict do nothing
            returning id
    ), changed as (
        update crm.telephony_accounts set version = made.version, doc = made.doc::json
            from made
            where telephony_accounts.tenant_id = _tenant and telephony_accounts.id = made.id
                and made.expected > 0 and telephony_accounts.version = made.expected
            returning telephony_accounts.id
    )
    select array_agg(id) into _done
        from (select id from inserted union all select id from changed) as done;
    select 'telephony account' as what, made.expected, telephony_accounts.version as found into _refused
        from json_to_recordset(_accounts) as made (id uuid, expected bigint)
        left join crm.telephony_accounts
            on telephony_accounts.tenant_id = _tenant and telephony_accounts.id = made.id
        where made.id <> all (coalesce(_done, '{}'))
            and (made.expected > 0 or telephony_accounts.id is not null)
        limit 1;
    perform crm.refuse_version(_refused);
    if cardinality(_done) is distinct from json_array_length(_accounts) then
        select 'telephony_account' as what, made.name as value, telephony_accounts.id as holder
            into _refused
            from json_to_recordset(_accounts) as made (id uuid, provider text, name text)
            join crm.telephony_accounts on telephony_accounts.tenant_id = _tenant
                and telephony_accounts.provider = made.provider
                and telephony_accounts.name = made.name
            where telephony_accounts.id <> made.id limit 1;
        perform crm.refuse_taken(_refused);
    end if;
end
$$;

create function crm.put_calls(_tenant uuid, _calls json) returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _done uuid[];
    _refused record;
begin
    with made as (
        select * from json_to_recordset(_calls) as made (
            id uuid, expected bigint, version bigint, contact_id uuid, user_id uuid, direction text,
            status text, disposition text, account_id uuid, provider_call_id text,
            started_at timestamptz, doc text
        )
    ), inserted as (
        insert into crm.calls (tenant_id, id, contact_id, user_id, direction, status, disposition,
                               account_id, provider_call_id, started_at, version, doc)
            select _tenant, id, contact_id, user_id, direction, status, disposition, account_id,
                   provider_call_id, started_at, version, doc::json
            from made where expected = 0
            order by account_id, provider_call_id
            on conflict do nothing
            returning id
    ), changed as (
        update crm.calls set contact_id = made.contact_id, user_id = made.user_id,
                direction = made.direction, status = made.status, disposition = made.disposition,
                account_id = made.account_id, provider_call_id = made.provider_call_id,
                started_at = made.started_at, version = made.version, doc = made.doc::json
            from made
            where calls.tenant_id = _tenant and calls.id = made.id and made.expected > 0
                and calls.version = made.expected
                and not exists (
                    select from crm.calls as other
                    where other.tenant_id = _tenant
                        and other.account_id is not distinct from made.account_id
                        and other.provider_call_id = made.provider_call_id and other.id <> made.id
                )
            returning calls.id
    )
    select array_agg(id) into _done
        from (select id from inserted union all select id from changed) as done;
    select 'call' as what, made.expected, calls.version as found into _refused
        from json_to_recordset(_calls) as made (id uuid, expected bigint)
        left join crm.calls on calls.tenant_id = _tenant and calls.id = made.id
        where made.id <> all (coalesce(_done, '{}'))
            and (calls.version <> made.expected or (calls.id is null and made.expected > 0))
        limit 1;
    perform crm.refuse_version(_refused);
    if cardinality(_done) is distinct from json_array_length(_calls) then
        select 'provider_call_id' as what, made.provider_call_id as value, calls.id as holder
            into _refused
            from json_to_recordset(_calls) as made (id uuid, account_id uuid, provider_call_id text)
            join crm.calls on calls.tenant_id = _tenant
                and calls.account_id is not distinct from made.account_id
                and calls.provider_call_id = made.provider_call_id
            where calls.id <> made.id limit 1;
        perform crm.refuse_taken(_refused);
    end if;
end
$$;

create function crm.call_get(_tenant uuid, _id uuid) returns json language plpgsql as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select doc from crm.calls where tenant_id = _tenant and id = _id);
end
$$;

create function crm.call_of_provider(_tenant uuid, _account uuid, _provider_call_id text)
returns json language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (
        select doc from crm.calls
        where tenant_id = _tenant and account_id = _account and provider_call_id = _provider_call_id
    );
end
$$;

create function crm.consent_list(_tenant uuid, _contacts uuid[], _history boolean)
returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select string_agg(said.doc::text, E'\n' order by said.contact_id, said.at desc, said.id desc)
        from (select distinct contact_id from unnest(_contacts) as asked (contact_id)) as asked
        cross join lateral (
            select contact_id, id, at, doc,
                row_number() over (partition by purpose order by at desc, id desc) as place
            from crm.consents
            where consents.tenant_id = _tenant and consents.contact_id = asked.contact_id
        ) as said
        where _history or said.place = 1);
end
$$;

create function crm.telephony_account_list(_tenant uuid) returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (
        select string_agg(doc::text, E'\n' order by id) from crm.telephony_accounts
        where tenant_id = _tenant
    );
end
$$;

create function crm.accounts_of_carrier(_reason text, _provider text, _name text, _limit bigint)
returns table (tenant_id uuid, doc json) language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.system', _reason, true);
    return query
        select accounts.tenant_id, accounts.doc from crm.telephony_accounts as accounts
        where accounts.provider = _provider and accounts.name = _name
        order by accounts.tenant_id limit _limit;
end
$$;

grant execute on all functions in schema crm to crm_app;
revoke execute on function crm.protect, crm.protect_but_for_look_ups from crm_app;
