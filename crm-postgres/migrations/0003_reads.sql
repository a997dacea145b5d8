-- The hot reads, each in one statement: a function sets the tenant and then asks, in that order.
-- Records come as JSON, a list of them as one text: a row of its own would cost more than a record.
--
-- A page is planned once and not for its values: by the limit alone, which it cannot foresee, the planner
-- thinks such a plan dear, and plans each call anew in several times the time that the page takes.

create function crm.tenant_get(_reason text, _id uuid) returns json language plpgsql as $$
begin
    perform set_config('crm.system', _reason, true);
    return (select doc from crm.tenants where tenant_id = _id);
end
$$;

create function crm.tenant_by_slug(_reason text, _slug text) returns json language plpgsql as $$
begin
    perform set_config('crm.system', _reason, true);
    return (select doc from crm.tenants where slug = _slug);
end
$$;

create function crm.tenant_list(_reason text, _after text, _limit bigint)
returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.system', _reason, true);
    return (select string_agg(page.doc::text, E'\n') from (
        select doc from crm.tenants where slug > _after order by slug limit _limit
    ) as page);
end
$$;

create function crm.user_get(_tenant uuid, _id uuid) returns json language plpgsql as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select doc from crm.users where tenant_id = _tenant and id = _id);
end
$$;

-- How somebody stands: the tenant, a user by id or by a credential, and the credential.
create function crm.standing(_tenant uuid, _user uuid, _credential uuid)
returns json language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (
        -- Not by a join with the users: the planner would hash all of them. Nor by `coalesce`, which
        -- counts as leaky, so that row security keeps it from being an index condition.
        select json_build_object(
            'tenant', tenants.doc,
            'user', (
                select users.doc from crm.users
                where users.tenant_id = _tenant
                    and users.id = case when _user is null then credentials.user_id else _user end
            ),
            'credential', credentials.doc
        )
        from crm.tenants
        left join crm.credentials
            on credentials.tenant_id = _tenant and credentials.id = _credential
        where tenants.tenant_id = _tenant
    );
end
$$;

create function crm.accounts(_reason text, _name text, _limit bigint)
returns table (tenant_id uuid, user_id uuid) language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.system', _reason, true);
    return query
        select names.tenant_id, names.user_id from crm.sign_in_names as names
        where names.value = _name order by names.tenant_id limit _limit;
end
$$;

create function crm.credential_list(_tenant uuid, _kind text, _user uuid, _after uuid, _limit bigint)
returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    if _user is null then
        return (select string_agg(page.doc::text, E'\n') from (
            select doc from crm.credentials
            where tenant_id = _tenant and kind = _kind and id > _after order by id limit _limit
        ) as page);
    end if;
    return (select string_agg(page.doc::text, E'\n') from (
        select doc from crm.credentials
        where tenant_id = _tenant and user_id = _user and kind = _kind and id > _after
        order by id limit _limit
    ) as page);
end
$$;

create function crm.outcome_get(_tenant uuid, _key text, _now timestamptz)
returns json language plpgsql as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (
        select doc from crm.outcomes where tenant_id = _tenant and key = _key and until > _now
    );
end
$$;

create function crm.user_list(_tenant uuid, _after uuid, _limit bigint)
returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select string_agg(page.doc::text, E'\n') from (
        select doc from crm.users
        where tenant_id = _tenant and id > _after order by id limit _limit
    ) as page);
end
$$;

create function crm.company_get(_tenant uuid, _id uuid) returns json language plpgsql as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select doc from crm.companies where tenant_id = _tenant and id = _id);
end
$$;

create function crm.company_list(_tenant uuid, _after uuid, _limit bigint)
returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select string_agg(page.doc::text, E'\n') from (
        select doc from crm.companies
        where tenant_id = _tenant and id > _after order by id limit _limit
    ) as page);
end
$$;

create function crm.company_by_keys(_tenant uuid, _kinds smallint[], _values text[])
returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select string_agg(page.doc::text, E'\n') from (
        select companies.doc
        from (
            select distinct found.company_id
            from unnest(_kinds, _values) as asked (kind, value)
            cross join lateral (
                select company_id from crm.company_keys
                where tenant_id = _tenant and kind = asked.kind and value = asked.value
                offset 0
            ) as found
        ) as named
        cross join lateral (
            select companies.id, companies.doc from crm.companies
            where companies.tenant_id = _tenant and companies.id = named.company_id
            offset 0
        ) as companies
        order by companies.id
    ) as page);
end
$$;

create function crm.contact_get(_tenant uuid, _id uuid) returns json language plpgsql as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select doc from crm.contacts where tenant_id = _tenant and id = _id);
end
$$;

create function crm.contact_by_ids(_tenant uuid, _ids uuid[]) returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select string_agg(page.doc::text, E'\n') from (
        select contacts.doc
        from unnest(_ids) with ordinality as asked (id, place)
        cross join lateral (
            select doc from crm.contacts where tenant_id = _tenant and contacts.id = asked.id
            offset 0
        ) as contacts
        order by asked.place
    ) as page);
end
$$;

-- A page of the contacts that are in use, or of the deleted ones. The caller names a place before the
-- first or after the last of all where it wants the first page.
create function crm.contact_page(
    _tenant uuid, _deleted boolean, _sort text, _descending boolean,
    _time timestamptz, _name text, _id uuid, _limit bigint
) returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    if _sort = 'created_at' and not _descending then
        return (select string_agg(page.doc::text, E'\n') from (
            select doc from crm.contacts
            where tenant_id = _tenant and deleted = _deleted and (created_at, id) > (_time, _id)
            order by created_at, id limit _limit
        ) as page);
    elsif _sort = 'created_at' and _descending then
        return (select string_agg(page.doc::text, E'\n') from (
            select doc from crm.contacts
            where tenant_id = _tenant and deleted = _deleted and (created_at, id) < (_time, _id)
            order by created_at desc, id desc limit _limit
        ) as page);
    elsif _sort = 'updated_at' and not _descending then
        return (select string_agg(page.doc::text, E'\n') from (
            select doc from crm.contacts
            where tenant_id = _tenant and deleted = _deleted and (updated_at, id) > (_time, _id)
            order by updated_at, id limit _limit
        ) as page);
    elsif _sort = 'updated_at' and _descending then
        return (select string_agg(page.doc::text, E'\n') from (
            select doc from crm.contacts
            where tenant_id = _tenant and deleted = _deleted and (updated_at, id) < (_time, _id)
            order by updated_at desc, id desc limit _limit
        ) as page);
    elsif _sort = 'sort_name' and not _descending then
        return (select string_agg(page.doc::text, E'\n') from (
            select doc from crm.contacts
            where tenant_id = _tenant and deleted = _deleted and (sort_name, id) > (_name, _id)
            order by sort_name, id limit _limit
        ) as page);
    elsif _sort = 'sort_name' and _descending then
        return (select string_agg(page.doc::text, E'\n') from (
            select doc from crm.contacts
            where tenant_id = _tenant and deleted = _deleted and (sort_name, id) < (_name, _id)
            order by sort_name desc, id desc limit _limit
        ) as page);
    else
        raise exception 'crm: contacts cannot be sorted by `%`', _sort;
    end if;
end
$$;

-- The place of each key among those asked for, and the first live contact under it.
create function crm.contact_by_keys(_tenant uuid, _kinds smallint[], _values text[])
returns table (place bigint, contact_id uuid) language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return query select asked.place, holder.contact_id
        from unnest(_kinds, _values) with ordinality as asked (kind, value, place)
        cross join lateral (
            select contact_keys.contact_id from crm.contact_keys
            where contact_keys.tenant_id = _tenant and contact_keys.kind = asked.kind
                and contact_keys.value = asked.value and contact_keys.live
            order by contact_keys.contact_id limit 1
        ) as holder
        order by asked.place;
end
$$;

create function crm.activity_get(_tenant uuid, _id uuid)
returns json language plpgsql as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select doc from crm.activities where tenant_id = _tenant and id = _id);
end
$$;

create function crm.activity_timeline(
    _tenant uuid, _contact uuid, _before timestamptz, _before_id uuid, _limit bigint
) returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select string_agg(page.doc::text, E'\n') from (
        select doc from crm.activities
        where tenant_id = _tenant and contact_id = _contact
            and (occurred_at, id) < (_before, _before_id)
        order by occurred_at desc, id desc limit _limit
    ) as page);
end
$$;

create function crm.audit_list(_tenant uuid, _before uuid, _limit bigint)
returns setof crm.audit language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return query select * from crm.audit
        where tenant_id = _tenant and id < _before
        order by id desc limit _limit;
end
$$;

create function crm.audit_of(_tenant uuid, _kind text, _id uuid, _before uuid, _limit bigint)
returns setof crm.audit language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return query select * from crm.audit
        where tenant_id = _tenant and resource_kind = _kind and resource_id = _id
            and id < _before
        order by id desc limit _limit;
end
$$;

-- Transactions are not committed in the order of their numbers. A reader that saw a later one first
-- would never come back for the earlier one, so nothing is returned that an open transaction of the
-- tenant could still come before.
create function crm.events_after(_tenant uuid, _after bigint, _limit bigint)
returns setof crm.events language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _lock constant bigint := crm.tenant_lock(_tenant);
    _base constant bigint := crm.position_base();
    _next bigint;
    _open bigint;
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    _open := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    -- Not `exists`: the planner expects to meet one at once, and reads the whole table for it.
    if (
        select position from crm.events
        where tenant_id = _tenant and position > greatest(_after, (_open + _base) << 19)
        order by position limit 1
    ) is not null and current_setting('transaction_isolation') = 'read committed' and not pg_is_in_recovery() then
        -- The locks are of this moment, so what is returned must be, too.
        -- Somebody has a transaction open; it holds up this tenant's events only if it writes them.
        _next := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
        -- Their numbers have 32 bits, which go round; those from the next on hold up nothing.
        select min(_next - writer.age) into _open
            from pg_locks as lock
            cross join lateral (
                select ((_next & 4294967295) - own.transactionid::text::bigint) & 4294967295 as age
                from pg_locks as own
                where own.virtualtransaction = lock.virtualtransaction
                    and own.locktype = 'transactionid' and own.mode = 'ExclusiveLock'
            ) as writer
            where lock.locktype = 'advisory' and lock.objsubid = 1 and lock.granted
                and lock.database = (select oid from pg_database where datname = current_database())
                and lock.classid::bigint = (_lock >> 32) & 4294967295
                and lock.objid::bigint = _lock & 4294967295
                and writer.age < 2147483648;
        _open := least(_next, coalesce(_open, _next));
    end if;
    return query select * from crm.events
        where tenant_id = _tenant and position > _after and position < (_open + _base) << 19
        order by position limit _limit;
end
$$;

grant execute on all functions in schema crm to crm_app;
revoke execute on function crm.protect from crm_app;
