-- What to add to a transaction's number in the positions of events. 0, until a dump is restored into a
-- server that counts from lower numbers: then `migrate` raises it.
create function crm.position_base() returns bigint language sql immutable as 'select 0::bigint';

-- The lock that all writers of a tenant share. Alone holds it who takes a word out of the
-- vocabulary, for somebody else may be using it in a transaction that cannot be seen yet; and who
-- reads events learns from it whose transactions are still open.
create function crm.tenant_lock(_tenant uuid) returns bigint language sql immutable as
    'select hashtextextended(_tenant::text, 4281)';

-- One unit of work, whole or not at all: rows by table, in the order in which they may refer to each
-- other, then the audit entry and the event of each change.
--
-- Arrays of one group have one length, an entry a row. An `expected` version of 0 inserts. Refusals are
-- raised under SQLSTATEs of their own, with a JSON object as detail: UX001 a unique value is taken,
-- UX002 a record is not at the version expected (`found` is null where it is gone); UX003, without a
-- detail, the lease of the unit is lost; UX004 another reader has moved the group that the unit moves. A unit that is sent again because its answer was lost says so by
-- `_again`, and is not applied twice. What is rare is in `_more`, see `crm.commit_more`; it is null where
-- there is none of it.
create function crm.commit(
    _tenant uuid, _again boolean, _at timestamptz, _actor text, _request_id text,
    _tenant_slugs text[], _tenant_expected bigint[], _tenant_versions bigint[], _tenant_docs text[],
    _user_ids uuid[], _user_expected bigint[], _user_versions bigint[], _user_emails text[], _user_docs text[],
    _credential_ids uuid[], _credential_kinds text[], _credential_users uuid[],
    _credential_useless timestamptz[], _credential_expected bigint[], _credential_versions bigint[],
    _credential_docs text[],
    _name_values text[], _name_users uuid[],
    _outcome_keys text[], _outcome_until timestamptz[], _outcome_docs text[],
    _company_ids uuid[], _company_expected bigint[], _company_versions bigint[], _company_docs text[],
    _company_lost_kinds smallint[], _company_lost_values text[],
    _company_key_kinds smallint[], _company_key_values text[], _company_key_ids uuid[],
    _contact_ids uuid[], _contact_expected bigint[], _contact_versions bigint[],
    _contact_deleted boolean[], _contact_created timestamptz[], _contact_updated timestamptz[],
    _contact_names text[], _contact_owners uuid[], _contact_companies uuid[], _contact_docs text[],
    _lost_kinds smallint[], _lost_values text[], _lost_ids uuid[],
    _key_kinds smallint[], _key_values text[], _key_ids uuid[], _key_live boolean[],
    _unfound uuid[], _found uuid[], _found_terms text[],
    _lost_words text[], _lost_word_ids uuid[],
    _words text[], _word_ids uuid[],
    _gained_words bigint, _hashed_words text[], _hash_words integer[], _hashes integer[],
    _activity_ids uuid[], _activity_contacts uuid[], _activity_kinds text[],
    _activity_occurred timestamptz[], _activity_users uuid[], _activity_docs text[],
    _audit_ids uuid[], _event_ids uuid[], _actions text[], _names text[],
    _subject_kinds text[], _subject_ids uuid[], _fields text[], _data text[],
    _more text
) returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _before constant text := coalesce(current_setting('crm.tenant_id', true), '');
    _lock constant bigint := crm.tenant_lock(_tenant);
    -- In another isolation this transaction may not see who else uses a word: it then stays.
    _may_forget constant boolean :=
        cardinality(_lost_words) > 0 and current_setting('transaction_isolation') = 'read committed';
    _rows bigint;
    _done uuid[];
    _learnt text[];
    _writer xid;
    _number bigint;
    _position bigint;
    _refused record;
    _lease json;
begin
    perform set_config('crm.tenant_id', _tenant::text, true);

    if _may_forget and exists (
        select from unnest(_lost_words) as lost (word)
        where not exists (
            select from crm.terms
            where terms.tenant_id = _tenant and terms.word = lost.word
                and terms.contact_id <> all (_lost_word_ids)
        )
    ) then
        perform pg_advisory_xact_lock(_lock);
    else
        perform pg_advisory_xact_lock_shared(_lock);
    end if;

    if _again and exists (
        select from crm.audit where audit.tenant_id = _tenant and audit.id = _audit_ids[1]
    ) then
        perform set_config('crm.tenant_id', _before, true);
        return;
    end if;

    -- Before all else that is written: a worker that was too slow has no say any more.
    if _more is not null then
        _lease := _more::json -> 'lease';
        if _lease is not null then
            perform crm.hold_lease(_tenant, _at, _lease);
        end if;
        if _more::json -> 'progress' is not null then
            perform crm.move_group(_tenant, _more::json -> 'progress');
        end if;
    end if;

    if cardinality(_tenant_slugs) > 0 then
        insert into crm.tenants (tenant_id, slug, version, doc)
            select _tenant, made.slug, made.version, made.doc::json
            from unnest(_tenant_slugs, _tenant_expected, _tenant_versions, _tenant_docs)
                as made (slug, expected, version, doc)
            where made.expected = 0
            on conflict (slug) do nothing;
        get diagnostics _rows = row_count;
        if _rows < cardinality(array_positions(_tenant_expected, 0::bigint)) then
            perform set_config('crm.system', 'who has the slug', true);
            select 'slug' as what, tenants.slug as value, tenants.tenant_id as holder into _refused
                from crm.tenants where tenants.slug = any (_tenant_slugs);
            perform crm.refuse_taken(_refused);
        end if;
        with changed as (
            update crm.tenants set version = made.version, doc = made.doc::json
            from unnest(_tenant_expected, _tenant_versions, _tenant_docs) as made (expected, version, doc)
            where tenants.tenant_id = _tenant and made.expected > 0 and tenants.version = made.expected
            returning tenants.tenant_id
        )
        select array_agg(tenant_id) into _done from changed;
        select 'tenant' as what, made.expected, tenants.version as found into _refused
            from unnest(_tenant_expected) as made (expected)
            left join crm.tenants on tenants.tenant_id = _tenant
            where made.expected > 0 and _done is null limit 1;
        perform crm.refuse_version(_refused);
    end if;

    if cardinality(_user_ids) > 0 then
        insert into crm.users (tenant_id, id, email_key, version, doc)
            select _tenant, made.id, made.email, made.version, made.doc::json
            from unnest(_user_ids, _user_expected, _user_versions, _user_emails, _user_docs)
                as made (id, expected, version, email, doc)
            where made.expected = 0
            on conflict (tenant_id, email_key) do nothing;
        get diagnostics _rows = row_count;
        if _rows < cardinality(array_positions(_user_expected, 0::bigint)) then
            select 'email' as what, users.email_key as value, users.id as holder into _refused
                from unnest(_user_emails, _user_ids, _user_expected) with ordinality
                    as made (email, id, expected, place)
                join crm.users on users.tenant_id = _tenant and users.email_key = made.email
                where made.expected = 0 and users.id <> made.id
                order by made.place limit 1;
            perform crm.refuse_taken(_refused);
        end if;
        with changed as (
            update crm.users set version = made.version, doc = made.doc::json
            from unnest(_user_ids, _user_expected, _user_versions, _user_docs)
                as made (id, expected, version, doc)
            where users.tenant_id = _tenant and users.id = made.id and made.expected > 0
                and users.version = made.expected
            returning users.id
        )
        select array_agg(id) into _done from changed;
        select 'user' as what, made.expected, users.version as found into _refused
            from unnest(_user_ids, _user_expected) with ordinality as made (id, expected, place)
            left join crm.users on users.tenant_id = _tenant and users.id = made.id
            where made.expected > 0 and made.id <> all (coalesce(_done, '{}'))
            order by made.place limit 1;
        perform crm.refuse_version(_refused);
    end if;

    if cardinality(_credential_ids) > 0 then
        perform crm.put_credentials(
            _tenant, _at, _credential_ids, _credential_kinds, _credential_users, _credential_useless,
            _credential_expected, _credential_versions, _credential_docs
        );
    end if;
    if cardinality(_name_values) > 0 then
        insert into crm.sign_in_names (tenant_id, value, user_id)
            select _tenant, made.value, made.user_id
            from unnest(_name_values, _name_users) as made (value, user_id);
    end if;

    if cardinality(_outcome_keys) > 0 then
        -- A few of those that are over go with each that comes, so that they do not pile up.
        delete from crm.outcomes
            where outcomes.tenant_id = _tenant and outcomes.key in (
                select past.key from crm.outcomes as past
                where past.tenant_id = _tenant and past.until <= _at order by past.until limit 10
            );
        insert into crm.outcomes (tenant_id, key, until, doc)
            select _tenant, made.key, made.until, made.doc::json
            from unnest(_outcome_keys, _outcome_until, _outcome_docs) as made (key, until, doc)
            on conflict (tenant_id, key) do update set until = excluded.until, doc = excluded.doc
                where outcomes.until <= _at;
        get diagnostics _rows = row_count;
        if _rows < cardinality(_outcome_keys) then
            select 'idempotency_key' as what, _outcome_keys[1] as value, _tenant as holder into _refused;
            perform crm.refuse_taken(_refused);
        end if;
    end if;

    if cardinality(_company_ids) > 0 then
        insert into crm.companies (tenant_id, id, version, doc)
            select _tenant, made.id, made.version, made.doc::json
            from unnest(_company_ids, _company_expected, _company_versions, _company_docs)
                as made (id, expected, version, doc)
            where made.expected = 0;
        with changed as (
            update crm.companies set version = made.version, doc = made.doc::json
            from unnest(_company_ids, _company_expected, _company_versions, _company_docs)
                as made (id, expected, version, doc)
            where companies.tenant_id = _tenant and companies.id = made.id and made.expected > 0
                and companies.version = made.expected
            returning companies.id
        )
        select array_agg(id) into _done from changed;
        select 'company' as what, made.expected, companies.version as found into _refused
            from unnest(_company_ids, _company_expected) with ordinality as made (id, expected, place)
            left join crm.companies on companies.tenant_id = _tenant and companies.id = made.id
            where made.expected > 0 and made.id <> all (coalesce(_done, '{}'))
            order by made.place limit 1;
        perform crm.refuse_version(_refused);

        delete from crm.company_keys using unnest(_company_lost_kinds, _company_lost_values) as lost (kind, value)
            where company_keys.tenant_id = _tenant and company_keys.kind = lost.kind
                and company_keys.value = lost.value;
        insert into crm.company_keys (tenant_id, kind, value, company_id)
            select _tenant, made.kind, made.value, made.id
            from unnest(_company_key_kinds, _company_key_values, _company_key_ids) as made (kind, value, id)
            order by made.kind, made.value
            on conflict (tenant_id, kind, value) do nothing;
        get diagnostics _rows = row_count;
        if _rows < cardinality(_company_key_ids) then
            select case made.kind when 0 then 'company_name' else 'company_domain' end as what,
                    made.value, company_keys.company_id as holder
                into _refused
                from unnest(_company_key_kinds, _company_key_values, _company_key_ids) with ordinality
                    as made (kind, value, id, place)
                join crm.company_keys on company_keys.tenant_id = _tenant
                    and company_keys.kind = made.kind and company_keys.value = made.value
                where company_keys.company_id <> made.id
                order by made.place limit 1;
            perform crm.refuse_taken(_refused);
        end if;
    end if;

    if cardinality(_contact_ids) > 0 then
        insert into crm.contacts (tenant_id, id, deleted, created_at, updated_at, sort_name,
                                  owner_id, company_id, version, doc)
            select _tenant, made.id, made.deleted, made.created, made.updated, made.name,
                   made.owner, made.company, made.version, made.doc::json
            from unnest(_contact_ids, _contact_expected, _contact_versions, _contact_deleted,
                        _contact_created, _contact_updated, _contact_names, _contact_owners,
                        _contact_companies, _contact_docs)
                as made (id, expected, version, deleted, created, updated, name, owner, company, doc)
            where made.expected = 0;
        get diagnostics _rows = row_count;
        if _rows < cardinality(_contact_ids) then
            with changed as (
                update crm.contacts set deleted = made.deleted, updated_at = made.updated,
                    sort_name = made.name, owner_id = made.owner, company_id = made.company,
                    version = made.version, doc = made.doc::json
                from unnest(_contact_ids, _contact_expected, _contact_versions, _contact_deleted,
                            _contact_updated, _contact_names, _contact_owners, _contact_companies,
                            _contact_docs)
                    as made (id, expected, version, deleted, updated, name, owner, company, doc)
                where contacts.tenant_id = _tenant and contacts.id = made.id and made.expected > 0
                    and contacts.version = made.expected
                returning contacts.id
            )
            select array_agg(id) into _done from changed;
            select 'contact' as what, made.expected, contacts.version as found into _refused
                from unnest(_contact_ids, _contact_expected) with ordinality as made (id, expected, place)
                left join crm.contacts on contacts.tenant_id = _tenant and contacts.id = made.id
                where made.expected > 0 and made.id <> all (coalesce(_done, '{}'))
                order by made.place limit 1;
            perform crm.refuse_version(_refused);
        end if;

        if cardinality(_lost_ids) > 0 then
            delete from crm.contact_keys using unnest(_lost_kinds, _lost_values, _lost_ids) as lost (kind, value, id)
                where contact_keys.tenant_id = _tenant and contact_keys.kind = lost.kind
                    and contact_keys.value = lost.value and contact_keys.contact_id = lost.id;
        end if;
        -- In one order for all, so that two units wait for each other and do not lock each other out.
        insert into crm.contact_keys (tenant_id, kind, value, contact_id, live)
            select _tenant, made.kind, made.value, made.id, made.live
            from unnest(_key_kinds, _key_values, _key_ids, _key_live) as made (kind, value, id, live)
            order by made.kind, made.value
            on conflict (tenant_id, value) where kind = 0 and live do nothing;
        get diagnostics _rows = row_count;
        if _rows < cardinality(_key_ids) then
            select 'contact_email' as what, made.value, contact_keys.contact_id as holder, made.id as contact
                into _refused
                from unnest(_key_kinds, _key_values, _key_ids, _key_live) with ordinality
                    as made (kind, value, id, live, place)
                join crm.contact_keys on contact_keys.tenant_id = _tenant and contact_keys.kind = 0
                    and contact_keys.value = made.value and contact_keys.live
                where made.kind = 0 and made.live and contact_keys.contact_id <> made.id
                order by made.place limit 1;
            perform crm.refuse_taken(_refused);
        end if;

        if cardinality(_unfound) > 0 then
            delete from crm.contact_terms
                where contact_terms.tenant_id = _tenant and contact_terms.contact_id = any (_unfound);
        end if;
        if cardinality(_lost_words) > 0 then
            delete from crm.terms using unnest(_lost_words, _lost_word_ids) as lost (word, id)
                where terms.tenant_id = _tenant and terms.word = lost.word and terms.contact_id = lost.id;
        end if;
        if _may_forget then
            with forgotten as (
                delete from crm.words
                where words.tenant_id = _tenant and words.word = any (_lost_words) and not exists (
                    select from crm.terms where terms.tenant_id = _tenant and terms.word = words.word
                )
                returning words.word
            )
            delete from crm.word_deletes using forgotten,
                    unnest(_hash_words, _hashes) as hashed (word, hash)
                where word_deletes.tenant_id = _tenant and word_deletes.hash = hashed.hash
                    and word_deletes.word = forgotten.word and forgotten.word = _hashed_words[hashed.word];
        end if;
        if cardinality(_found) > 0 then
            insert into crm.contact_terms (tenant_id, contact_id, terms)
                select _tenant, made.id, made.terms from unnest(_found, _found_terms) as made (id, terms);
            insert into crm.terms (tenant_id, word, contact_id)
                select _tenant, made.word, made.id from unnest(_words, _word_ids) as made (word, id);
            with learnt as (
                insert into crm.words (tenant_id, word)
                select _tenant, made.word
                from unnest(_hashed_words[:_gained_words::integer]) as made (word)
                order by made.word
                on conflict (tenant_id, word) do nothing
                returning words.word
            )
            select array_agg(word) into _learnt from learnt;
            -- Most words are known.
            if _learnt is not null then
                insert into crm.word_deletes (tenant_id, hash, word)
                    select _tenant, hashed.hash, _hashed_words[hashed.word]
                    from unnest(_hash_words, _hashes) as hashed (word, hash)
                    where _hashed_words[hashed.word] = any (_learnt)
                    order by hashed.hash
                    on conflict (tenant_id, hash, word) do nothing;
            end if;
        end if;
    end if;

    if cardinality(_activity_ids) > 0 then
        insert into crm.activities (tenant_id, id, contact_id, kind, occurred_at, user_id, doc)
            select _tenant, made.id, made.contact, made.kind, made.occurred, made.by, made.doc::json
            from unnest(_activity_ids, _activity_contacts, _activity_kinds, _activity_occurred,
                        _activity_users, _activity_docs)
                as made (id, contact, kind, occurred, by, doc);
    end if;

    if _more is not null then
        perform crm.commit_more(_tenant, _at, _more::json);
    end if;

    with written as (
        insert into crm.audit (tenant_id, id, at, actor, action, resource_kind, resource_id, request_id,
                               fields)
            select _tenant, made.id, _at, _actor, made.action, made.kind, made.subject, _request_id,
                   made.fields::json
            from unnest(_audit_ids, _actions, _subject_kinds, _subject_ids, _fields)
                as made (id, action, kind, subject, fields)
            returning audit.xmin
    )
    select xmin into _writer from written limit 1;

    -- A transaction of the host may have got its number long before it took the lock, and holds several
    -- units. So the number is that of the subtransaction, which was given after the lock was taken: no
    -- reader has come as far. A row has the lower 32 bits of it.
    _number := pg_current_xact_id()::text::bigint;
    _number := _number + ((_writer::text::bigint - _number) & 4294967295);
    -- 19 bits for the place within the unit leave 44 for the number.
    _position := (_number + crm.position_base()) << 19;
    insert into crm.events (tenant_id, position, id, name, occurred_at, actor, request_id,
                            subject_kind, subject_id, data)
        select _tenant, _position + made.place, made.id, made.name, _at, _actor, _request_id,
               made.kind, made.subject, made.data::json
        from unnest(_event_ids, _names, _subject_kinds, _subject_ids, _data) with ordinality
            as made (id, name, kind, subject, data, place);

    -- A transaction of the host goes on without the tenant.
    perform set_config('crm.tenant_id', _before, true);
end
$$;

-- An `expected` version of 0 inserts, and is refused as stale where the record is there already. A new
-- sign-in takes the place of those of its user that are useless by now.
create function crm.put_credentials(
    _tenant uuid, _at timestamptz, _ids uuid[], _kinds text[], _users uuid[], _useless timestamptz[],
    _expected bigint[], _versions bigint[], _docs text[]
) returns void language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    _done uuid[];
    _refused record;
begin
    delete from crm.credentials
        using unnest(_kinds, _users, _expected) as made (kind, user_id, expected)
        where credentials.tenant_id = _tenant and credentials.user_id = made.user_id
            and credentials.kind = 'sign_in' and credentials.useless_from <= _at
            and made.kind = 'sign_in' and made.expected = 0;
    with made as (
        select * from unnest(_ids, _kinds, _users, _useless, _expected, _versions, _docs)
            as made (id, kind, user_id, useless, expected, version, doc)
    ), inserted as (
        insert into crm.credentials (tenant_id, id, kind, user_id, useless_from, version, doc)
            select _tenant, id, kind, user_id, useless, version, doc::json from made where expected = 0
            on conflict (tenant_id, id) do nothing
            returning id
    ), changed as (
        update crm.credentials
            set useless_from = made.useless, version = made.version, doc = made.doc::json
            from made
            where credentials.tenant_id = _tenant and credentials.id = made.id and made.expected > 0
                and credentials.version = made.expected
            returning credentials.id
    )
    select array_agg(id) into _done
        from (select id from inserted union all select id from changed) as done;
    select 'credential' as what, made.expected, credentials.version as found into _refused
        from unnest(_ids, _expected) with ordinality as made (id, expected, place)
        left join crm.credentials on credentials.tenant_id = _tenant and credentials.id = made.id
        where made.id <> all (coalesce(_done, '{}'))
        order by made.place limit 1;
    perform crm.refuse_version(_refused);
end
$$;

create function crm.refuse_taken(_taken record) returns void language plpgsql as $$
begin
    -- Whoever held the value is gone by now: the unit is to be tried again.
    if _taken is null or _taken.holder is null then
        raise exception using errcode = '40001', message = 'crm: a taken value is free again';
    end if;
    raise exception using errcode = 'UX001', message = 'crm: a unique value is taken',
        detail = to_json(_taken)::text;
end
$$;

create function crm.refuse_version(_stale record) returns void language plpgsql as $$
begin
    if _stale.what is not null then
        raise exception using errcode = 'UX002', message = 'crm: a record is not at the version expected',
            detail = to_json(_stale)::text;
    end if;
end
$$;

grant execute on all functions in schema crm to crm_app;
revoke execute on function crm.protect, crm.protect_but_for_look_ups from crm_app;
