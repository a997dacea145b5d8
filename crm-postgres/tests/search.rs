//! PostgreSQL finds what the store in memory finds, in the same order and with the same scores.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests"
)]

mod stores;
mod support;

use std::path::PathBuf;

use crm_conformance::{SeededRandomness, TestClock};
use crm_core::contacts::NewContact;
use crm_core::contacts::search::{
    CandidateQuery, ContactTerms, SearchStore, Stage, Tier, WordLookup, neighbourhood,
};
use crm_core::memory::MemoryStore;
use crm_core::ports::Store;
use crm_core::sample::Sample;
use crm_core::tenancy::NewTenant;
use crm_core::{ContactId, Crm, Page, Region, Session};
use crm_postgres::{Options, PostgresStore, Protocol};
use support::TestDatabase;

/// The same contacts in both stores, under the same ids.
struct Both {
    memory: MemoryStore,
    postgres: PostgresStore,
    reference: Session,
    subject: Session,
    terms: Vec<ContactTerms>,
    _database: TestDatabase,
}

async fn session(store: impl Store, people: &[NewContact]) -> (Session, Vec<ContactTerms>) {
    let crm = Crm::builder(store)
        .clock(TestClock::default())
        .randomness(SeededRandomness::new(5))
        .build()
        .unwrap();
    let system = crm.system("compare two stores").unwrap();
    let new = NewTenant {
        name: "Acme".into(),
        slug: None,
        default_region: Region::US,
        owner_email: "owner@acme.example".into(),
        owner_name: None,
    };
    let (tenant, _) = system.create_tenant(new).await.unwrap();
    let session = system.session(tenant.id).await.unwrap();
    let mut terms = Vec::new();
    for part in people.chunks(500) {
        let made = session.contacts().create_all(part.to_vec()).await.unwrap();
        terms.extend(made.iter().map(ContactTerms::of));
    }
    (session, terms)
}

impl Both {
    async fn with(people: &[NewContact], options: Options) -> Both {
        let (postgres, database) = stores::fresh(options).await;
        let memory = MemoryStore::default();
        let (reference, terms) = session(memory.clone(), people).await;
        let (subject, _) = session(postgres.clone(), people).await;
        Both { memory, postgres, reference, subject, terms, _database: database }
    }

    async fn search(&self, text: &str) -> usize {
        let hits = async |session: &Session| -> Vec<(ContactId, f32)> {
            let found = session.contacts().search(text, &Page::first(100)).await.unwrap();
            found.items.iter().map(|hit| (hit.contact.id, hit.score)).collect()
        };
        let expected = hits(&self.reference).await;
        assert_eq!(hits(&self.subject).await, expected, "{text:?}");
        expected.len()
    }

    async fn words(&self, lookup: &WordLookup) -> usize {
        let expected = self.memory.find_words(self.reference.scope(), lookup).await.unwrap();
        let mut found = self.postgres.find_words(self.subject.scope(), lookup).await.unwrap();
        found.sort();
        assert_eq!(found, expected, "{lookup:?}");
        expected.len()
    }

    async fn candidates(&self, query: &CandidateQuery) -> usize {
        let expected = self.memory.find_candidates(self.reference.scope(), query).await.unwrap();
        let found = self.postgres.find_candidates(self.subject.scope(), query).await.unwrap();
        assert_eq!(found, expected, "{query:?}");
        expected.len()
    }
}

fn people(count: u64) -> Vec<NewContact> {
    let sample = Sample::new(3);
    let one = |number| {
        let person = sample.person(number);
        NewContact::named(person.first_name, person.last_name)
            .phone(person.phone)
            .company(person.company)
            .email(format!("{number}.{}", person.email))
    };
    (0..count).map(one).collect()
}

/// One letter replaced, left out, doubled or swapped with the next.
fn misspelt(name: &str, number: usize) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    if letters.len() > 2 {
        let at = 1 + number % (letters.len() - 2);
        match number % 4 {
            0 => letters[at] = if letters[at] == 'e' { 'a' } else { 'e' },
            1 => drop(letters.remove(at)),
            2 => letters.insert(at, letters[at]),
            _ => letters.swap(at, at + 1),
        }
    }
    letters.into_iter().collect()
}

#[tokio::test]
async fn made_up_people_are_found_alike() {
    let people = people(1_000);
    for options in [Options::default(), Options::default().protocol(Protocol::Simple)] {
        let both = Both::with(&people, options).await;
        let mut hits = 0;
        for (number, person) in people.iter().enumerate().step_by(25) {
            let [first, last] =
                [&person.first_name, &person.last_name].map(|name| name.clone().unwrap());
            let name = format!("{first} {last}");
            hits += both.search(&name).await;
            hits += both.search(&misspelt(&name, number)).await;
            hits += both.search(&misspelt(&misspelt(&name, number), number + 5)).await;
            hits += both.search(last.get(..last.floor_char_boundary(3)).unwrap()).await;
            hits += both.search(&person.emails[0].address).await;
            hits += both.search(person.phones[0].raw.as_deref().unwrap().get(5..).unwrap()).await;
        }
        assert!(hits > 1_000, "{hits}");
        for text in ["m", "é", "group", "555", "\"*\" %_", "a b c d e f g", "0@mail", "\0", "☃"]
        {
            both.search(text).await;
        }
    }
}

#[tokio::test]
async fn every_limit_is_kept() {
    let both = Both::with(&people(1_000), Options::default()).await;
    let random = SeededRandomness::new(9);
    let below = |end: usize| usize::try_from(random.next_u64() % end as u64).unwrap();
    let contact_terms = || both.terms[below(both.terms.len())].postings();
    let mut found = 0;
    for _ in 0..300 {
        let group = |own: &[String]| {
            let mut terms: Vec<String> = Vec::new();
            for _ in 0..=below(12) {
                // Often of one contact, so that groups meet; often common, so that they overlap.
                let others = contact_terms();
                let from = if below(3) == 0 { own } else { &others };
                terms.push(from[below(from.len())].clone());
            }
            terms.push(["mail", "james", "mary", "smith", "nobody"][below(5)].to_owned());
            terms.sort_by_key(|_| below(1_000));
            terms.dedup();
            terms
        };
        let stages = (0..=below(3)).map(|_| Stage {
            unless_found: [0, 5, 40, usize::MAX][below(4)],
            tiers: (0..=below(3))
                .map(|_| {
                    let own = contact_terms();
                    Tier {
                        groups: (0..=below(3)).map(|_| group(&own)).collect(),
                        count: [1, 4, 7, 30, 1_024, usize::MAX][below(6)],
                        limit: [0, 3, 20, 60, 10_000][below(5)],
                        limit_per_term: [0, 1, 2, 15, 10_000][below(5)],
                        examine: [0, 1, 25, 100, 4_000, usize::MAX][below(6)],
                    }
                })
                .collect(),
        });
        found += both.candidates(&CandidateQuery { stages: stages.collect() }).await;
    }
    assert!(found > 1_000, "{found}");

    let mut words = 0;
    for _ in 0..100 {
        let start = |term: &str| term.chars().take(1 + below(4)).collect::<String>();
        let (of_words, others): (Vec<String>, Vec<String>) = (0..4)
            .flat_map(|_| contact_terms())
            .partition(|term| crm_core::contacts::search::is_word(term));
        words += both
            .words(&WordLookup {
                hashes: of_words.iter().take(2).flat_map(|word| neighbourhood(word)).collect(),
                word_prefixes: of_words.iter().map(|word| start(word)).collect(),
                term_prefixes: others.iter().map(|term| start(term)).collect(),
                most: [0, 1, 3, 256, usize::MAX][below(5)],
            })
            .await;
    }
    assert!(words > 1_000, "{words}");
}

/// Names that were misspelt on purpose, where `CRM_TEST_DATA` says where they are.
#[tokio::test]
async fn misspelt_names_are_found_alike() {
    let Some(folder) = std::env::var_os("CRM_TEST_DATA").map(PathBuf::from) else {
        eprintln!("CRM_TEST_DATA is not set: the misspelt names are not searched");
        return;
    };
    let text = std::fs::read_to_string(folder.join("names/dataset3.csv")).unwrap();
    let names: Vec<(&str, &str)> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut cells = line.split(',').map(str::trim);
            Some((cells.nth(1)?, cells.next()?))
        })
        .filter(|(first, last)| !first.is_empty() || !last.is_empty())
        .collect();
    let people: Vec<NewContact> =
        names.iter().map(|(first, last)| NewContact::named(*first, *last)).collect();
    let both = Both::with(&people, Options::default()).await;
    let mut hits = 0;
    for (number, (first, last)) in names.iter().enumerate().step_by(23) {
        let name = format!("{first} {last}");
        hits += both.search(&name).await;
        hits += both.search(&misspelt(&name, number)).await;
    }
    assert!(hits > 1_000, "{hits}");
}
