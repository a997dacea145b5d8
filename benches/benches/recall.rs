//! Recall and time of the search, side by side with plain trigram similarity.
//!
//! `CRM_TEST_DATA=<folder> cargo bench -p crm-benches --bench recall`
//!
//! The data are the records of Febrl's dataset3 (made-up Australians, misspelt on purpose), whose true pairs
//! are known. For every pair whose names differ, in both directions, the name of one record is the
//! query and the other record must be among the first k hits. Other records of the same person are
//! as right as the one that is asked for: they are taken out of the ranking before its rank is read.
//! Equal scores stand in the order of the records, for both ways of searching.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    reason = "a bench"
)]

use std::collections::{HashMap, HashSet};
use std::env;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use crm_benches::names::Misspelt;
use crm_benches::trigram::Trigrams;
use crm_core::contacts::search::memory::MemoryIndex;
use crm_core::contacts::search::{
    Candidate, CandidateQuery, ContactTerms, Limits, Nicknames, Query, SearchStore, Searchable,
    WordLookup, is_word, neighbourhood, run,
};
use crm_core::sample::Sample;
use crm_core::text::words;
use crm_core::{ContactId, Region, TenantScope};
use futures::executor::block_on;
use uuid::Uuid;

/// Seeded people that hide the others.
const HIDDEN_AMONG: u64 = 100_000;
const SEED: u64 = 20_260_301;

fn main() {
    let Some(folder) = env::var_os("CRM_TEST_DATA").map(PathBuf::from) else {
        eprintln!("recall: not run: set CRM_TEST_DATA to the folder of the test data");
        return;
    };
    let data = match Misspelt::read(&folder.join("names")) {
        Ok(data) => data,
        Err(error) => {
            eprintln!("recall: {}: {error}", folder.display());
            std::process::exit(1);
        }
    };
    let only: Option<String> = env::args().skip(1).find(|arg| !arg.starts_with('-'));
    for (title, others) in [("alone", 0), ("hidden among 100,000", HIDDEN_AMONG)] {
        if only.as_ref().is_none_or(|only| title.contains(only.as_str())) {
            measure(title, &data, others);
        }
    }
}

/// The number of a record in the index: the seeded people follow the data's records.
fn id(number: usize) -> ContactId {
    ContactId::from_uuid(Uuid::from_u128(number as u128 + 1))
}

fn number(contact: ContactId) -> usize {
    contact.as_uuid().as_u128() as usize - 1
}

/// One question: the name of a record, and the record that must be found.
struct Case {
    query: String,
    from: usize,
    target: usize,
    near: bool,
    near_both: bool,
}

#[derive(Default, Clone, Copy)]
struct Recall {
    cases: usize,
    first: usize,
    ten: usize,
}

impl Recall {
    fn add(&mut self, rank: Option<usize>) {
        self.cases += 1;
        self.first += usize::from(rank == Some(0));
        self.ten += usize::from(rank.is_some_and(|rank| rank < 10));
    }

    fn show(&self) -> String {
        let share = |part: usize| part as f64 / self.cases.max(1) as f64;
        format!("@1 {:.4}  @10 {:.4}", share(self.first), share(self.ten))
    }
}

fn cases(data: &Misspelt) -> Vec<Case> {
    let near = |a: &str, b: &str| {
        let others = words(b);
        words(a)
            .iter()
            .all(|word| others.iter().any(|other| strsim::osa_distance(word, other) <= 2))
    };
    let mut cases = Vec::new();
    for (a, b) in &data.pairs {
        let (Some(one), Some(other)) = (data.records.get(*a), data.records.get(*b)) else {
            continue;
        };
        if (&one.first, &one.last) == (&other.first, &other.last) {
            continue;
        }
        for (from, target, query, answer) in
            [(*a, *b, one.name(), other.name()), (*b, *a, other.name(), one.name())]
        {
            // A record without a name asks for nobody.
            if query.is_empty() || answer.is_empty() {
                continue;
            }
            let forth = near(&query, &answer);
            let near_both = forth && near(&answer, &query);
            cases.push(Case { query, from, target, near: forth, near_both });
        }
    }
    cases
}

/// The rank of the target among those who are not the same person.
fn rank(data: &Misspelt, case: &Case, found: impl Iterator<Item = usize>) -> Option<usize> {
    let person = |at: usize| data.records.get(at).map(|record| record.person.as_str());
    let own = person(case.target);
    found.filter(|at| *at == case.target || person(*at) != own).position(|at| at == case.target)
}

fn measure(title: &str, data: &Misspelt, others: u64) {
    println!("\n== dataset3, {title}");
    let mut index = MemoryIndex::default();
    let mut trigrams = Trigrams::default();
    let sample = Sample::new(SEED);
    for (at, record) in data.records.iter().enumerate() {
        let terms = ContactTerms::of(Searchable {
            first_name: Some(&record.first),
            last_name: Some(&record.last),
            ..Searchable::default()
        });
        index.insert(id(at), &terms);
        trigrams.push(&record.name());
    }
    let mut bytes = 0;
    for at in 0..others {
        let person = sample.person(at);
        let terms = ContactTerms::of(Searchable {
            first_name: Some(&person.first_name),
            last_name: Some(&person.last_name),
            display_name: &format!("{} {}", person.first_name, person.last_name),
            company: Some(&person.company),
            emails: vec![&person.email],
            phones: vec![&person.phone],
        });
        bytes += terms.encode().len();
        index.insert(id(data.records.len() + at as usize), &terms);
        trigrams.push(&format!("{} {}", person.first_name, person.last_name));
    }
    size(&index, bytes);

    let store = Counted { index: &index, counts: Mutex::default() };
    let cases = cases(data);
    let Ok(session) = block_on(crm_core::memory::session_for_docs()) else {
        panic!("a store in memory takes a tenant");
    };
    let scope = session.scope().clone();
    let nicknames = Nicknames::common();
    let mut times: Vec<Duration> = Vec::new();
    let mut ours = [Recall::default(); 3];
    let mut theirs = [Recall::default(); 3];
    let mut known: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut shown = 0;
    for case in &cases {
        let start = Instant::now();
        let query = Query::parse(&case.query, Region::US);
        let hits = block_on(run(&store, &scope, &query, &nicknames, Limits::default()));
        times.push(start.elapsed());
        let hits = hits.unwrap_or_default();
        let found = rank(data, case, hits.iter().map(|hit| number(hit.contact)));
        let all = known.entry(&case.query).or_insert_with(|| {
            let found = trigrams.search(&case.query);
            // A person has at most six records, so the first ten others are among these.
            found.into_iter().map(|(at, _)| at as usize).take(40).collect()
        });
        let trigram = rank(data, case, all.iter().copied());
        for (at, counts) in [true, case.near_both, case.near].into_iter().enumerate() {
            if !counts {
                continue;
            }
            if let (Some(ours), Some(theirs)) = (ours.get_mut(at), theirs.get_mut(at)) {
                ours.add(found);
                theirs.add(trigram);
            }
        }
        let missed = found.is_none_or(|rank| rank >= 10);
        let want = match env::var("SHOW").as_deref() {
            Ok("near") => case.near_both && missed,
            Ok("lost") => missed && trigram.is_some_and(|rank| rank < 10),
            Ok("lost1") => found != Some(0) && trigram == Some(0),
            _ => false,
        };
        if want && shown < 60 {
            shown += 1;
            let name = |at: usize| match data.records.get(at) {
                Some(record) => record.name(),
                None => {
                    let person = sample.person((at - data.records.len()) as u64);
                    format!("{} {}", person.first_name, person.last_name)
                }
            };
            let firsts: Vec<String> = hits
                .iter()
                .take(4)
                .map(|hit| format!("{} {:.3}", name(number(hit.contact)), hit.score))
                .collect();
            println!(
                "  {} -> {} at {found:?} (trigram {trigram:?}): {firsts:?}",
                case.query,
                name(case.target)
            );
        }
    }
    let titles = [
        "(a) all changed names",
        "(b) every word of either within two edits",
        "    every word of the query within two edits",
    ];
    for (title, (ours, theirs)) in titles.iter().zip(ours.iter().zip(&theirs)) {
        println!(
            "{title:45} {:5} queries  search {}  trigram {}",
            ours.cases,
            ours.show(),
            theirs.show()
        );
    }
    show_times("search time, index in memory", &mut times);
    if let Ok(counts) = store.counts.lock() {
        let mean = |sum: u64| sum as f64 / cases.len().max(1) as f64;
        println!(
            "per search: {:.1} calls, {:.0} keys, {:.0} words, {:.1} tiers with {:.0} terms, \
             {:.0} candidates; store {:.0} + {:.0} µs",
            mean(counts.calls),
            mean(counts.keys),
            mean(counts.words),
            mean(counts.tiers),
            mean(counts.terms),
            mean(counts.candidates),
            mean(counts.word_nanos) / 1000.0,
            mean(counts.candidate_nanos) / 1000.0,
        );
    }
    hostile(&index);
    alternatives(&index, &cases);
    let distinct: HashSet<usize> = cases.iter().map(|case| case.from).collect();
    println!("({} different records asked)", distinct.len());
}

/// A store that counts what is asked of it.
struct Counted<'a> {
    index: &'a MemoryIndex,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    calls: u64,
    keys: u64,
    words: u64,
    tiers: u64,
    terms: u64,
    candidates: u64,
    word_nanos: u64,
    candidate_nanos: u64,
}

#[async_trait]
impl SearchStore for Counted<'_> {
    async fn find_words(
        &self,
        _: &TenantScope,
        lookup: &WordLookup,
    ) -> crm_core::Result<Vec<String>> {
        let start = Instant::now();
        let words = self.index.find_words(lookup);
        if let Ok(mut counts) = self.counts.lock() {
            counts.calls += 1;
            counts.keys += (lookup.hashes.len()
                + lookup.word_prefixes.len()
                + lookup.term_prefixes.len()) as u64;
            counts.words += words.len() as u64;
            counts.word_nanos += start.elapsed().as_nanos() as u64;
        }
        Ok(words)
    }

    async fn find_candidates(
        &self,
        _: &TenantScope,
        query: &CandidateQuery,
    ) -> crm_core::Result<Vec<Candidate>> {
        let start = Instant::now();
        let found = self.index.find_candidates(query);
        if let Ok(mut counts) = self.counts.lock() {
            counts.calls += 1;
            let tiers: Vec<_> = query.stages.iter().flat_map(|stage| &stage.tiers).collect();
            let groups = tiers.iter().flat_map(|tier| &tier.groups);
            counts.tiers += tiers.len() as u64;
            counts.terms += groups.map(Vec::len).sum::<usize>() as u64;
            counts.candidates += found.len() as u64;
            counts.candidate_nanos += start.elapsed().as_nanos() as u64;
        }
        Ok(found)
    }
}

/// The dearest of queries that nobody types.
fn hostile(index: &MemoryIndex) {
    let nicknames = Nicknames::common();
    let Ok(session) = block_on(crm_core::memory::session_for_docs()) else {
        panic!("a store in memory takes a tenant");
    };
    let scope = session.scope().clone();
    let queries = [
        "a".to_owned(),
        "s m".to_owned(),
        "ma".to_owned(),
        "a b c d e f g h i j k l".to_owned(),
        "maria john sara anna mark jose juan alan jean dean rosa lena".to_owned(),
        "smith ".repeat(2_000),
        "0000 1111 2222".to_owned(),
        "x@example.com ".repeat(500),
        "maria smith".to_owned(),
    ];
    let timed = queries.iter().map(|text| {
        let start = Instant::now();
        let query = Query::parse(text, Region::US);
        let hits = block_on(run(index, &scope, &query, &nicknames, Limits::default()));
        let shown: String = text.chars().take(30).collect();
        (start.elapsed(), shown, hits.map_or(0, |hits| hits.len()))
    });
    for (time, query, hits) in timed.collect::<Vec<_>>() {
        println!("  `{query}`: {time:.1?}, {hits} hits");
    }
}

/// Near words of a token: by hashes of deletions, and by a scan of the whole vocabulary in the process
/// (length and letters first, then the distance).
fn alternatives(index: &MemoryIndex, cases: &[Case]) {
    let mask = |word: &str| word.bytes().fold(0_u32, |all, byte| all | 1 << (byte % 32));
    let vocabulary: Vec<(&str, usize, u32)> = index
        .terms()
        .filter(|(term, _)| is_word(term))
        .map(|(term, _)| (term, term.chars().count(), mask(term)))
        .collect();
    let mut tokens: Vec<String> = cases.iter().flat_map(|case| words(&case.query)).collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens.retain(|token| token.len() > 3);
    let (mut by_hash, mut by_scan) = (Vec::new(), Vec::new());
    let (mut found, mut missed) = (0_usize, 0_usize);
    for token in tokens.iter().step_by(4) {
        let start = Instant::now();
        let lookup =
            WordLookup { hashes: neighbourhood(token), most: 256, ..WordLookup::default() };
        let near: HashSet<String> = index
            .find_words(&lookup)
            .into_iter()
            .filter(|word| strsim::osa_distance(token, word) <= 2)
            .collect();
        by_hash.push(start.elapsed());
        let start = Instant::now();
        let (length, letters) = (token.chars().count(), mask(token));
        let scanned: Vec<&str> = vocabulary
            .iter()
            .filter(|(_, other, mask)| {
                length.abs_diff(*other) <= 2 && (letters ^ mask).count_ones() <= 4
            })
            .map(|(word, _, _)| *word)
            .filter(|word| strsim::osa_distance(token, word) <= 2)
            .collect();
        by_scan.push(start.elapsed());
        found += scanned.len();
        missed += scanned.iter().filter(|word| word.len() > 3 && !near.contains(**word)).count();
    }
    let bytes: usize = vocabulary.iter().map(|(word, _, _)| word.len() + 24).sum();
    println!(
        "near words of a token among {} ({} found, {missed} of four letters or more missed by hashes)",
        vocabulary.len(),
        found
    );
    show_times("  by hashes of deletions", &mut by_hash);
    show_times("  by a scan in the process", &mut by_scan);
    println!("  the scan needs {} KiB per tenant, loaded at the first search", bytes / 1024);
}

fn show_times(title: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| {
        let position = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(position).copied().unwrap_or_default()
    };
    let mean = times.iter().sum::<Duration>() / times.len().max(1) as u32;
    println!(
        "{title}: mean {mean:.1?}  p50 {:.1?}  p99 {:.1?}  max {:.1?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Rows and bytes of payload that a store keeps, without its own overhead per row.
fn size(index: &MemoryIndex, encoded: usize) {
    let contacts = index.len().max(1) as f64;
    let (mut words, mut deletes, mut delete_bytes) = (0_usize, 0_usize, 0_usize);
    let (mut postings, mut posting_bytes) = (0_usize, 0_usize);
    for (term, count) in index.terms() {
        postings += count;
        // The term and an id of 16 bytes.
        posting_bytes += count * (term.len() + 16);
        if is_word(term) {
            words += 1;
            let hashes = neighbourhood(term).len();
            deletes += hashes;
            delete_bytes += hashes * (term.len() + 4);
        }
    }
    let total = posting_bytes + delete_bytes + encoded;
    println!(
        "{} contacts, {words} words; per contact {:.1} postings, {:.1} delete rows, {:.0} bytes \
         ({:.0} postings, {:.0} deletes, {:.0} terms)",
        index.len(),
        postings as f64 / contacts,
        deletes as f64 / contacts,
        total as f64 / contacts,
        posting_bytes as f64 / contacts,
        delete_bytes as f64 / contacts,
        encoded as f64 / contacts,
    );
}
