-- Who reads the event log, how far it goes, and how it is shortened.

-- Of each tenant the position of the last event that was forgotten.
create table crm.event_horizons (
    tenant_id uuid   not null,
    position  bigint not null,
    constraint event_horizons_pkey primary key (tenant_id),
    constraint event_horizons_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id)
);
create table crm.event_groups (
    tenant_id uuid   not null,
    name      text   collate "C" not null,
    position  bigint not null,
    constraint event_groups_pkey primary key (tenant_id, name),
    constraint event_groups_tenant_fkey foreign key (tenant_id) references crm.tenants (tenant_id)
) with (fillfactor = 70);
select crm.protect('crm.event_horizons');
select crm.protect('crm.event_groups');
grant select, insert, update on crm.event_horizons, crm.event_groups to crm_app;
grant delete on crm.events to crm_app;

-- The end is before every open transaction, whoever's it is: events between it and the newest come to a reader
-- that reads on from it.
create function crm.event_bounds(_tenant uuid)
returns table (horizon bigint, "end" bigint, newest bigint) language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    select event_horizons.position into horizon from crm.event_horizons
        where event_horizons.tenant_id = _tenant;
    horizon := coalesce(horizon, 0);
    select events.position into "end" from crm.events
        where events.tenant_id = _tenant and events.position <
            (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + crm.position_base()) << 19
        order by events.position desc limit 1;
    select events.position into newest from crm.events
        where events.tenant_id = _tenant order by events.position desc limit 1;
    "end" := greatest("end", horizon);
    newest := greatest(newest, horizon);
    return next;
end
$$;

create function crm.event_group(_tenant uuid, _name text)
returns table ("position" bigint) language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return query select event_groups.position from crm.event_groups
        where event_groups.tenant_id = _tenant and event_groups.name = _name;
end
$$;

-- Moves a group from where its reader found it, or refuses the reader's unit of work.
create function crm.move_group(_tenant uuid, _progress json) returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _name constant text := _progress ->> 'group';
    _from constant bigint := _progress ->> 'from';
    _to constant bigint := _progress ->> 'to';
begin
    if _from is null then
        insert into crm.event_groups (tenant_id, name, position) values (_tenant, _name, _to)
            on conflict (tenant_id, name) do nothing;
    else
        update crm.event_groups set position = _to
            where tenant_id = _tenant and name = _name and position = _from;
    end if;
    if not found then
        raise exception using errcode = 'UX004', message = 'crm: another reader has moved the group',
            detail = json_build_object('group', _name);
    end if;
end
$$;

create function crm.forget_events(_tenant uuid, _until timestamptz, _limit bigint)
returns table (forgotten bigint) language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _forgotten bigint;
    _horizon bigint;
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    select event_horizons.position into _forgotten from crm.event_horizons
        where event_horizons.tenant_id = _tenant;
    _forgotten := coalesce(_forgotten, 0);
    -- After those that are forgotten: their places stay in the index until it is cleaned.
    with oldest as materialized (
        select events.position, events.occurred_at from crm.events
        where events.tenant_id = _tenant and events.position > _forgotten
        order by events.position limit _limit
    ), kept as (
        select min(oldest.position) as first from oldest where oldest.occurred_at >= _until
    )
    select max(oldest.position) into _horizon from oldest cross join kept
        where kept.first is null or oldest.position < kept.first;
    forgotten := 0;
    if _horizon is not null then
        insert into crm.event_horizons (tenant_id, position) values (_tenant, _horizon)
            on conflict (tenant_id) do update
                set position = greatest(event_horizons.position, excluded.position);
        delete from crm.events where events.tenant_id = _tenant
            and events.position > _forgotten and events.position <= _horizon;
        get diagnostics forgotten = row_count;
    end if;
    return next;
end
$$;

grant execute on all functions in schema crm to crm_app;
revoke execute on function crm.protect, crm.protect_but_for_look_ups, crm.protect_queue from crm_app;
