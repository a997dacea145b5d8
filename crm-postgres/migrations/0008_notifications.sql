-- What people are told, and what they want to be told.

create table crm.notifications (
    tenant_id  uuid        not null,
    id         uuid        not null,
    user_id    uuid        not null,
    kind       text        collate "C" not null,
    created_at timestamptz not null,
    unread     boolean     not null,
    pending    boolean     not null,
    version    bigint      not null,
    doc        json        not null,
    constraint notifications_pkey primary key (tenant_id, id),
    constraint notifications_user_fkey foreign key (tenant_id, user_id) references crm.users (tenant_id, id)
);
-- Who reads a page reads one of these orders.
create index notifications_user on crm.notifications (tenant_id, user_id, created_at, id);
create index notifications_unread on crm.notifications (tenant_id, user_id, created_at, id) where unread;
create index notifications_pending on crm.notifications (tenant_id, user_id, created_at, id) where pending;

-- The id is the user's.
create table crm.notification_preferences (
    tenant_id uuid   not null,
    id        uuid   not null,
    version   bigint not null,
    doc       json   not null,
    constraint notification_preferences_pkey primary key (tenant_id, id),
    constraint notification_preferences_user_fkey
        foreign key (tenant_id, id) references crm.users (tenant_id, id)
);
select crm.protect('crm.notifications');
select crm.protect('crm.notification_preferences');
grant select, insert, update on crm.notifications, crm.notification_preferences to crm_app;

create function crm.put_notifications(_tenant uuid, _notifications json) returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _done uuid[];
    _refused record;
begin
    with made as (
        select * from json_to_recordset(_notifications) as made (
            id uuid, expected bigint, version bigint, user_id uuid, kind text,
            created_at timestamptz, unread boolean, pending boolean, doc text
        )
    ), inserted as (
        insert into crm.notifications (tenant_id, id, user_id, kind, created_at, unread, pending,
                                       version, doc)
            select _tenant, id, user_id, kind, created_at, unread, pending, version, doc::json
            from made where expected = 0
            on conflict do nothing
            returning id
    ), changed as (
        update crm.notifications set unread = made.unread, pending = made.pending,
                version = made.version, doc = made.doc::json
            from made
            where notifications.tenant_id = _tenant and notifications.id = made.id
                and made.expected > 0 and notifications.version = made.expected
            returning notifications.id
    )
    select array_agg(id) into _done
        from (select id from inserted union all select id from changed) as done;
    select 'notification' as what, made.expected, notifications.version as found into _refused
        from json_to_recordset(_notifications) as made (id uuid, expected bigint)
        left join crm.notifications
            on notifications.tenant_id = _tenant and notifications.id = made.id
        where made.id <> all (coalesce(_done, '{}'))
        limit 1;
    perform crm.refuse_version(_refused);
end
$$;

create function crm.put_notification_preferences(_tenant uuid, _preferences json)
returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _done uuid[];
    _refused record;
begin
    with made as (
        select * from json_to_recordset(_preferences) as made (
            id uuid, expected bigint, version bigint, doc text
        )
    ), inserted as (
        insert into crm.notification_preferences (tenant_id, id, version, doc)
            select _tenant, id, version, doc::json from made where expected = 0
            on conflict do nothing
            returning id
    ), changed as (
        update crm.notification_preferences set version = made.version, doc = made.doc::json
            from made
            where notification_preferences.tenant_id = _tenant
                and notification_preferences.id = made.id and made.expected > 0
                and notification_preferences.version = made.expected
            returning notification_preferences.id
    )
    select array_agg(id) into _done
        from (select id from inserted union all select id from changed) as done;
    select 'notification_preferences' as what, made.expected,
            notification_preferences.version as found into _refused
        from json_to_recordset(_preferences) as made (id uuid, expected bigint)
        left join crm.notification_preferences
            on notification_preferences.tenant_id = _tenant
                and notification_preferences.id = made.id
        where made.id <> all (coalesce(_done, '{}'))
        limit 1;
    perform crm.refuse_version(_refused);
end
$$;

create function crm.notifications_by_id(_tenant uuid, _user uuid, _ids uuid[])
returns text language plpgsql
set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (
        select string_agg(doc::text, E'\n' order by id) from crm.notifications
        where tenant_id = _tenant and id = any (_ids) and user_id = _user
    );
end
$$;

create function crm.notification_preferences_get(_tenant uuid, _user uuid)
returns json language plpgsql as $$
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    return (select doc from crm.notification_preferences where tenant_id = _tenant and id = _user);
end
$$;

grant execute on all functions in schema crm to crm_app;
revoke execute on function crm.protect, crm.protect_but_for_look_ups, crm.protect_queue from crm_app;
