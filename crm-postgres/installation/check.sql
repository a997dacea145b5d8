-- Whether this server and database can be used at all.

begin isolation level read committed;

set local search_path = pg_catalog;
set local standard_conforming_strings = on;

do $$
begin
    if current_setting('server_version_num')::integer < 150000 then
        raise exception using errcode = 'UX010', message = format(
            'the server is PostgreSQL %s; 15 or later is needed', current_setting('server_version')
        );
    end if;
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception using errcode = 'UX010', message = format(
            'the database `%s` is in %s; create it with encoding UTF8', current_database(),
            current_setting('server_encoding')
        );
    end if;
    if exists (select from pg_get_keywords() where word = 'crm' and catcode in ('R', 'T')) then
        raise exception using errcode = 'UX010', message = 'a word of SQL is no name for the schema';
    end if;
end
$$;
