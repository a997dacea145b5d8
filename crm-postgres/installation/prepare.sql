-- Before the migrations: the roles, the schema, the table of migrations. What is there stays as it is,
-- so that all may be run again.

do $$
declare
    _database constant text := current_database();
    _set constant text := case when current_setting('server_version_num')::integer < 160000
        then 'member' else 'set' end;
    _done text[] := '{}';
    _role record;
    _holder name;
begin
    -- A second installation waits here until this one is done.
    perform pg_advisory_xact_lock(hashtextextended('install crm', 4281));

    for _role in
        select * from (values ('crm_owner', 'nologin'), ('crm_app', 'login'))
            as role (name, login)
    loop
        if not exists (select from pg_roles where rolname = _role.name) then
            begin
                execute format('create role %I %s noinherit', _role.name, _role.login);
                _done := _done || format('made the role %s', _role.name);
            exception when duplicate_object or unique_violation then
                null; -- Made in this moment, for another database of the server.
            end;
        end if;
    end loop;
    for _role in
        select * from (
            select rolname, concat_ws(' ',
                case when rolsuper then 'nosuperuser' end,
                case when rolbypassrls then 'nobypassrls' end,
                case when rolcreaterole then 'nocreaterole' end,
                case when rolcreatedb then 'nocreatedb' end,
                case when rolreplication then 'noreplication' end,
                case when rolcanlogin and rolname <> 'crm_app' then 'nologin' end,
                case when not rolcanlogin and rolname = 'crm_app' then 'login' end
            ) as mend
            from pg_roles where rolname in ('crm_owner', 'crm_app')
        ) as role where mend <> ''
    loop
        execute format('alter role %I %s', _role.rolname, _role.mend);
        _done := _done || format('made the role %s %s', _role.rolname, _role.mend);
    end loop;

    -- Who makes a role is not a member of it, unless a superuser.
    if not pg_has_role('crm_owner', _set) then
        execute 'grant crm_owner to current_user'
            || case _set when 'set' then ' with inherit false, set true' else '' end;
        _done := _done || format('made %s a member of crm_owner', current_user);
    end if;

    select pg_get_userbyid(nspowner) into _holder from pg_namespace where nspname = 'crm';
    if _holder is null then
        create schema crm authorization crm_owner;
        _done := _done || 'made the schema crm'::text;
    elsif _holder <> 'crm_owner' then
        raise exception using errcode = 'UX010', message = format(
            'there is a schema crm that belongs to %s and not to crm_owner; name another', _holder
        );
    end if;

    select pg_get_userbyid(datdba) into _holder from pg_database where datname = _database;
    if exists (
        select from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
        where datname = _database and grantee = 0 and privilege_type in ('TEMPORARY', 'CREATE')
    ) then
        if pg_has_role(_holder, 'usage') then
            execute format('revoke temporary, create on database %I from public', _database);
            _done := _done || format('took temporary tables in the database %s from public', _database);
        else
            _done := _done || format(
                'left to be done by %s: revoke temporary, create on database %I from public', _holder, _database
            );
        end if;
    end if;
    if not has_database_privilege('crm_app', _database, 'connect') then
        execute format('grant connect on database %I to crm_app', _database);
        _done := _done || format('let crm_app connect to the database %s', _database);
    end if;

    perform set_config('crm.done', array_to_string(_done, E'\n'), true);
end
$$;

set local role crm_owner;

do $$
begin
    grant usage on schema crm to crm_app;
    if to_regclass('crm.migrations') is null then
        create table crm.migrations (
            version    integer     not null,
            name       text        not null,
            checksum   bytea       not null,
            applied_at timestamptz not null default now(),
            constraint migrations_pkey primary key (version)
        );
    end if;
end
$$;
