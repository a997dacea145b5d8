//! Whether the database really keeps tenants apart: rules over its catalog.
//!
//! Policies isolate nobody from a superuser, from the owner of a table that does not force them, or
//! across a key without its tenant. None of that shows in a query's result, so the catalog is asked.

use crm_core::ports::Finding;
use crm_core::{Error, FieldError, Result};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::failed;
use crate::rows::get;
use crate::schema::SchemaName;

/// One thing that must not be in the database.
struct Rule {
    /// A stable word for programs.
    name: &'static str,
    /// Selects the objects that break it, as text. Written for the schema `crm`, as the migrations are.
    objects: &'static str,
    /// How to mend it.
    mend: &'static str,
}

/// Says that a rule is kept.
const KEPT: &str = "nothing";

/// The rules, which all hold where the store opens.
///
/// The tables of the list `looked_up` are also read before a tenant is known, and `jobs`, the queue, is worked
/// on for all tenants; `migrations` holds nothing of a tenant, and the application may only read it.
const RULES: &[Rule] = &[
    Rule {
        name: "superuser",
        objects: "select rolname from pg_roles where rolname = session_user and rolsuper",
        mend: "connect as `crm_app`: nothing restrains a superuser",
    },
    Rule {
        name: "bypassrls",
        objects: "select rolname from pg_roles where rolname = session_user and rolbypassrls",
        mend: "alter role .. nobypassrls, or connect as `crm_app`",
    },
    Rule {
        name: "role_attributes",
        // CREATEROLE: before PostgreSQL 16 it lets a role make itself a member of the owner.
        objects: "select rolname from login where rolcreaterole or rolcreatedb or rolreplication",
        mend: "alter role .. nocreaterole nocreatedb noreplication, or connect as `crm_app`",
    },
    Rule {
        name: "membership",
        objects: "
            select other.rolname from login join pg_roles as other
                on other.oid <> login.oid and pg_has_role(login.oid, other.oid, 'member')
            where other.rolsuper or other.rolbypassrls or other.rolcreaterole or other.rolreplication
                or other.rolname in (
                    'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'
                )
                or other.oid in (select nspowner from pg_namespace where nspname = 'crm')
                or other.oid in (select relowner from relation)
                or other.oid in (select proowner from routine)",
        mend: "revoke the membership, or connect as `crm_app`",
    },
    Rule {
        name: "ownership",
        objects: "
            select 'schema ' || nspname from pg_namespace, login
                where nspname = 'crm' and nspowner = login.oid
            union all select relation.name from relation, login where relowner = login.oid
            union all select routine.name from routine, login where proowner = login.oid",
        mend: "make `crm_owner` the owner; an owner can switch row security off",
    },
    Rule {
        name: "schema_create",
        objects: "
            select rolname from login
            where has_schema_privilege(oid, (select oid from pg_namespace where nspname = 'crm'), 'create')
                and oid <> (select nspowner from pg_namespace where nspname = 'crm')",
        mend: "revoke create on schema crm from it",
    },
    Rule {
        name: "temporary_tables",
        objects: "
            select rolname from login where has_database_privilege(oid, current_database(), 'temporary')",
        mend: "revoke temporary on the database from it and from public: a temporary table hides one of \
               the same name",
    },
    Rule {
        name: "table_privileges",
        objects: "
            select relation.name || ': ' || privilege from relation, login,
                unnest(array['truncate', 'references', 'trigger']) as privilege
            where relkind in ('r', 'p') and relowner <> login.oid
                and case privilege
                    when 'references' then has_any_column_privilege(login.oid, relation.oid, privilege)
                    else has_table_privilege(login.oid, relation.oid, privilege)
                end",
        mend: "revoke truncate, references, trigger on the table: row security does not cover them",
    },
    Rule {
        name: "history_privileges",
        objects: "
            select relation.name || ': ' || privilege from relation, login,
                unnest(array['insert', 'update', 'delete']) as privilege
            where (
                    relname = 'migrations'
                    or (relname = 'audit' and privilege <> 'insert')
                    -- Old events are forgotten; those that are kept stay as they are.
                    or (relname = 'events' and privilege = 'update')
                )
                and relowner <> login.oid
                and case privilege
                    when 'delete' then has_table_privilege(login.oid, relation.oid, privilege)
                    else has_any_column_privilege(login.oid, relation.oid, privilege)
                end",
        mend: "revoke it from the role: what happened is not rewritten",
    },
    Rule {
        name: "public_privileges",
        objects: "
            select distinct held.name from (
                select 'schema ' || nspname as name, nspacl as acl from pg_namespace where nspname = 'crm'
                union all select name, relacl from relation
                union all select relation.name || '.' || attname, attacl
                    from relation join pg_attribute on attrelid = relation.oid
            ) as held, aclexplode(held.acl) where grantee = 0",
        mend: "revoke all on it from public",
    },
    Rule {
        name: "public_execute",
        objects: "
            select name from routine
            where exists (
                select from aclexplode(coalesce(proacl, acldefault('f', proowner))) where grantee = 0
            )",
        mend: "revoke execute on the function from public",
    },
    Rule {
        name: "tenant_column",
        objects: "
            select name from tenant_table where not exists (
                select from pg_attribute
                where attrelid = tenant_table.oid and attname = 'tenant_id' and attnotnull
                    and atttypid = 'pg_catalog.uuid'::regtype
            )",
        mend: "give the table a column `tenant_id uuid not null`",
    },
    Rule {
        name: "row_security",
        objects: "select name from tenant_table where not relispartition and not relrowsecurity",
        mend: "alter table .. enable row level security",
    },
    Rule {
        name: "row_security_forced",
        objects: "select name from tenant_table where not relispartition and not relforcerowsecurity",
        mend: "alter table .. force row level security",
    },
    Rule {
        name: "permissive_policy",
        objects: "
            select name from tenant_table where not relispartition and not exists (
                select from pg_policy where polrelid = tenant_table.oid and polpermissive
            )",
        mend: "create policy allowed on .. using (true) with check (true)",
    },
    Rule {
        name: "restrictive_policy",
        objects: "
            select name from tenant_table
            where not relispartition and relname <> 'jobs'
                and relname not in (select name from looked_up)
                and oid not in (select polrelid from isolating)",
        mend: "drop the policy own_tenant and run crm.protect",
    },
    Rule {
        name: "policies_of_tenants",
        objects: "
            select relation.name || ': ' || command
            from own, (values ('r'), ('a'), ('w'), ('d')) as each (command), relation
            cross join lateral (
                select case when command = 'r' or (relname = 'jobs' and command <> 'a')
                    then own.or_system else own.expression end as expression
            ) as wanted
            where (relname = 'jobs' or relname in (select name from looked_up)) and not exists (
                select from policy
                where polrelid = relation.oid and polcmd = command::\"char\"
                    and coalesce(polqual, wanted.expression) = wanted.expression
                    and coalesce(polwithcheck, wanted.expression) = wanted.expression
                    and (polqual is not null or command = 'a')
                    and (polwithcheck is not null or command in ('r', 'd'))
            )",
        mend: "give the table the policies of the migrations again",
    },
    Rule {
        name: "queue_privileges",
        objects: "
            select relation.name || '.' || attname from relation
            join pg_attribute on attrelid = relation.oid, login
            where relname = 'jobs' and relowner <> login.oid
                and attname in ('tenant_id', 'id', 'kind', 'payload')
                and has_column_privilege(login.oid, relation.oid, attname, 'update')",
        mend: "revoke update on the column: who works for all tenants could hand a job over to another",
    },
    Rule {
        name: "unprotected_partition",
        // A partition can be asked by its own name, past the policies of the table above it.
        objects: "
            with recursive part (oid) as (
                select inhrelid from pg_inherits where inhparent in (select oid from tenant_table)
                union select inhrelid from pg_inherits join part on inhparent = part.oid
            )
            select part.oid::regclass::text from part join pg_class on pg_class.oid = part.oid
            where (relispartition or relnamespace <> (select oid from pg_namespace where nspname = 'crm'))
                and not (relrowsecurity and relforcerowsecurity
                    and part.oid in (select polrelid from isolating))",
        mend: "give the partition the same row security and policies as its table",
    },
    Rule {
        name: "key_without_tenant",
        // `tenants_slug_key`: the slug is how a tenant is found before it is known.
        objects: "
            select indexrelid::regclass::text from pg_index
            join tenant_table on tenant_table.oid = indrelid
            join pg_class as entry on entry.oid = indexrelid
            where (indisunique or indisprimary or indisexclusion)
                and not (tenant_table.relname = 'tenants' and entry.relname = 'tenants_slug_key')
                and (
                    indkey[0] is distinct from tenant_table.tenant_column
                    or exists (
                        select from pg_constraint where conindid = indexrelid and contype = 'x'
                            and conexclop[1] <> 'pg_catalog.=(uuid,uuid)'::regoperator
                    )
                )",
        mend: "begin the key with tenant_id: it tells one tenant what another has",
    },
    Rule {
        name: "index_without_tenant",
        // By these a tenant is found, or its work, before it is known.
        objects: "
            select indexrelid::regclass::text from pg_index
            join tenant_table on tenant_table.oid = indrelid
            join pg_class as entry on entry.oid = indexrelid
            where not (indisunique or indisprimary or indisexclusion)
                and (tenant_table.relname, entry.relname) not in (
                    ('sign_in_names', 'sign_in_names_value'),
                    ('telephony_accounts', 'telephony_accounts_name'),
                    ('jobs', 'jobs_ready'), ('jobs', 'jobs_due'), ('jobs', 'jobs_leases'),
                    ('schedules', 'schedules_due')
                )
                and indkey[0] is distinct from tenant_table.tenant_column",
        mend: "begin the index with tenant_id",
    },
    Rule {
        name: "foreign_key_without_tenant",
        objects: "
            select conrelid::regclass || ': ' || conname from pg_constraint
            where contype = 'f' and conparentid = 0
                and (conrelid in (select oid from relation) or confrelid in (select oid from relation))
                and not exists (
                    select from unnest(conkey, confkey) as pair (here, there)
                    join pg_attribute as referring
                        on referring.attrelid = conrelid and referring.attnum = pair.here
                    join pg_attribute as referred
                        on referred.attrelid = confrelid and referred.attnum = pair.there
                    where referring.attname = 'tenant_id' and referred.attname = 'tenant_id'
                )",
        mend: "refer to (tenant_id, ..): the server checks a key without row security, so that it accepts \
               the row of another tenant",
    },
    Rule {
        name: "view",
        objects: "
            select viewed.oid::regclass::text from viewed
            where relkind = 'v' and not coalesce(
                (select option_value::boolean from pg_options_to_table(reloptions)
                    where option_name = 'security_invoker'),
                false
            )",
        mend: "alter view .. set (security_invoker = true): it reads with its owner's rights",
    },
    Rule {
        name: "materialized_view",
        objects: "select viewed.oid::regclass::text from viewed where relkind = 'm'",
        mend: "drop the materialized view: it holds rows without row security",
    },
    Rule {
        name: "foreign_table",
        objects: "select name from relation where relkind = 'f'",
        mend: "drop the foreign table: it has no row security",
    },
    Rule {
        name: "sequence",
        objects: "select name from relation where relkind = 'S'",
        mend: "make ids without a sequence: its numbers tell one tenant how busy the others are",
    },
    Rule {
        name: "security_definer",
        objects: "select name from routine where prosecdef",
        mend: "alter function .. security invoker",
    },
    Rule {
        name: "leakproof_function",
        objects: "select name from routine where proleakproof",
        mend: "alter function .. not leakproof: it would be asked before the policies",
    },
    Rule {
        name: "rule_or_trigger",
        objects: "
            select relation.name || ': ' || rulename from pg_rewrite
                join relation on ev_class = relation.oid where rulename <> '_RETURN'
            union all
            select relation.name || ': ' || tgname from pg_trigger
                join relation on tgrelid = relation.oid where not tgisinternal",
        mend: "drop it: what is written is what the store writes",
    },
    Rule {
        name: "preset_tenant",
        objects: "
            select coalesce(rolname, datname, 'all')::text || ': ' || split_part(set, '=', 1)
            from pg_db_role_setting
            left join pg_roles on pg_roles.oid = setrole
            left join pg_database on pg_database.oid = setdatabase,
            unnest(setconfig) as set
            where (starts_with(set, 'crm.tenant_id=') or starts_with(set, 'crm.system='))
                and (setdatabase = 0 or datname = current_database())
            union all
            select name || '.' || proconfig_entry from routine, unnest(proconfig) as proconfig_entry
            where starts_with(proconfig_entry, 'crm.')",
        mend: "alter role .. in database .. reset it: a tenant is set for a transaction only",
    },
];

/// What the rules share. `login` leaves a superuser out, who may everything and has a rule of its own.
const CATALOG: &str = r#"
    login as (select * from pg_roles where rolname = session_user and not rolsuper),
    looked_up (name) as (
        values ('tenants'), ('sign_in_names'), ('telephony_accounts'), ('schedules')
    ),
    own as (
        select
            '(tenant_id = ' || tenant.value || ')' as expression,
            '((tenant_id = ' || tenant.value || ') OR ( SELECT (COALESCE(current_setting(''crm.system'''
                || '::text, true), ''''::text) <> ''''::text)))' as or_system
        from (
            select '( SELECT (NULLIF(current_setting(''crm.tenant_id''::text, true), ''''::text))::uuid '
                || 'AS "nullif")' as value
        ) as tenant
    ),
    relation as (
        select pg_class.*, pg_class.oid::regclass::text as name from pg_class
        where relnamespace = (select oid from pg_namespace where nspname = 'crm')
            and relkind not in ('i', 'I', 'c')
    ),
    tenant_table as (
        select relation.*, (
            select attnum from pg_attribute where attrelid = relation.oid and attname = 'tenant_id'
        ) as tenant_column
        from relation where relkind in ('r', 'p') and relname <> 'migrations'
    ),
    routine as (
        select pg_proc.*, pg_proc.oid::regprocedure::text as name from pg_proc
        where pronamespace = (select oid from pg_namespace where nspname = 'crm')
    ),
    policy as (
        select polrelid, polcmd, pg_get_expr(polqual, polrelid) as polqual,
            pg_get_expr(polwithcheck, polrelid) as polwithcheck
        from pg_policy where not polpermissive and polroles = '{0}'
    ),
    isolating as (
        select polrelid from policy, own
        where polcmd = '*' and polqual = own.expression and polwithcheck = own.expression
    ),
    viewed as (
        select distinct view.oid, view.relkind, view.reloptions
        from pg_depend
        join pg_rewrite on pg_rewrite.oid = pg_depend.objid
        join pg_class as view on view.oid = pg_rewrite.ev_class
        where pg_depend.classid = 'pg_rewrite'::regclass and pg_depend.refclassid = 'pg_class'::regclass
            and pg_depend.refobjid in (select oid from relation) and view.relkind in ('v', 'm')
        union
        select oid, relkind, reloptions from relation where relkind in ('v', 'm')
    )
"#;

/// What each rule finds, for the role that has logged in: an entry for each rule, in one statement.
///
/// # Errors
///
/// `unavailable` when the database cannot be asked.
pub async fn findings(connection: &mut PgConnection, schema: &SchemaName) -> Result<Vec<Finding>> {
    let asked: Vec<String> = RULES
        .iter()
        .map(|Rule { name, objects, .. }| {
            format!("select '{name}' as rule, object::text from ({objects}) as broken (object)")
        })
        .collect();
    let sql = schema.put_into(&format!(
        "with {CATALOG} select rule, string_agg(object, ', ' order by object) as objects from ({}) as found group by rule",
        asked.join(" union all ")
    ));
    // As plain text, which every pooler understands.
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.map_err(failed)?;
    let broken: Vec<(String, String)> = rows
        .iter()
        .map(|row| Ok((get(row, "rule")?, get(row, "objects")?)))
        .collect::<Result<_>>()?;
    Ok(RULES
        .iter()
        .map(|rule| match broken.iter().find(|(name, _)| name == rule.name) {
            None => Finding { check: rule.name, found: KEPT.to_owned(), good: true },
            Some((_, objects)) => Finding {
                check: rule.name,
                found: format!("{objects}; {}", schema.put_into(rule.mend)),
                good: false,
            },
        })
        .collect())
}

/// Makes sure that every rule is kept; a store asks before it opens.
///
/// # Errors
///
/// `invalid` with one entry for each rule that is broken; `unavailable` when the database cannot be asked.
pub async fn check(connection: &mut PgConnection, schema: &SchemaName) -> Result<()> {
    let broken: Vec<FieldError> = findings(connection, schema)
        .await?
        .into_iter()
        .filter(|finding| !finding.good)
        .map(|Finding { check, found, .. }| {
            let message = format!("tenants are not kept apart ({check}): {found}");
            FieldError::new("database", check, message)
        })
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(Error::invalid(broken)) }
}
