-- After the migrations: what depends on the server and on the database, and not on the schema alone.

revoke insert, update, delete, truncate on crm.migrations from crm_app;
grant select on crm.migrations to crm_app;

-- The positions of events begin with the number of the transaction. After a dump was restored into
-- another server, transactions count from where that one is: the base makes good what is missing.
do $$
declare
    _tenant uuid;
    _highest bigint := 0;
    _base bigint;
begin
    perform set_config('crm.system', 'compare the positions of events with the server', true);
    for _tenant in select tenant_id from crm.tenants loop
        perform set_config('crm.tenant_id', _tenant::text, true);
        _highest := greatest(
            _highest, (select max(position) from crm.events where tenant_id = _tenant)
        );
    end loop;
    perform set_config('crm.tenant_id', '', true);
    perform set_config('crm.system', '', true);
    _base := (_highest >> 19) + 1 - pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    if _base > crm.position_base() then
        execute format(
            'create or replace function crm.position_base() returns bigint language sql immutable as %L',
            format('select %s::bigint', _base)
        );
        perform set_config('crm.done', concat_ws(
            E'\n', nullif(current_setting('crm.done'), ''),
            format('raised the base of the events'' positions to %s', _base)
        ), true);
    end if;
end
$$;

reset role;

-- A session of the application waits for nothing for ever, and finds what it does not name by its
-- schema nowhere but in the system's. A value that somebody chose stays.
do $$
declare
    _setting record;
begin
    for _setting in
        select * from (values
            ('statement_timeout', '30s'), ('lock_timeout', '5s'),
            ('idle_in_transaction_session_timeout', '10s'), ('search_path', 'pg_catalog')
        ) as setting (name, value)
        where not exists (
            select from pg_db_role_setting, unnest(setconfig) as set
            where setrole = 'crm_app'::regrole and starts_with(set, name || '=')
                and setdatabase = (select oid from pg_database where datname = current_database())
        )
    loop
        execute format(
            'alter role crm_app in database %I set %I to %L', current_database(), _setting.name, _setting.value
        );
        perform set_config('crm.done', concat_ws(
            E'\n', nullif(current_setting('crm.done'), ''),
            format('set the %s of crm_app to %s', _setting.name, _setting.value)
        ), true);
    end loop;
end
$$;
