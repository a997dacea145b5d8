-- The queue, and schedules of jobs. Workers ask it for all tenants at once.

-- A job that is done is gone, so the table is as long as what waits. Its rows change three times and go:
-- they are swept early, and a page has room for the next state of a row.
create table crm.jobs (
    tenant_id    uuid        not null,
    id           uuid        not null,
    kind         text        collate "C" not null,
    -- scheduled, ready, running, dead
    state        text        collate "C" not null,
    priority     smallint    not null,
    run_at       timestamptz not null,
    max_attempts bigint      not null,
    unique_key   text        collate "C",
    request_id   text        not null,
    created_at   timestamptz not null,
    payload      json        not null,
    -- A text of JSON: it may hold what `text` refuses.
    failure      json,
    attempts     bigint      not null,
    -- Counts the claims; whoever has a lesser one has lost the job.
    token        bigint      not null default 0,
    lease_until  timestamptz,
    constraint jobs_pkey primary key (tenant_id, id),
    constraint jobs_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id)
) with (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0
);
create unique index jobs_unique_key on crm.jobs (tenant_id, kind, unique_key)
    where state in ('scheduled', 'ready') and unique_key is not null;
create index jobs_dead on crm.jobs (tenant_id, id) where state = 'dead';
-- The ones that a worker looks into: lanes of a kind and tenant, what is due, whose lease has run out.
create index jobs_ready on crm.jobs (kind, tenant_id, priority, run_at, id) where state = 'ready';
create index jobs_due on crm.jobs (run_at) where state = 'scheduled';
create index jobs_leases on crm.jobs (lease_until) where state = 'running';

create table crm.schedules (
    tenant_id uuid        not null,
    id        uuid        not null,
    name      text        collate "C" not null,
    next_at   timestamptz,
    version   bigint      not null,
    doc       json        not null,
    constraint schedules_pkey primary key (tenant_id, id),
    constraint schedules_name_key unique (tenant_id, name),
    constraint schedules_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id)
) with (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 200
);
create index schedules_due on crm.schedules (next_at, id) where next_at is not null;

-- The queue is worked on for all tenants by a statement that names its reason. It makes no jobs, and hands
-- none over: the columns that it may change are few.
create function crm.protect_queue(_table regclass) returns void language plpgsql as $$
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
        'create policy own_tenant_or_system_update on %s as restrictive for update using (%s) with check (%s)',
        _table, _or_system, _or_system
    );
    execute format(
        'create policy own_tenant_or_system_delete on %s as restrictive for delete using (%s)',
        _table, _or_system
    );
end
$$;
select crm.protect_queue('crm.jobs');
select crm.protect_but_for_look_ups('crm.schedules');

grant select, insert, delete on crm.jobs to crm_app;
grant update (state, run_at, failure, attempts, token, lease_until) on crm.jobs to crm_app;
grant select, insert, update on crm.schedules to crm_app;

-- Refuses a unit of work whose lease is not good, and holds the job until the unit is there or not, so
-- that nobody else can claim it in between.
create function crm.hold_lease(_tenant uuid, _at timestamptz, _lease json)
returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform from json_to_record(_lease) as lease (job uuid, token bigint)
        cross join lateral (
            select from crm.jobs
            where jobs.tenant_id = _tenant and jobs.id = lease.job and jobs.state = 'running'
                and jobs.token = lease.token and jobs.lease_until > _at
            for update
        ) as held;
    if not found then
        raise exception using errcode = 'UX003', message = 'crm: the lease of the job is lost';
    end if;
end
$$;

-- The job waits until its time; where another one waits under its unique key, it goes.
create function crm.job_waits(_tenant uuid, _id uuid, _run_at timestamptz, _now timestamptz)
returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    update crm.jobs
        set run_at = _run_at, state = case when _run_at > _now then 'scheduled' else 'ready' end
        where tenant_id = _tenant and id = _id;
exception when unique_violation then
    delete from crm.jobs where tenant_id = _tenant and id = _id;
end
$$;

-- Dead jobs that are retried or discarded.
create function crm.end_dead_jobs(_tenant uuid, _at timestamptz, _ends json)
returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _end record;
    _refused record;
begin
    for _end in select * from json_to_recordset(_ends) as made (id uuid, retried boolean) loop
        if _end.retried then
            update crm.jobs set attempts = 0
                where tenant_id = _tenant and id = _end.id and state = 'dead';
        else
            delete from crm.jobs where tenant_id = _tenant and id = _end.id and state = 'dead';
        end if;
        if not found then
            select 'job' as what, 0 as expected, null as found into _refused;
            perform crm.refuse_version(_refused);
        end if;
        if _end.retried then
            perform crm.job_waits(_tenant, _end.id, _at, _at);
        end if;
    end loop;
end
$$;

create function crm.put_schedules(_tenant uuid, _schedules json) returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _done uuid[];
    _refused record;
begin
    with made as (
        select * from json_to_recordset(_schedules) as made (
            id uuid, expected bigint, version bigint, name text, next_at timestamptz, doc text
        )
    ), inserted as (
        insert into crm.schedules (tenant_id, id, name, next_at, version, doc)
            select _tenant, id, name, next_at, version, doc::json from made where expected = 0
            on conflict do nothing
            returning id
    ), changed as (
        update crm.schedules
            set next_at = made.next_at, version = made.version, doc = made.doc::json
            from made
            where schedules.tenant_id = _tenant and schedules.id = made.id and made.expected > 0
                and schedules.version = made.expected
            returning schedules.id
    )
    select array_agg(id) into _done
        from (select id from inserted union all select id from changed) as done;
    select 'schedule' as what, made.expected, schedules.version as found into _refused
        from json_to_recordset(_schedules) as made (id uuid, expected bigint)
        left join crm.schedules on schedules.tenant_id = _tenant and schedules.id = made.id
        where made.id <> all (coalesce(_done, '{}'))
            and (made.expected > 0 or schedules.id is not null)
        limit 1;
    perform crm.refuse_version(_refused);
    if cardinality(_done) is distinct from json_array_length(_schedules) then
        select 'schedule' as what, made.name as value, schedules.id as holder into _refused
            from json_to_recordset(_schedules) as made (id uuid, name text)
            join crm.schedules on schedules.tenant_id = _tenant and schedules.name = made.name
            where schedules.id <> made.id limit 1;
        perform crm.refuse_taken(_refused);
    end if;
end
$$;

-- Frees jobs whose lease has run out, and makes ready those whose time has come: so many in a call that
-- a claim stays short.
create function crm.wake_jobs(_now timestamptz) returns void language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off as $$
declare
    _kept record;
begin
    for _kept in
        with lapsed as materialized (
            select tenant_id, id, attempts >= max_attempts as dead, unique_key is not null as keyed
            from crm.jobs
            where state = 'running' and lease_until <= _now
            order by lease_until limit 200 for update skip locked
        ), freed as (
            update crm.jobs set state = case when lapsed.dead then 'dead' else 'ready' end,
                    run_at = case when lapsed.dead then jobs.run_at else _now end,
                    failure = case when lapsed.dead
                        then to_json('its workers did not come back'::text) else jobs.failure end
                from lapsed
                where jobs.tenant_id = lapsed.tenant_id and jobs.id = lapsed.id
                    and (lapsed.dead or not lapsed.keyed)
        )
        select tenant_id, id from lapsed where not dead and keyed order by tenant_id, id
    loop
        perform crm.job_waits(_kept.tenant_id, _kept.id, _now, _now);
    end loop;
    -- One that is scheduled waits under its unique key already.
    with due as materialized (
        select tenant_id, id from crm.jobs
        where state = 'scheduled' and run_at <= _now
        order by run_at limit 500 for update skip locked
    )
    update crm.jobs set state = 'ready' from due
        where jobs.tenant_id = due.tenant_id and jobs.id = due.id;
end
$$;

create type crm.claimed_job as (
    lane integer, tenant_id uuid, region text, token bigint, id uuid, kind text, payload json,
    state text, priority smallint, run_at timestamptz, attempts bigint, max_attempts bigint,
    unique_key text, failure json, request_id text, created_at timestamptz
);

-- Claims jobs of all tenants. Lanes are a kind and a tenant; each gets the same share, and what a short
-- one leaves goes to the others. Neither the number of jobs in a lane nor of lanes beyond the limit
-- matters: the tenants are found by leaps through the index, and a lane is read as far as its share.
--
-- The tables grow from nothing to much within a minute, so the planner is not asked which is cheaper.
create function crm.claim_jobs(
    _reason text, _kinds text[], _limit bigint, _after uuid, _now timestamptz, _until timestamptz
) returns setof crm.claimed_job language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off as $$
declare
    _before constant text := coalesce(current_setting('crm.system', true), '');
    _left bigint := _limit;
    _lane_kinds text[] := '{}';
    _lane_tenants uuid[] := '{}';
    _low uuid := _after;
    _got integer[];
    _asked bigint;
    _share bigint;
    _more_kinds text[];
    _more_tenants uuid[];
    _job crm.claimed_job;
begin
    perform set_config('crm.system', _reason, true);
    perform crm.wake_jobs(_now);

    -- The tenants after `_after`, and then from the beginning.
    for _half in 0 .. 1 loop
        with recursive lane (kind, tenant_id, place) as (
            select wanted.kind, lowest.tenant_id, 1
                from (select distinct kind from unnest(_kinds) as kind) as wanted
                cross join lateral (
                    select jobs.tenant_id from crm.jobs
                    where jobs.state = 'ready' and jobs.kind = wanted.kind
                        and jobs.tenant_id > _low
                    order by jobs.tenant_id limit 1
                ) as lowest
            union all
            select lane.kind, next.tenant_id, lane.place + 1
                from lane
                cross join lateral (
                    select jobs.tenant_id from crm.jobs
                    where jobs.state = 'ready' and jobs.kind = lane.kind
                        and jobs.tenant_id > lane.tenant_id
                    order by jobs.tenant_id limit 1
                ) as next
                where lane.place < _limit and (_half = 0 or lane.tenant_id <= _after)
        ), found as (
            select lane.kind, lane.tenant_id from lane
            where _half = 0 or lane.tenant_id <= _after
            order by lane.tenant_id, lane.kind
            limit _limit - cardinality(_lane_kinds)
        )
        select coalesce(array_agg(kind), '{}'), coalesce(array_agg(tenant_id), '{}')
            into _more_kinds, _more_tenants from found;
        _lane_kinds := _lane_kinds || _more_kinds;
        _lane_tenants := _lane_tenants || _more_tenants;
        exit when cardinality(_lane_kinds) >= _limit;
        _low := '00000000-0000-0000-0000-000000000000';
    end loop;

    while _left > 0 and cardinality(_lane_kinds) > 0 loop
        _asked := least(_left, cardinality(_lane_kinds));
        _share := _left / _asked;
        _got := array_fill(0, array[cardinality(_lane_kinds)]);
        for _job in
            with front as materialized (
                select lane.place, job.tenant_id, job.id,
                    row_number() over (
                        partition by lane.place order by job.priority, job.run_at, job.id
                    ) as turn
                from unnest(_lane_kinds[:_asked], _lane_tenants[:_asked]) with ordinality
                    as lane (kind, tenant_id, place)
                cross join lateral (
                    select jobs.tenant_id, jobs.id, jobs.priority, jobs.run_at from crm.jobs
                    where jobs.state = 'ready' and jobs.kind = lane.kind
                        and jobs.tenant_id = lane.tenant_id
                    order by jobs.priority, jobs.run_at, jobs.id
                    limit _share for update skip locked
                ) as job
            ), taken as (
                update crm.jobs set state = 'running', token = jobs.token + 1,
                        attempts = jobs.attempts + 1, lease_until = _until
                    from front
                    where jobs.tenant_id = front.tenant_id and jobs.id = front.id
                    returning front.place, front.turn, jobs.*
            )
            select taken.place, taken.tenant_id, (
                       -- Not by a join with the tenants: the planner would read all of them.
                       select tenants.doc ->> 'default_region' from crm.tenants
                       where tenants.tenant_id = taken.tenant_id
                   ), taken.token, taken.id, taken.kind, taken.payload, taken.state, taken.priority, taken.run_at,
                   taken.attempts, taken.max_attempts, taken.unique_key, taken.failure,
                   taken.request_id, taken.created_at
            from taken order by taken.turn, taken.place
        loop
            _got[_job.lane] := _got[_job.lane] + 1;
            _left := _left - 1;
            return next _job;
        end loop;
        -- A lane that gave less has no more. Those that were not asked yet come next.
        select coalesce(array_agg(lane.kind order by lane.place <= _asked, lane.place), '{}'),
               coalesce(array_agg(lane.tenant_id order by lane.place <= _asked, lane.place), '{}')
            into _lane_kinds, _lane_tenants
            from unnest(_lane_kinds, _lane_tenants, _got) with ordinality
                as lane (kind, tenant_id, got, place)
            where lane.place > _asked or lane.got >= _share;
    end loop;
    perform set_config('crm.system', _before, true);
end
$$;

-- Prolongs the leases that are good; returns the place of each among those that were named.
create function crm.keep_jobs(
    _reason text, _tenants uuid[], _ids uuid[], _tokens bigint[], _now timestamptz, _until timestamptz
) returns setof bigint language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off as $$
declare
    _before constant text := coalesce(current_setting('crm.system', true), '');
begin
    perform set_config('crm.system', _reason, true);
    return query
        with kept as (
            update crm.jobs set lease_until = _until
                from unnest(_tenants, _ids, _tokens) with ordinality
                    as lease (tenant_id, id, token, place)
                where jobs.tenant_id = lease.tenant_id and jobs.id = lease.id
                    and jobs.state = 'running' and jobs.token = lease.token
                    and jobs.lease_until > _now
                returning lease.place
        )
        select place from kept order by place;
    perform set_config('crm.system', _before, true);
end
$$;

-- What became of jobs: done, later (the try does not count), again, dead. Who has lost the lease changes
-- nothing.
create function crm.settle_jobs(
    _reason text, _tenants uuid[], _ids uuid[], _tokens bigint[], _ends text[],
    _run_at timestamptz[], _failures text[], _now timestamptz
) returns void language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off as $$
declare
    _before constant text := coalesce(current_setting('crm.system', true), '');
    _kept record;
begin
    perform set_config('crm.system', _reason, true);
    if 'done' = any (_ends) then
        delete from crm.jobs
            using unnest(_tenants, _ids, _tokens, _ends) as made (tenant_id, id, token, ending)
            where jobs.tenant_id = made.tenant_id and jobs.id = made.id and made.ending = 'done'
                and jobs.state = 'running' and jobs.token = made.token;
    end if;
    if 'dead' = any (_ends) then
        update crm.jobs set state = 'dead', failure = made.failure::json
            from unnest(_tenants, _ids, _tokens, _ends, _failures)
                as made (tenant_id, id, token, ending, failure)
            where jobs.tenant_id = made.tenant_id and jobs.id = made.id and made.ending = 'dead'
                and jobs.state = 'running' and jobs.token = made.token;
    end if;
    if _ends && array['later', 'again'] then
        for _kept in
            with settled as (
                update crm.jobs set
                        attempts = case made.ending
                            when 'later' then greatest(jobs.attempts - 1, 0) else jobs.attempts end,
                        failure = case made.ending
                            when 'later' then jobs.failure else made.failure::json end,
                        run_at = made.run_at,
                        state = case
                            when jobs.unique_key is not null then jobs.state
                            when made.run_at > _now then 'scheduled' else 'ready' end
                    from unnest(_tenants, _ids, _tokens, _ends, _run_at, _failures)
                        as made (tenant_id, id, token, ending, run_at, failure)
                    where jobs.tenant_id = made.tenant_id and jobs.id = made.id
                        and made.ending in ('later', 'again')
                        and jobs.state = 'running' and jobs.token = made.token
                    returning jobs.tenant_id, jobs.id, jobs.unique_key, jobs.run_at
            )
            select tenant_id, id, run_at from settled where unique_key is not null
            order by tenant_id, id
        loop
            perform crm.job_waits(_kept.tenant_id, _kept.id, _kept.run_at, _now);
        end loop;
    end if;
    perform set_config('crm.system', _before, true);
end
$$;

create function crm.schedules_due(_reason text, _now timestamptz, _limit bigint)
returns table (tenant_id uuid, region text, doc json) language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _before constant text := coalesce(current_setting('crm.system', true), '');
begin
    perform set_config('crm.system', _reason, true);
    return query
        select due.tenant_id, (
                select tenants.doc ->> 'default_region' from crm.tenants
                where tenants.tenant_id = due.tenant_id
            ), due.doc
        from (
            select schedules.tenant_id, schedules.id, schedules.next_at, schedules.doc
            from crm.schedules where schedules.next_at <= _now
            order by schedules.next_at, schedules.id limit _limit
        ) as due
        order by due.next_at, due.id;
    perform set_config('crm.system', _before, true);
end
$$;

-- The newest first. Dead ones, of which there may be many that are asked for, have an index of their own.
create function crm.job_list(
    _tenant uuid, _state text, _kind text, _before uuid, _limit bigint
) returns setof crm.jobs language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    if _state = 'dead' then
        return query select * from crm.jobs
            where tenant_id = _tenant and state = 'dead' and id < _before
                and (_kind is null or kind = _kind)
            order by id desc limit _limit;
    else
        return query select * from crm.jobs
            where tenant_id = _tenant and id < _before
                and (_state is null or state = _state) and (_kind is null or kind = _kind)
            order by id desc limit _limit;
    end if;
end
$$;

create function crm.job_get(_tenant uuid, _id uuid) returns setof crm.jobs language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return query select * from crm.jobs where tenant_id = _tenant and id = _id;
end
$$;

create function crm.schedule_list(_tenant uuid) returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (
        select string_agg(doc::text, E'\n' order by name) from crm.schedules where tenant_id = _tenant
    );
end
$$;

grant execute on all functions in schema crm to crm_app;
revoke execute on function crm.protect, crm.protect_but_for_look_ups, crm.protect_queue from crm_app;
