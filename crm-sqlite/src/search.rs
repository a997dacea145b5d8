//! Search terms and their look-up.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use async_trait::async_trait;
use crm_core::contacts::search::{
    Candidate, CandidateQuery, ContactTerms, SearchStore, Tier, WordLookup, is_word, neighbourhood,
};
use crm_core::{ContactId, Result, TenantScope};
use rusqlite::{CachedStatement, Connection, params};
use uuid::Uuid;

use crate::SqliteStore;
use crate::readers::Readers;
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
        let (scope, lookup) = (scope.clone(), lookup.clone());
        let work = move |readers: &Readers| {
            readers.read_snapshot_in(&scope, |connection, tenant| {
                find_words(connection, tenant, &lookup)
            })
        };
        self.aside().run(work).await
    }

    async fn find_candidates(
        &self,
        scope: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>> {
        let (scope, query) = (scope.clone(), query.clone());
        self.aside()
            .run(move |readers| {
                readers.read_snapshot_in(&scope, |connection, tenant| {
                    find_candidates(connection, tenant, &query)
                })
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
    let mut search = Candidates {
        tenant,
        read: connection.prepare_cached(
            "SELECT contact_id FROM term WHERE tenant_no = ?1 AND word = ?2 AND contact_id > ?3
             ORDER BY contact_id LIMIT ?4",
        )?,
        has: connection.prepare_cached(
            "SELECT 1 FROM term WHERE tenant_no = ?1 AND word = ?2 AND contact_id = ?3",
        )?,
        terms_of: connection.prepare_cached(
            "SELECT terms FROM contact_terms WHERE tenant_no = ?1 AND contact_id = ?2",
        )?,
        postings: HashMap::new(),
        taken: Uuids::default(),
        found: Vec::new(),
    };
    for stage in &query.stages {
        if search.found.len() < stage.unless_found {
            for tier in &stage.tiers {
                search.run(tier)?;
            }
        }
    }
    Ok(search.found)
}

/// The first postings of a term, read once for all tiers.
struct Postings {
    contacts: Vec<Uuid>,
    /// Up to where they were read: a term with as many has more.
    most: usize,
}

impl Postings {
    fn is_whole(&self) -> bool {
        self.contacts.len() < self.most
    }
}

/// Up to so many postings of the driver, it is cheaper to read each contact's terms than the postings of
/// all other groups, which may be many and long.
const FEW: usize = 48;

/// What a contact of the driver must have besides.
enum Others<'q> {
    /// A term of each of these groups.
    Terms(Vec<HashSet<&'q str>>),
    /// A place in each of these groups.
    Contacts(Vec<Group<'q>>),
}

/// A group of terms as a set of contacts, and the terms that are too common to be read whole.
struct Group<'q> {
    contacts: Uuids,
    common: Vec<&'q str>,
}

struct Candidates<'c, 'q> {
    tenant: i64,
    read: CachedStatement<'c>,
    has: CachedStatement<'c>,
    terms_of: CachedStatement<'c>,
    postings: HashMap<&'q str, Postings>,
    taken: Uuids,
    found: Vec<Candidate>,
}

impl<'q> Candidates<'_, 'q> {
    fn run(&mut self, tier: &'q Tier) -> rusqlite::Result<()> {
        let mut driver: Option<(usize, usize)> = None;
        for (index, group) in tier.groups.iter().enumerate() {
            let count = self.count(group, tier.count)?;
            if driver.is_none_or(|(least, _)| count < least) {
                driver = Some((count, index));
            }
        }
        let Some((count @ 1.., driver)) = driver else { return Ok(()) };
        let others = tier.groups.iter().enumerate().filter(|(index, _)| *index != driver);
        let others = if count <= FEW {
            Others::Terms(
                others.map(|(_, group)| group.iter().map(String::as_str).collect()).collect(),
            )
        } else {
            let groups = others.map(|(_, group)| self.group(group, tier.count));
            Others::Contacts(groups.collect::<rusqlite::Result<_>>()?)
        };

        let mut refused = Uuids::default();
        let mut unread = tier.examine;
        let most = self.found.len() + tier.limit;
        for term in tier.groups.get(driver).into_iter().flatten() {
            let most = most.min(self.found.len() + tier.limit_per_term);
            let mut piece = self.first(term, tier.count)?.contacts.clone();
            let mut whole = piece.len() < tier.count;
            loop {
                for contact in &piece {
                    if unread == 0 || self.found.len() >= most {
                        break;
                    }
                    unread -= 1;
                    if self.taken.contains(contact) || refused.contains(contact) {
                        continue;
                    }
                    match self.admitted(&others, *contact)? {
                        Some(terms) => self.take(*contact, terms),
                        None => {
                            refused.insert(*contact);
                        }
                    }
                }
                let Some(last) = piece.last().filter(|_| !whole) else { break };
                if unread == 0 || self.found.len() >= most {
                    break;
                }
                piece = self.read_after(term, last.as_bytes(), tier.count)?;
                whole = piece.len() < tier.count;
            }
        }
        Ok(())
    }

    /// The postings of a group, each term's and all together counted up to `most`.
    fn count(&mut self, group: &'q [String], most: usize) -> rusqlite::Result<usize> {
        let mut total = 0;
        for term in group {
            if total >= most {
                break;
            }
            total += self.first(term, most)?.contacts.len();
        }
        Ok(total.min(most))
    }

    fn first(&mut self, term: &'q str, most: usize) -> rusqlite::Result<&Postings> {
        let known = self.postings.get(term);
        if known.is_none_or(|known| known.most < most && !known.is_whole()) {
            let contacts = self.read_after(term, &[], most)?;
            self.postings.insert(term, Postings { contacts, most });
        }
        Ok(self.postings.entry(term).or_insert(Postings { contacts: Vec::new(), most }))
    }

    fn read_after(&mut self, term: &str, id: &[u8], most: usize) -> rusqlite::Result<Vec<Uuid>> {
        self.read.query_map(params![self.tenant, term, id, most], |row| uuid(row, 0))?.collect()
    }

    fn group(&mut self, terms: &'q [String], most: usize) -> rusqlite::Result<Group<'q>> {
        let mut group = Group { contacts: Uuids::default(), common: Vec::new() };
        group.contacts.reserve(most);
        for term in terms {
            let postings = self.first(term, most)?;
            if postings.is_whole() {
                group.contacts.extend(&postings.contacts);
            } else {
                group.common.push(term);
            }
        }
        Ok(group)
    }

    /// The terms of the contact, if it has one of every other group.
    fn admitted(&mut self, others: &Others<'q>, contact: Uuid) -> rusqlite::Result<Option<String>> {
        match others {
            Others::Contacts(groups) if !self.is_in_all(groups, contact)? => Ok(None),
            Others::Contacts(_) => self.terms_of(contact).map(Some),
            Others::Terms(groups) => {
                let terms = self.terms_of(contact)?;
                let postings = match groups.as_slice() {
                    [] => Vec::new(),
                    _ => ContactTerms::decode(&terms).postings(),
                };
                let has = |group: &HashSet<&str>| {
                    postings.iter().any(|posting| group.contains(posting.as_str()))
                };
                Ok(groups.iter().all(has).then_some(terms))
            }
        }
    }

    fn is_in_all(&mut self, groups: &[Group<'q>], contact: Uuid) -> rusqlite::Result<bool> {
        for group in groups {
            let mut is_in = group.contacts.contains(&contact);
            for term in &group.common {
                is_in = is_in || self.has.exists(params![self.tenant, term, contact.as_bytes()])?;
            }
            if !is_in {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn terms_of(&mut self, contact: Uuid) -> rusqlite::Result<String> {
        self.terms_of.query_row(params![self.tenant, contact.as_bytes()], |row| row.get(0))
    }

    fn take(&mut self, contact: Uuid, terms: String) {
        self.taken.insert(contact);
        self.found.push(Candidate { contact: ContactId::from_uuid(contact), terms });
    }
}

/// A set of ids. Their last eight bytes are random already, so they are their own hash.
type Uuids = HashSet<Uuid, BuildHasherDefault<LastBytes>>;

#[derive(Default)]
struct LastBytes(u64);

impl Hasher for LastBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk::<8>() {
            self.0 = u64::from_ne_bytes(*last);
        }
    }
}
