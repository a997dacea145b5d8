//! How reads and the file grow with the number of contacts.
//!
//! `cargo bench -p crm-benches --bench scale [-- 10000 100000 1000000]`
//!
//! Seeds that many made-up contacts with five activities each (names with a natural, uneven
//! frequency) into a file, everything durable (`synchronous=FULL`), and prints each figure beside the
//! raw statement on the same file, where there is one.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use crm_benches::{People, machine, micros, percentile};
use crm_core::activities::{ActivityFilter, ActivityKind, NewActivity, StatsGroupBy};
use crm_core::contacts::{Contact, ContactFilter, ContactSort, NewContact};
use crm_core::sample::Sample;
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Page, Region, Session};
use crm_sqlite::SqliteStore;

const ACTIVITIES: usize = 5;
const BATCH: u64 = 500;
const SEED: u64 = 1;

fn main() {
    let sizes: Vec<u64> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 100_000] } else { sizes };
    println!("{}", machine());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for size in sizes {
        runtime.block_on(measure(size));
    }
}

async fn measure(size: u64) {
    let folder = tempfile::tempdir_in(
        std::env::var_os("CRM_BENCH_DIR").map_or(std::env::temp_dir(), Into::into),
    )
    .unwrap();
    let path = folder.path().join("crm.db");
    println!("\n{size} contacts, {ACTIVITIES} activities each");
    let session = seed(&path, size).await;
    let file = std::fs::metadata(&path).unwrap().len();
    println!(
        "  file                {:>10.1} MiB, {} bytes a contact",
        file as f64 / 1048576.0,
        file / size
    );
    tables(&path, size);

    let contacts = session.contacts();
    let sample = Sample::new(SEED);
    let some = some_contacts(&session, size).await;
    let raw = rusqlite::Connection::open(&path).unwrap();
    let mut statement =
        raw.prepare("SELECT doc FROM contact WHERE tenant_no = 1 AND id = ?1").unwrap();
    report(
        "get, raw statement",
        some.iter()
            .map(|contact| {
                let start = Instant::now();
                let doc: String = statement
                    .query_row([contact.id.as_uuid().as_bytes()], |row| row.get(0))
                    .unwrap();
                let time = start.elapsed();
                assert!(!doc.is_empty());
                time
            })
            .collect(),
    );

    let mut times = Vec::new();
    for contact in &some {
        let start = Instant::now();
        contacts.get(contact.id).await.unwrap();
        times.push(start.elapsed());
    }
    report("get", times);

    for (name, sort, descending) in [
        ("list 50 by creation", ContactSort::CreatedAt, false),
        ("list 50 by change", ContactSort::UpdatedAt, true),
        ("list 50 by last name", ContactSort::LastName, false),
    ] {
        // Walks the list to its middle, so that depth shows.
        let mut times = Vec::new();
        let mut page = Page::first(50);
        for _ in 0..(size / 100).min(2_000) {
            let start = Instant::now();
            let list =
                contacts.list(&ContactFilter::default(), sort, descending, &page).await.unwrap();
            times.push(start.elapsed());
            match list.next_cursor {
                Some(cursor) => page = Page::after(cursor, 50),
                None => break,
            }
        }
        let late = times.split_off(times.len() * 9 / 10);
        report(name, times);
        report(&format!("{name}, the last tenth"), late);
    }

    let mut times = Vec::new();
    for contact in &some {
        let start = Instant::now();
        session.activities().timeline(contact.id, &Page::first(50)).await.unwrap();
        times.push(start.elapsed());
    }
    report("timeline 50", times);
    let busy = busy_contact(&session).await;
    let mut times = Vec::new();
    let mut page = Page::first(50);
    loop {
        let start = Instant::now();
        let list = session.activities().timeline(busy.id, &page).await.unwrap();
        times.push(start.elapsed());
        match list.next_cursor {
            Some(cursor) => page = Page::after(cursor, 50),
            None => break,
        }
    }
    report("timeline 50 of 10,000", times);

    for (name, typo) in [("search, name as it is", false), ("search, with a typo", true)] {
        let (mut times, mut first, mut found) = (Vec::new(), 0, 0);
        let step = (size / 2_000).max(1);
        for number in (0..size).step_by(step as usize).take(2_000) {
            let person = sample.person(number);
            let mut name = format!("{} {}", person.first_name, person.last_name);
            if typo {
                name = misspelt(&name, number);
            }
            let start = Instant::now();
            let hits = contacts.search(&name, &Page::first(10)).await.unwrap().items;
            times.push(start.elapsed());
            let is_it = |contact: &Contact| {
                contact.first_name.as_deref() == Some(&person.first_name)
                    && contact.last_name.as_deref() == Some(&person.last_name)
            };
            first += u32::from(hits.first().is_some_and(|hit| is_it(&hit.contact)));
            found += u32::from(hits.iter().any(|hit| is_it(&hit.contact)));
        }
        let all = times.len() as f64;
        report(name, times);
        println!(
            "    the name is first in {:.1} %, among ten in {:.1} %",
            100.0 * f64::from(first) / all,
            100.0 * f64::from(found) / all
        );
    }
    for (name, query) in [
        ("search, `m`", "m"),
        ("search, `maria`", "maria"),
        ("search, `james smith`", "james smith"),
        ("search, a gmail part", "mail"),
        ("search, phone", "555 0123"),
    ] {
        let mut times = Vec::new();
        for _ in 0..50 {
            let start = Instant::now();
            contacts.search(query, &Page::first(10)).await.unwrap();
            times.push(start.elapsed());
        }
        report(name, times);
    }
    for group_by in [StatsGroupBy::Kind, StatsGroupBy::User, StatsGroupBy::Day] {
        let start = Instant::now();
        session.activities().stats(&ActivityFilter::default(), group_by).await.unwrap();
        report(&format!("stats by {group_by:?}, all time"), vec![start.elapsed()]);
    }
    let mut times = Vec::new();
    for number in 0..200 {
        let person = sample.person(size + number);
        let start = Instant::now();
        contacts
            .create(
                NewContact::named(person.first_name, person.last_name)
                    .email(format!("new{number}@bench.example")),
            )
            .await
            .unwrap();
        times.push(start.elapsed());
    }
    report("create, one caller", times);
}

async fn seed(path: &Path, size: u64) -> Session {
    let crm = Crm::builder(SqliteStore::open(path).await.unwrap()).build().unwrap();
    let system = crm.system("bench").unwrap();
    let (tenant, _) = system
        .create_tenant(NewTenant {
            name: "Bench".into(),
            slug: None,
            default_region: Region::US,
            owner_email: "bench@bench.example".into(),
            owner_name: None,
        })
        .await
        .unwrap();
    let session = system.session(tenant.id).await.unwrap();
    let mut people = People::new(SEED);
    let (mut creating, mut logging) = (Duration::ZERO, Duration::ZERO);
    let mut from = 0;
    while from < size {
        let batch = people.take(from..size.min(from + BATCH));
        from += BATCH;
        let start = Instant::now();
        let made = session.contacts().create_all(batch).await.unwrap();
        creating += start.elapsed();
        let notes = made
            .iter()
            .flat_map(|contact| {
                (0..ACTIVITIES).map(|at| {
                    let kind = [
                        ActivityKind::Note,
                        ActivityKind::Call,
                        ActivityKind::Email,
                        ActivityKind::Meeting,
                        ActivityKind::Task,
                    ]
                    .get(at % 5)
                    .copied()
                    .unwrap();
                    NewActivity {
                        body: Some(
                            "Asked for an offer by Friday; wants to hear about delivery times."
                                .into(),
                        ),
                        ..NewActivity::of(contact.id, kind)
                    }
                })
            })
            .collect();
        let start = Instant::now();
        session.activities().create_all(notes).await.unwrap();
        logging += start.elapsed();
    }
    println!(
        "  seeded              {:>10.0} contacts/s, {:.0} activities/s",
        size as f64 / creating.as_secs_f64(),
        (size * ACTIVITIES as u64) as f64 / logging.as_secs_f64()
    );
    session
}

async fn some_contacts(session: &Session, size: u64) -> Vec<Contact> {
    let mut some = Vec::new();
    let mut page = Page::first(200);
    let pages = size / 200;
    for at in 0..pages {
        let list = session
            .contacts()
            .list(&ContactFilter::default(), ContactSort::LastName, false, &page)
            .await
            .unwrap();
        if at % (pages / 100).max(1) == 0 {
            some.extend(list.items.into_iter().step_by(10));
        }
        match list.next_cursor {
            Some(cursor) => page = Page::after(cursor, 200),
            None => break,
        }
    }
    some
}

async fn busy_contact(session: &Session) -> Contact {
    let contact = session.contacts().create(NewContact::named("Busy", "Person")).await.unwrap();
    for _ in 0..20 {
        let notes =
            (0..500).map(|at| NewActivity::note(contact.id, format!("note {at}"))).collect();
        session.activities().create_all(notes).await.unwrap();
    }
    contact
}

/// One letter replaced, left out, doubled or swapped with the next, never the first.
fn misspelt(name: &str, number: u64) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    let at = 1 + (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % (letters.len() - 2);
    match number % 4 {
        0 => letters[at] = if letters[at] == 'e' { 'a' } else { 'e' },
        1 => {
            letters.remove(at);
        }
        2 => letters.insert(at, letters[at]),
        _ => letters.swap(at, at + 1),
    }
    letters.into_iter().collect()
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    println!(
        "  {name:<38} p50 {:>9}  p99 {:>9}  of {}",
        micros(percentile(&times, 50)),
        micros(percentile(&times, 99)),
        times.len()
    );
}

/// What each table and index takes.
fn tables(path: &Path, size: u64) {
    let raw = rusqlite::Connection::open(path).unwrap();
    let Ok(mut sizes) = raw.prepare(
        "SELECT name, sum(pgsize) AS bytes FROM dbstat GROUP BY name ORDER BY bytes DESC LIMIT 30",
    ) else {
        return;
    };
    let rows =
        sizes.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?))).unwrap();
    let line: Vec<String> = rows
        .map(|row| row.unwrap())
        .map(|(name, bytes)| format!("{name} {}", bytes / size))
        .collect();
    println!("  bytes a contact     {}", line.join(", "));
}
