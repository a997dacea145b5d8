-- Search in two look-ups. The plans are fixed: every row is found by an index whatever the tenant's
-- size, and planning anew or compiling would take longer than the look-up.

-- The words and terms that could be meant, each once; one array, for rows would take longer.
create function crm.find_words(
    _tenant uuid, _hashes integer[], _word_prefixes text[], _term_prefixes text[], _most bigint
) returns text[] language plpgsql stable
set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    _words text[];
begin
    perform set_config('crm.tenant_id', _tenant::text, true);
    _words := array(
        select near.word from unnest(_hashes) as asked (hash)
        cross join lateral (
            select word_deletes.word from crm.word_deletes
            where tenant_id = _tenant and word_deletes.hash = asked.hash
            order by word_deletes.word limit _most
        ) as near
        union
        select begun.word from unnest(_word_prefixes) as asked (prefix)
        cross join lateral (
            select words.word from crm.words
            -- No word holds the last character there is.
            where tenant_id = _tenant and words.word >= asked.prefix
                and words.word < asked.prefix || chr(1114111)
            order by words.word limit _most
        ) as begun
    );
    if cardinality(_term_prefixes) > 0 and _most > 0 then
        -- Never a word of the above. Where the first rows are not all, one seek follows for each distinct
        -- term, however many contacts share it.
        _words := _words || array(
            with recursive first as materialized (
                select asked.prefix, posting.word from unnest(_term_prefixes) as asked (prefix)
                cross join lateral (
                    select terms.word from crm.terms
                    where tenant_id = _tenant and terms.word >= asked.prefix
                    order by terms.word limit _most
                ) as posting
                where posting.word ^@ asked.prefix
            ), further (prefix, word, place) as (
                select first.prefix, max(first.word), count(distinct first.word)
                from first group by first.prefix having count(*) = _most
                union all
                select further.prefix, (
                    select terms.word from crm.terms
                    where tenant_id = _tenant and terms.word > further.word
                    order by terms.word limit 1
                ), further.place + 1
                from further where further.place < _most and further.word ^@ further.prefix
            )
            select first.word from first
            union
            select further.word from further where further.word ^@ further.prefix
        );
    end if;
    return _words;
end
$$;

-- What a function of this file remembers of a term.
create type crm.contact_list as (contacts uuid[]);

-- The contacts that have the terms asked for, in the order of being found. `_group_terms` are places in
-- `_terms`; groups, tiers and stages are given by where each ends in the list of the one below.
create function crm.find_candidates(
    _tenant uuid, _terms text[], _group_terms integer[], _group_ends integer[], _tier_ends integer[],
    _counts bigint[], _limits bigint[], _limits_per_term bigint[], _examines bigint[],
    _stage_ends integer[], _unless_found bigint[]
) returns table (contact_id uuid, terms text) language plpgsql stable
set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    _found uuid[] := '{}';
    -- Of each term the first postings, how many, and up to where they were read: as many means more.
    _lists crm.contact_list[] := array_fill(null::crm.contact_list, array[cardinality(_terms)]);
    _lengths bigint[] := array_fill(0::bigint, array[cardinality(_terms)]);
    _read bigint[] := array_fill(0::bigint, array[cardinality(_terms)]);
    _stage integer;
    _tier integer;
    _tier_begin integer := 1;
    _group_begin integer;
    _group_end integer;
    _group integer;
    _count bigint;
    _unread bigint;
    _per_term bigint;
    _most bigint;
    _new integer[];
    _asked integer[];
    _term integer;
    _contacts uuid[];
    _sum bigint;
    _least bigint;
    _driver integer;
    _next integer;
    _begin integer;
    _rows uuid[];
    _ends bigint[];
    _size bigint;
    _alive uuid[];
    _common text[];
    _place bigint;
    _row bigint;
    _before bigint;
    _last bigint;
    _taken bigint;
    _contact uuid;
begin
    perform set_config('crm.tenant_id', _tenant::text, true);

    for _stage in 1 .. cardinality(_stage_ends) loop
    if cardinality(_found) < _unless_found[_stage] then
    for _tier in _tier_begin .. _stage_ends[_stage] loop
        _group_begin := case when _tier = 1 then 1 else _tier_ends[_tier - 1] + 1 end;
        _group_end := _tier_ends[_tier];
        _count := _counts[_tier];
        _unread := _examines[_tier];
        _per_term := _limits_per_term[_tier];
        _most := cardinality(_found) + _limits[_tier];
        continue when _group_begin > _group_end or least(_count, _unread, _per_term, _limits[_tier]) = 0;
        _next := case when _group_begin = 1 then 1 else _group_ends[_group_begin - 1] + 1 end;

        if _group_begin = _group_end then
            -- Whom no tier took before is taken, so that no more can be needed of a term. The rows come as the
            -- terms do, for a lateral limit is only ever run as a loop: a sort would read what is not needed.
            _size := least(_unread, _per_term + _most);
            _begin := 0;
            for _place, _contact in
                select asked.place, posting.contact_id
                from unnest(_group_terms[_next : _group_ends[_group_end]]) with ordinality as asked (term, place)
                cross join lateral (
                    select terms.contact_id from crm.terms
                    where terms.tenant_id = _tenant and terms.word = _terms[asked.term]
                    order by terms.contact_id limit _size
                ) as posting
            loop
                if _place > _begin then
                    _begin := _place;
                    _taken := 0;
                end if;
                exit when _unread = 0 or cardinality(_found) >= _most;
                continue when _taken >= _per_term;
                _unread := _unread - 1;
                if _contact <> all (_found) then
                    _found := _found || _contact;
                    _taken := _taken + 1;
                end if;
            end loop;
            continue;
        end if;

        _new := array(
            select distinct asked.term
            from unnest(_group_terms[_next : _group_ends[_group_end]]) as asked (term)
            where _read[asked.term] < _count and _lengths[asked.term] = _read[asked.term]
        );
        for _term, _contacts in
            select asked.term, array(
                select terms.contact_id from crm.terms
                where terms.tenant_id = _tenant and terms.word = _terms[asked.term]
                order by terms.contact_id limit _count
            )
            from unnest(_new) as asked (term)
        loop
            _lists[_term] := row(_contacts)::crm.contact_list;
            _lengths[_term] := cardinality(_contacts);
            _read[_term] := _count;
        end loop;

        _least := null;
        for _group in _group_begin .. _group_end loop
            _begin := case when _group = 1 then 1 else _group_ends[_group - 1] + 1 end;
            _sum := (
                select least(coalesce(sum(_lengths[asked.term]), 0), _count)
                from unnest(_group_terms[_begin : _group_ends[_group]]) as asked (term)
            );
            if _least is null or _sum < _least then
                _least := _sum;
                _driver := _group;
            end if;
        end loop;
        continue when _least = 0;

        _next := case when _driver = 1 then 1 else _group_ends[_driver - 1] + 1 end;
        -- In one piece, unless terms end early because enough was taken of them.
        while _next <= _group_ends[_driver] and _unread > 0 and cardinality(_found) < _most loop
            _begin := _next;
            _size := 0;
            _ends := '{}';
            while _next <= _group_ends[_driver] and _size < _unread loop
                _term := _group_terms[_next];
                if _read[_term] < _unread and _lengths[_term] = _read[_term] then
                    _contacts := array(
                        select terms.contact_id from crm.terms
                        where terms.tenant_id = _tenant and terms.word = _terms[_term]
                        order by terms.contact_id limit _unread
                    );
                    _lists[_term] := row(_contacts)::crm.contact_list;
                    _lengths[_term] := cardinality(_contacts);
                    _read[_term] := _unread;
                end if;
                _size := _size + _lengths[_term];
                _ends := _ends || _size;
                _next := _next + 1;
            end loop;
            _rows := array(
                select unnest((_lists[asked.term]).contacts)
                from unnest(_group_terms[_begin : _next - 1]) as asked (term)
            );
            _alive := _rows;
            for _group in _group_begin .. _group_end loop
                continue when _group = _driver;
                _asked := _group_terms[case when _group = 1 then 1 else _group_ends[_group - 1] + 1 end : _group_ends[_group]];
                -- A look-up for each contact and common term, unless it takes less to read on in the terms.
                if cardinality(_alive) > 60 then
                    for _term, _contacts in
                        select asked.term, array(
                            select terms.contact_id from crm.terms
                            where terms.tenant_id = _tenant and terms.word = _terms[asked.term]
                            order by terms.contact_id limit 8 * _count
                        )
                        from unnest(_asked) as asked (term)
                        where _lengths[asked.term] = _read[asked.term] and _read[asked.term] < 8 * _count
                    loop
                        _lists[_term] := row(_contacts)::crm.contact_list;
                        _lengths[_term] := cardinality(_contacts);
                        _read[_term] := 8 * _count;
                    end loop;
                end if;
                _common := array(
                    select _terms[asked.term] from unnest(_asked) as asked (term)
                    where _lengths[asked.term] = _read[asked.term]
                );
                _contacts := array(
                    select other.contact
                    from (
                        select unnest((_lists[asked.term]).contacts) as contact
                        from unnest(_asked) as asked (term)
                    ) as other
                    where other.contact in (select unnest(_alive))
                );
                if cardinality(_common) > 0 then
                    -- A limit keeps it a look-up for each contact: of `exists` the planner makes a join, for
                    -- which it reads the common terms whole.
                    _contacts := _contacts || array(
                        select alive.contact from unnest(_alive) as alive (contact)
                        where (
                            select true from crm.terms
                            where terms.tenant_id = _tenant and terms.word = any (_common)
                                and terms.contact_id = alive.contact
                            limit 1
                        )
                    );
                end if;
                _alive := _contacts;
                exit when cardinality(_alive) = 0;
            end loop;

            -- The rows that count as read: of a term that ends early, those up to the last one taken.
            _place := 1;
            _before := 0;
            _taken := 0;
            _last := 0;
            if cardinality(_alive) > 0 then
                for _row, _contact in
                    select place, contact from unnest(_rows) with ordinality as read (contact, place)
                    where contact in (select unnest(_alive)) order by place
                loop
                    while _row > _ends[_place] loop
                        if _taken >= _per_term then
                            _before := _before + _ends[_place] - _last;
                        end if;
                        _place := _place + 1;
                        _taken := 0;
                    end loop;
                    exit when _row - _before > _unread or cardinality(_found) >= _most;
                    continue when _taken >= _per_term or _contact = any (_found);
                    _found := _found || _contact;
                    _taken := _taken + 1;
                    _last := _row;
                end loop;
            end if;
            if _taken >= _per_term then
                _before := _before + _ends[_place] - _last;
            end if;
            _unread := _unread - least(_unread, _size - _before);
        end loop;
    end loop;
    end if;
    _tier_begin := _stage_ends[_stage] + 1;
    end loop;

    return query select found.contact, contact_terms.terms
        from unnest(_found) with ordinality as found (contact, place)
        cross join lateral (
            select contact_terms.terms from crm.contact_terms
            where contact_terms.tenant_id = _tenant and contact_terms.contact_id = found.contact
            offset 0
        ) as contact_terms
        order by found.place;
end
$$;

grant execute on all functions in schema crm to crm_app;
revoke execute on function crm.protect from crm_app;
