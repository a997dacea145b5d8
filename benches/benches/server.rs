//! The PostgreSQL store beside pgbench, on one server over one transport.
//!
//! `CRM_BENCH_DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres \
//!     cargo bench -p crm-benches --bench server [-- CONTACTS TENANTS]`
//!
//! Fills a database of its own (`crm_bench`, kept when `CRM_BENCH_KEEP` is set and then used again) with
//! so many made-up contacts over so many tenants, a fifth of them in one. Then sixteen callers of the
//! library take turns with sixteen clients of pgbench, whose scripts do the same in one pipeline:
//! begin, set the tenant, query, commit.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench"
)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crm_benches::{People, machine, micros, percentile};
use crm_core::activities::{ActivityKind, NewActivity};
use crm_core::contacts::import::ImportOptions;
use crm_core::contacts::{Contact, ContactFilter, ContactSort, NewContact};
use crm_core::sample::Sample;
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Page, Region, Session};
use crm_postgres::{Installation, Options, PostgresStore};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const CALLERS: usize = 16;
const TURN: Duration = Duration::from_secs(4);
const TURNS: usize = 3;
const BATCH: u64 = 500;
const DATABASE: &str = "crm_bench";
/// Scripts that pgbench draws from, one for each contact that is asked for.
const SCRIPTS: usize = 64;

fn main() {
    let sizes: Vec<u64> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let contacts = sizes.first().copied().unwrap_or(1_000_000);
    let tenants = sizes.get(1).copied().unwrap_or(1_000);
    println!("{}", machine());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(contacts, tenants));
}

struct Server {
    admin: String,
    app: String,
}

impl Server {
    fn from_environment() -> Self {
        let url = std::env::var("CRM_BENCH_DATABASE_URL").expect(
            "CRM_BENCH_DATABASE_URL names the server as its superuser, e.g. \
             postgres://postgres@127.0.0.1:5432/postgres",
        );
        let (server, _) = url.rsplit_once('/').expect("a URL with a database");
        let (_, host) = server.rsplit_once('@').expect("a URL with a user");
        Server {
            admin: format!("{server}/{DATABASE}"),
            app: format!("postgres://crm_app@{host}/{DATABASE}"),
        }
    }

    async fn admin(&self, database: &str) -> PgConnection {
        let (server, _) = self.admin.rsplit_once('/').unwrap();
        PgConnection::connect(&format!("{server}/{database}")).await.unwrap()
    }

    async fn run(&self, sql: String) {
        let mut admin = self.admin(DATABASE).await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    }
}

async fn measure(contacts: u64, tenants: u64) {
    let server = Server::from_environment();
    let mut admin = server.admin("postgres").await;
    let keep = std::env::var_os("CRM_BENCH_KEEP").is_some();
    let there: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut admin)
            .await
            .unwrap();
    if there && !keep {
        sqlx::raw_sql("drop database crm_bench with (force)").execute(&mut admin).await.unwrap();
    }
    if !there || !keep {
        sqlx::raw_sql("create database crm_bench").execute(&mut admin).await.unwrap();
        Installation::default().run(&server.admin).await.unwrap();
    }
    let options = Options::default().connections(CALLERS);
    let store = PostgresStore::connect_with(&server.app, options).await.unwrap();
    let crm = Crm::builder(store).build().unwrap();
    let version: String =
        sqlx::query_scalar("show server_version").fetch_one(&mut admin).await.unwrap();
    let durable: String =
        sqlx::query_scalar("show synchronous_commit").fetch_one(&mut admin).await.unwrap();
    let flushed: String = sqlx::query_scalar("show fsync").fetch_one(&mut admin).await.unwrap();
    println!("PostgreSQL {version}, fsync {flushed}, synchronous_commit {durable}");

    if !there || !keep {
        seed(&crm, contacts, tenants).await;
        server.run("vacuum analyze".to_owned()).await;
    }
    sizes(&server, contacts).await;
    let session = session(&crm, "tenant-0").await;
    let some = Arc::new(some_contacts(&session).await);
    operations(&server, &session, &some).await;
    // What was written since, by pgbench above all, would cost the search a visit to the table for each row.
    server.run("vacuum analyze".to_owned()).await;
    search(&session, contacts / 5).await;
    import(&crm).await;
}

async fn session(crm: &Crm, slug: &str) -> Session {
    let system = crm.system("bench").unwrap();
    let tenant = system.tenant(&slug.parse().unwrap()).await.unwrap();
    system.session(tenant.id).await.unwrap()
}

async fn new_tenant(crm: &Crm, slug: &str) -> Session {
    let system = crm.system("bench").unwrap();
    let new = NewTenant {
        name: slug.to_owned(),
        slug: Some(slug.parse().unwrap()),
        default_region: Region::US,
        owner_email: format!("owner@{slug}.example"),
        owner_name: None,
    };
    let (tenant, _) = system.create_tenant(new).await.unwrap();
    system.session(tenant.id).await.unwrap()
}

/// The first tenant has a fifth of all contacts, the others share the rest alike.
async fn seed(crm: &Crm, contacts: u64, tenants: u64) {
    let start = Instant::now();
    let others = (tenants - 1).max(1);
    let jobs = futures::stream::iter(0..tenants).map(|number| {
        let crm = crm.clone();
        let size = if number == 0 { contacts / 5 } else { contacts * 4 / 5 / others };
        async move {
            let session = new_tenant(&crm, &format!("tenant-{number}")).await;
            let mut people = People::new(number + 1);
            let mut from = 0;
            while from < size {
                let batch = people.take(from..size.min(from + BATCH));
                let made = session.contacts().create_all(batch).await.unwrap();
                // One contact of each batch of the large tenant has a long timeline.
                if number == 0 {
                    let note = |at: usize| NewActivity {
                        body: Some("Wants to hear about delivery times.".into()),
                        ..NewActivity::of(
                            made[0].id,
                            [ActivityKind::Note, ActivityKind::Call, ActivityKind::Email][at % 3],
                        )
                    };
                    session.activities().create_all((0..200).map(note).collect()).await.unwrap();
                }
                from += BATCH;
            }
        }
    });
    use futures::StreamExt;
    jobs.buffer_unordered(4).collect::<Vec<()>>().await;
    let took = start.elapsed().as_secs_f64();
    println!("{contacts} contacts over {tenants} tenants, seeded {:.0}/s", contacts as f64 / took);
}

async fn sizes(server: &Server, contacts: u64) {
    let mut admin = server.admin(DATABASE).await;
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select c.relname::text, pg_total_relation_size(c.oid) from pg_class c \
         join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = 'crm' and c.relkind = 'r' order by 2 desc",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let total: i64 = rows.iter().map(|(_, bytes)| bytes).sum();
    let line: Vec<String> =
        rows.iter().map(|(table, bytes)| format!("{table} {}", *bytes as u64 / contacts)).collect();
    println!("bytes a contact: {} in all: {}", total as u64 / contacts, line.join(", "));
}

/// The contacts with a long timeline.
async fn some_contacts(session: &Session) -> Vec<Contact> {
    let mut some = Vec::new();
    let mut page = Page::first(200);
    while some.len() < SCRIPTS {
        let list = session
            .contacts()
            .list(&ContactFilter::default(), ContactSort::CreatedAt, false, &page)
            .await
            .unwrap();
        for contact in list.items {
            if some.len() < SCRIPTS
                && session
                    .activities()
                    .timeline(contact.id, &Page::first(50))
                    .await
                    .unwrap()
                    .items
                    .len()
                    == 50
            {
                some.push(contact);
            }
        }
        match list.next_cursor {
            Some(cursor) => page = Page::after(cursor, 200),
            None => break,
        }
    }
    some
}

async fn operations(server: &Server, session: &Session, some: &Arc<Vec<Contact>>) {
    let tenant = session.scope().tenant();
    println!(
        "\n{:<26} {:>11} {:>11} {:>7} {:>11} {:>11} {:>7} {:>9}",
        "16 callers", "library/s", "pgbench/s", "ratio", "p50", "pgbench", "ratio", "goal"
    );
    let get: Vec<String> = some
        .iter()
        .map(|contact| {
            format!(
                "select doc from crm.contacts where tenant_id = '{tenant}' and id = '{}';",
                contact.id
            )
        })
        .collect();
    let list: Vec<String> = some
        .iter()
        .map(|contact| {
            format!(
                "select doc from crm.contacts where tenant_id = '{tenant}' and deleted = false \
                 and (created_at, id) > ('{}', '{}') order by created_at, id limit 51;",
                contact.created_at, contact.id
            )
        })
        .collect();
    let timeline: Vec<String> = some
        .iter()
        .map(|contact| {
            format!(
                "select doc from crm.activities where tenant_id = '{tenant}' and contact_id = '{}' \
                 order by occurred_at desc, id desc limit 51;",
                contact.id
            )
        })
        .collect();

    let (one, all) = (session.clone(), Arc::clone(some));
    compare(server, "get", "0.55", &pipelined(&tenant.to_string(), &get), move |number| {
        let (session, all) = (one.clone(), Arc::clone(&all));
        async move {
            session.contacts().get(all[number % all.len()].id).await.unwrap();
        }
    })
    .await;
    let pages = Arc::new(pages(session, some.len()).await);
    let one = session.clone();
    compare(server, "list 50", "0.55", &pipelined(&tenant.to_string(), &list), move |number| {
        let (session, pages) = (one.clone(), Arc::clone(&pages));
        async move {
            let page = Page::after(pages[number % pages.len()].clone(), 50);
            let filter = ContactFilter::default();
            let contacts = session.contacts();
            let list = contacts.list(&filter, ContactSort::CreatedAt, false, &page).await.unwrap();
            assert_eq!(list.items.len(), 50);
        }
    })
    .await;
    let (one, all) = (session.clone(), Arc::clone(some));
    compare(
        server,
        "timeline 50",
        "0.55",
        &pipelined(&tenant.to_string(), &timeline),
        move |number| {
            let (session, all) = (one.clone(), Arc::clone(&all));
            async move {
                let id = all[number % all.len()].id;
                let list = session.activities().timeline(id, &Page::first(50)).await.unwrap();
                assert_eq!(list.items.len(), 50);
            }
        },
    )
    .await;
    let one = session.clone();
    let sample = Arc::new(Sample::new(99));
    // Everybody made in an earlier run has an address, too.
    let run =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    compare(server, "create", "0.6", &[create_script(&tenant.to_string())], move |number| {
        let (session, sample) = (one.clone(), Arc::clone(&sample));
        async move {
            let person = sample.person(number as u64);
            let new = NewContact::named(person.first_name, person.last_name)
                .phone(person.phone)
                .email(format!("c{number}.{run}@bench.example"));
            session.contacts().create(new).await.unwrap();
        }
    })
    .await;

    if std::env::var_os("CRM_BENCH_ONLY").is_none() {
        row_security(server, session, some).await;
    }
}

/// Cursors into the list, each to a page of its own.
async fn pages(session: &Session, most: usize) -> Vec<String> {
    let mut cursors = Vec::new();
    let mut page = Page::first(50);
    while cursors.len() < most {
        let contacts = session.contacts();
        let filter = ContactFilter::default();
        let list = contacts.list(&filter, ContactSort::CreatedAt, false, &page).await.unwrap();
        let Some(cursor) = list.next_cursor else { break };
        cursors.push(cursor.clone());
        page = Page::after(cursor, 50);
    }
    cursors.pop();
    cursors
}

/// What row security costs: the same calls with the tables' policies switched off in between.
async fn row_security(server: &Server, session: &Session, some: &Arc<Vec<Contact>>) {
    println!("\nrow security (goal: at most 20 %)");
    for (name, timeline) in [("get", false), ("timeline 50", true)] {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            for (on, rates) in [(true, &mut with), (false, &mut without)] {
                let word = if on { "enable" } else { "disable" };
                server
                    .run(format!(
                        "alter table crm.contacts {word} row level security; \
                         alter table crm.activities {word} row level security"
                    ))
                    .await;
                let (one, all) = (session.clone(), Arc::clone(some));
                let operation = move |number: usize| {
                    let (session, all) = (one.clone(), Arc::clone(&all));
                    async move {
                        let id = all[number % all.len()].id;
                        if timeline {
                            session.activities().timeline(id, &Page::first(50)).await.unwrap();
                        } else {
                            session.contacts().get(id).await.unwrap();
                        }
                    }
                };
                rates.push(turn(&operation, 0).await.0);
            }
        }
        server
            .run(
                "alter table crm.contacts enable row level security; \
                 alter table crm.activities enable row level security"
                    .to_owned(),
            )
            .await;
        let (with, without) = (median(with), median(without));
        println!(
            "{name:<26} {with:>11.0} {without:>11.0} costs {:.1} %",
            100.0 * (1.0 - with / without)
        );
    }
}

/// Turns of the library and of pgbench, one after the other, and their medians.
async fn compare<F: Future<Output = ()> + Send + 'static>(
    server: &Server,
    name: &str,
    goal: &str,
    scripts: &[String],
    operation: impl Fn(usize) -> F + Clone + Send + 'static,
) {
    if std::env::var("CRM_BENCH_ONLY").is_ok_and(|only| !name.starts_with(&only)) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = scripts
        .iter()
        .enumerate()
        .map(|(number, script)| {
            let file = folder.path().join(format!("{number}.sql"));
            std::fs::write(&file, script).unwrap();
            file
        })
        .collect();
    let (mut rates, mut peers) = (Vec::new(), Vec::new());
    let (mut times, mut peer_times) = (Vec::new(), Vec::new());
    for number in 0..TURNS {
        let (rate, middle) = turn(&operation, number * 10_000_000).await;
        rates.push(rate);
        times.push(middle.as_secs_f64());
        let (rate, middle) = pgbench(server, folder.path(), &files);
        peers.push(rate);
        peer_times.push(middle.as_secs_f64());
    }
    let (rate, peer) = (median(rates), median(peers));
    let (time, peer_time) = (median(times), median(peer_times));
    println!(
        "{name:<26} {rate:>11.0} {peer:>11.0} {:>7.2} {:>11} {:>11} {:>7.2} {goal:>9}",
        rate / peer,
        micros(Duration::from_secs_f64(time)),
        micros(Duration::from_secs_f64(peer_time)),
        time / peer_time,
    );
}

/// Sixteen callers for a while: operations a second, and the median of their times.
async fn turn<F: Future<Output = ()> + Send + 'static>(
    operation: &(impl Fn(usize) -> F + Clone + Send + 'static),
    first: usize,
) -> (f64, Duration) {
    let start = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let operation = operation.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                let mut number = first + caller;
                while start.elapsed() < TURN {
                    let begin = Instant::now();
                    operation(number).await;
                    times.push(begin.elapsed());
                    number += CALLERS;
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await.unwrap());
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort();
    (rate, percentile(&times, 50))
}

/// Sixteen clients of one pgbench process, over prepared statements.
fn pgbench(server: &Server, folder: &Path, scripts: &[PathBuf]) -> (f64, Duration) {
    let prefix = folder.join("log");
    let mut command = Command::new(pgbench_program());
    command.args([
        "-n",
        "-M",
        "prepared",
        "-c",
        "16",
        "-j",
        "1",
        "-T",
        &TURN.as_secs().to_string(),
    ]);
    command.args(["-l", "--log-prefix"]).arg(&prefix);
    for script in scripts {
        command.arg("-f").arg(script);
    }
    let output = command.arg(&server.app).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok())
        .unwrap_or_else(|| panic_with(&text, &output.stderr));
    let mut times = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("log.") {
            let log = std::fs::read_to_string(&path).unwrap();
            times.extend(log.lines().filter_map(|line| {
                Some(Duration::from_micros(line.split(' ').nth(2)?.parse().ok()?))
            }));
            std::fs::remove_file(&path).unwrap();
        }
    }
    times.sort();
    (rate, percentile(&times, 50))
}

#[allow(clippy::panic, reason = "a bench")]
fn panic_with(text: &str, errors: &[u8]) -> f64 {
    panic!("pgbench failed: {text}{}", String::from_utf8_lossy(errors))
}

fn pgbench_program() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin/pgbench")).collect();
    found.sort();
    found.pop().filter(|path| path.exists()).unwrap_or_else(|| "pgbench".into())
}

fn pipelined(tenant: &str, queries: &[String]) -> Vec<String> {
    let script = |query: &String| {
        format!(
            "\\startpipeline\nbegin;\nselect set_config('crm.tenant_id', '{tenant}', true);\n\
             {query}\ncommit;\n\\endpipeline\n"
        )
    };
    queries.iter().map(script).collect()
}

/// The rows that creating a contact writes, in one transaction.
fn create_script(tenant: &str) -> String {
    let id = "('00000000-0000-7000-8000-' || lpad(to_hex(:r::bigint), 12, '0'))::uuid";
    let doc = format!(
        "json_build_object('id', {id}, 'first_name', 'Ada', 'last_name', 'Lovelace', 'display_name', 'Ada Lovelace', 'company', null, 'company_id', null, 'title', null, 'addresses', json_build_array(), 'tags', json_build_array(), 'custom', json_build_object(), 'owner_id', null, 'source', null, 'deleted_at', null, 'emails', json_build_array(json_build_object('address', 'p' || :r::bigint || '@bench.example', 'label', null)), 'phones', json_build_array(json_build_object('number', '+14255550123', 'raw', '+14255550123', 'label', null)), 'created_at', '2026-01-05T09:00:00Z', 'updated_at', '2026-01-05T09:00:00Z', 'version', 1)"
    );
    let words = ["ada", "lovelace", "=p", "bench", "+14255550123", "+4255550123", "#32105555241"];
    let terms: Vec<String> = words
        .iter()
        .map(|word| format!("('{tenant}', '{word}' || :r::bigint % 1000, {id})"))
        .collect();
    format!(
        "\\set r random(1, 200000000000000)\n\\startpipeline\nbegin;\n\
         select set_config('crm.tenant_id', '{tenant}', true);\n\
         insert into crm.contacts (tenant_id, id, deleted, created_at, updated_at, sort_name, version, doc) values ('{tenant}', {id}, false, now(), now(), 'lovelace ada', 1, {doc});\n\
         insert into crm.contact_keys (tenant_id, kind, value, contact_id, live) values ('{tenant}', 0, 'p' || :r::bigint || '@bench.example', {id}, true), ('{tenant}', 1, '+14255550123', {id}, true) on conflict (tenant_id, value) where kind = 0 and live do nothing;\n\
         insert into crm.contact_terms (tenant_id, contact_id, terms) values ('{tenant}', {id}, 'Fada\nLlovelace\nEp@bench.example\nP+14255550123');\n\
         insert into crm.terms (tenant_id, word, contact_id) values {};\n\
         insert into crm.words (tenant_id, word) values ('{tenant}', 'ada'), ('{tenant}', 'lovelace'), ('{tenant}', 'bench') on conflict (tenant_id, word) do nothing;\n\
         insert into crm.activities (tenant_id, id, contact_id, kind, occurred_at, doc) values ('{tenant}', {id}, {id}, 'note', now(), json_build_object('id', {id}, 'contact_id', {id}, 'kind', 'note', 'occurred_at', '2026-01-05T09:00:00Z', 'user_id', null, 'subject', null, 'body', null, 'data', json_build_object(), 'created_at', '2026-01-05T09:00:00Z'));\n\
         insert into crm.audit (tenant_id, id, at, actor, action, resource_kind, resource_id, request_id, fields) values ('{tenant}', {id}, now(), 'system', 'contact.created', 'contact', {id}, 'request', '[\"first_name\"]');\n\
         insert into crm.events (tenant_id, position, id, name, occurred_at, actor, request_id, subject_kind, subject_id, data) values ('{tenant}', (pg_current_xact_id()::text::bigint << 19) | 1, {id}, 'contact.created.v1', now(), 'system', 'request', 'contact', {id}, json_build_object('contact', {doc}));\n\
         commit;\n\\endpipeline\n",
        terms.join(", ")
    )
}

/// Searches with typos, one in one word or one in each of two, by one caller.
async fn search(session: &Session, size: u64) {
    println!("\nsearch, one caller (goal: p50 within 3 ms, p99 within 30)");
    let sample = Sample::new(1);
    for (name, words, goal) in [("one typo", 1, 0.98), ("one in each of two words", 2, 0.95)] {
        let (mut times, mut found, mut asked) = (Vec::new(), 0.0, 0.0);
        for number in (0..size).step_by((size / 1_000).max(1) as usize) {
            let person = sample.person(number);
            let (first, last) = (person.first_name.clone(), person.last_name.clone());
            let query = if words == 1 {
                format!("{first} {}", misspelt(&last, number))
            } else {
                format!("{} {}", misspelt(&first, number / 3), misspelt(&last, number))
            };
            let start = Instant::now();
            let hits = session.contacts().search(&query, &Page::first(20)).await.unwrap().items;
            times.push(start.elapsed());
            asked += 1.0;
            let is_it = |contact: &Contact| {
                contact.first_name.as_ref() == Some(&first)
                    && contact.last_name.as_ref() == Some(&last)
            };
            found += f64::from(u8::from(hits.iter().any(|hit| is_it(&hit.contact))));
        }
        times.sort();
        println!(
            "{name:<26} p50 {:>9}  p99 {:>9}  recall@20 {:.4} (goal {goal}), {asked} searches",
            micros(percentile(&times, 50)),
            micros(percentile(&times, 99)),
            found / asked
        );
    }
}

/// One letter replaced, left out, doubled or swapped with the next, never the first.
fn misspelt(word: &str, number: u64) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 3 {
        return word.to_owned();
    }
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

/// The import of a file into a tenant of its own.
async fn import(crm: &Crm) {
    const ROWS: u64 = 40_000;
    let slug = format!("import-{}", std::process::id());
    let session = new_tenant(crm, &slug).await;
    let mut file = String::from("First Name,Last Name,E-mail Address,Business Phone,Company\n");
    let sample = Sample::new(5);
    for number in 0..ROWS {
        let person = sample.person(number);
        file.push_str(&format!(
            "{},{},i{number}.{},{},\"{}\"\n",
            person.first_name, person.last_name, person.email, person.phone, person.company
        ));
    }
    let start = Instant::now();
    let mut import = session.contacts().import(ImportOptions::default()).unwrap();
    for piece in file.as_bytes().chunks(64 * 1024) {
        import.push(piece).await.unwrap();
    }
    let report = import.finish().await.unwrap();
    let rate = report.created as f64 / start.elapsed().as_secs_f64();
    println!(
        "\nimport of {ROWS} rows: {} created, {} skipped, {} failed, {rate:.0} contacts/s (goal 4,000)",
        report.created, report.skipped, report.failed
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
