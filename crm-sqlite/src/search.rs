//! Search terms and their look-up.

use std::collections::HashSet;

use async_trait::async_trait;
use crm_core::contacts::search::{
    Candidate, CandidateQuery, ContactTerms, SearchStore, Tier, WordLookup, is_word, neighbourhood,
};
use crm_core::{ContactId, Result, TenantScope};
use rusqlite::{Connection, Statement, params};
use uuid::Uuid;

use crate::SqliteStore;
use crate::readers::aside;
use crate::rows::uuid;

pub(crate) fn add(
    connection: &Connection,
    tenant: i64,
    contact: Uuid,
    terms: &ContactTerms,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO contact_terms (tenant_no, contact_id, terms) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![tenant, contact.as_bytes(), terms.encode()])?;
    for term in terms.postings() {
        connection
            .prepare_cached("INSERT INTO term (tenant_no, word, contact_id) VALUES (?1, ?2, ?3)")?
            .execute(params![tenant, term, contact.as_bytes()])?;
        if is_word(&term) {
            let is_new = connection
                .prepare_cached("INSERT OR IGNORE INTO word (tenant_no, word) VALUES (?1, ?2)")?
                .execute(params![tenant, term])?;
            if is_new == 1 {
                let mut insert = connection.prepare_cached(
                    "INSERT OR IGNORE INTO word_delete (tenant_no, hash, word) VALUES (?1, ?2, ?3)",
                )?;
                for hash in neighbourhood(&term) {
                    insert.execute(params![tenant, hash, term])?;
                }
            }
        }
    }
    Ok(())
}

/// Takes a contact's terms away, and from the vocabulary what nobody else has: a name must not
/// outlive the last person who bears it.
pub(crate) fn remove(
    connection: &Connection,
    tenant: i64,
    contact: Uuid,
    terms: &ContactTerms,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM contact_terms WHERE tenant_no = ?1 AND contact_id = ?2")?
        .execute(params![tenant, contact.as_bytes()])?;
    for term in terms.postings() {
        connection
            .prepare_cached(
                "DELETE FROM term WHERE tenant_no = ?1 AND word = ?2 AND contact_id = ?3",
            )?
            .execute(params![tenant, term, contact.as_bytes()])?;
        if is_word(&term) {
            let unused = connection
                .prepare_cached(
                    "DELETE FROM word WHERE tenant_no = ?1 AND word = ?2
                     AND NOT EXISTS (SELECT 1 FROM term WHERE tenant_no = ?1 AND word = ?2)",
                )?
                .execute(params![tenant, term])?;
            if unused == 1 {
                let mut delete = connection.prepare_cached(
                    "DELETE FROM word_delete WHERE tenant_no = ?1 AND hash = ?2 AND word = ?3",
                )?;
                for hash in neighbourhood(&term) {
                    delete.execute(params![tenant, hash, term])?;
                }
            }
        }
    }
    Ok(())
}

#[async_trait]
impl SearchStore for SqliteStore {
    async fn find_words(&self, scope: &TenantScope, lookup: &WordLookup) -> Result<Vec<String>> {
        self.readers().read_in(scope, |connection, tenant| find_words(connection, tenant, lookup))
    }

    async fn find_candidates(
        &self,
        scope: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>> {
        let (store, scope, query) = (self.clone(), scope.clone(), query.clone());
        aside(move || {
            store
                .readers()
                .read_in(&scope, |connection, tenant| find_candidates(connection, tenant, &query))
        })
        .await
    }
}

fn find_words(
    connection: &Connection,
    tenant: i64,
    lookup: &WordLookup,
) -> rusqlite::Result<Vec<String>> {
    let mut words = HashSet::new();
    let mut by_hash = connection.prepare_cached(
        "SELECT word FROM word_delete WHERE tenant_no = ?1 AND hash = ?2 ORDER BY word LIMIT ?3",
    )?;
    for hash in &lookup.hashes {
        let mut rows = by_hash.query(params![tenant, hash, lookup.most])?;
        while let Some(row) = rows.next()? {
            keep(&mut words, row.get_ref(0)?.as_str()?);
        }
    }
    let mut by_prefix = connection.prepare_cached(
        "SELECT word FROM word WHERE tenant_no = ?1 AND word >= ?2 ORDER BY word LIMIT ?3",
    )?;
    for prefix in &lookup.word_prefixes {
        let mut rows = by_prefix.query(params![tenant, prefix, lookup.most])?;
        while let Some(row) = rows.next()? {
            let word = row.get_ref(0)?.as_str()?;
            if !word.starts_with(prefix.as_str()) {
                break;
            }
            keep(&mut words, word);
        }
    }
    // One seek for each distinct term, however many contacts share it.
    let mut first = connection.prepare_cached(
        "SELECT word FROM term WHERE tenant_no = ?1 AND word >= ?2 ORDER BY word LIMIT 1",
    )?;
    let mut next = connection.prepare_cached(
        "SELECT word FROM term WHERE tenant_no = ?1 AND word > ?2 ORDER BY word LIMIT 1",
    )?;
    for prefix in &lookup.term_prefixes {
        let mut from = prefix.clone();
        for step in 0..lookup.most {
            let seek = if step == 0 { &mut first } else { &mut next };
            let mut rows = seek.query(params![tenant, from])?;
            let Some(row) = rows.next()? else { break };
            let term = row.get_ref(0)?.as_str()?;
            if !term.starts_with(prefix.as_str()) {
                break;
            }
            keep(&mut words, term);
            from = term.to_owned();
        }
    }
    Ok(words.into_iter().collect())
}

fn keep(words: &mut HashSet<String>, word: &str) {
    if !words.contains(word) {
        words.insert(word.to_owned());
    }
}

fn find_candidates(
    connection: &Connection,
    tenant: i64,
    query: &CandidateQuery,
) -> rusqlite::Result<Vec<Candidate>> {
    let mut found = Vec::new();
    let mut taken = HashSet::new();
    for stage in &query.stages {
        if found.len() < stage.unless_found {
            for tier in &stage.tiers {
                run_tier(connection, tenant, tier, &mut taken, &mut found)?;
            }
        }
    }
    Ok(found)
}

/// Up to so many terms in the other groups, a look-up for each is cheaper than reading all terms of
/// the contact.
const FEW_TERMS: usize = 4;

fn run_tier(
    connection: &Connection,
    tenant: i64,
    tier: &Tier,
    taken: &mut HashSet<Uuid>,
    found: &mut Vec<Candidate>,
) -> rusqlite::Result<()> {
    let mut driver: Option<(usize, usize)> = None;
    for (index, group) in tier.groups.iter().enumerate() {
        let count = count_postings(connection, tenant, group, tier.count)?;
        if driver.is_none_or(|(least, _)| count < least) {
            driver = Some((count, index));
        }
    }
    let Some((_, driver)) = driver else { return Ok(()) };
    let others: Vec<&Vec<String>> = tier
        .groups
        .iter()
        .enumerate()
        .filter_map(|(index, group)| (index != driver).then_some(group))
        .collect();
    let few = others.iter().map(|group| group.len()).sum::<usize>() <= FEW_TERMS;

    let mut postings = connection.prepare_cached(
        "SELECT contact_id FROM term WHERE tenant_no = ?1 AND word = ?2 ORDER BY contact_id LIMIT ?3",
    )?;
    let mut has = connection.prepare_cached(
        "SELECT 1 FROM term WHERE tenant_no = ?1 AND word = ?2 AND contact_id = ?3",
    )?;
    let mut terms_of = connection.prepare_cached(
        "SELECT terms FROM contact_terms WHERE tenant_no = ?1 AND contact_id = ?2",
    )?;
    let mut refused = HashSet::new();
    let mut unread = tier.examine;
    let most = found.len() + tier.limit;
    for term in tier.groups.get(driver).into_iter().flatten() {
        let most = most.min(found.len() + tier.limit_per_term);
        let mut rows = postings.query(params![tenant, term, unread])?;
        while found.len() < most
            && let Some(row) = rows.next()?
        {
            unread -= 1;
            let contact = uuid(row, 0)?;
            if taken.contains(&contact) || refused.contains(&contact) {
                continue;
            }
            if few && !has_all(&mut has, tenant, &others, contact)? {
                refused.insert(contact);
                continue;
            }
            let terms: String =
                terms_of.query_row(params![tenant, contact.as_bytes()], |row| row.get(0))?;
            if !few && !tier.admits(&ContactTerms::decode(&terms)) {
                refused.insert(contact);
                continue;
            }
            taken.insert(contact);
            found.push(Candidate { contact: ContactId::from_uuid(contact), terms });
        }
    }
    Ok(())
}

/// Whether the contact has a term of every group.
fn has_all(
    has: &mut Statement<'_>,
    tenant: i64,
    groups: &[&Vec<String>],
    contact: Uuid,
) -> rusqlite::Result<bool> {
    for group in groups {
        let mut any = false;
        for term in *group {
            any = any || has.exists(params![tenant, term, contact.as_bytes()])?;
        }
        if !any {
            return Ok(false);
        }
    }
    Ok(true)
}

fn count_postings(
    connection: &Connection,
    tenant: i64,
    group: &[String],
    most: usize,
) -> rusqlite::Result<usize> {
    let mut count = connection.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM term WHERE tenant_no = ?1 AND word = ?2 LIMIT ?3)",
    )?;
    let mut total = 0;
    for term in group {
        if total >= most {
            break;
        }
        total +=
            count.query_row(params![tenant, term, most - total], |row| row.get::<_, usize>(0))?;
    }
    Ok(total)
}
