//! `seed`: made-up people and what happened with them, at scale.

mod activities;
mod people;

use std::collections::HashMap;

use crm_core::activities::{ActivityFilter, ActivityKind, NewActivity, StatsGroupBy};
use crm_core::contacts::formats::ImportFormat;
use crm_core::contacts::import::{ImportOptions, ImportReport};
use crm_core::contacts::{Contact, ContactFilter, ContactSort};
use crm_core::ports::{Clock, SystemClock};
use crm_core::tenancy::{NewTenant, Slug};
use crm_core::{Crm, ErrorKind, Page, Region, Session};
use serde_json::json;

use crate::program::cli::SeedArgs;
use crate::program::database::Database;
use crate::program::failure::Failure;
use crate::program::output::{self, Format, count};
use crate::program::progress::Progress;

use people::People;

/// People that are made at a time.
const CONTACTS_AT_ONCE: u64 = 500;
/// Activities in one commit.
const ACTIVITIES_AT_ONCE: usize = 1_000;

/// Fills the tenant, which is made where there is none.
pub(crate) async fn run(database: &Database, args: SeedArgs) -> Result<(), Failure> {
    let crm = database.open_or_create().await?;
    let session = tenant(&crm, &args.tenant).await?;
    let (report, activities) = fill(&session, args.contacts, args.activities, args.seed).await?;

    match args.output.format() {
        Format::Json => output::json(&json!({
            "tenant": args.tenant,
            "seed": args.seed,
            "created": report.created,
            "skipped": report.skipped,
            "failed": report.failed,
            "errors": report.errors,
            "activities": activities,
        }))?,
        Format::Table => output::table(
            ["tenant", "contacts", "there before", "activities"],
            [[
                args.tenant.to_string(),
                count(report.created),
                count(report.skipped),
                count(activities),
            ]],
        )?,
    }
    match report.errors.first() {
        None => Ok(()),
        Some(refused) => Err(Failure::Failed(format!(
            "{} contacts were refused, the first: {}",
            count(report.failed),
            refused.error.message
        ))),
    }
}

/// Gives the tenant this many contacts of a seed, and each of them this many activities, as far as they
/// are missing. Returns what became of the contacts, and how many activities were made.
pub(crate) async fn fill(
    session: &Session,
    contacts: u64,
    activities: u64,
    seed: u64,
) -> Result<(ImportReport, u64), Failure> {
    let source = format!("seed {seed}");
    let started = SystemClock.now();
    let report = make_contacts(session, contacts, seed, &source).await?;
    // Where nobody was there before, the contacts made since the start are all that there are.
    let filter = ContactFilter {
        created_after: (report.skipped == 0).then_some(started),
        ..ContactFilter::default()
    };
    let run = ActivityRun { session, contacts, activities, seed, source: &source, filter };
    let made = run.run(report.skipped > 0).await?;
    Ok((report, made))
}

async fn tenant(crm: &Crm, slug: &Slug) -> Result<Session, Failure> {
    let system = crm.system("seed on the command line")?;
    let known = match system.tenant(slug).await {
        Ok(tenant) => tenant,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let new = NewTenant {
                name: format!("Made-up people ({slug})"),
                slug: Some(slug.clone()),
                default_region: Region::US,
                owner_email: format!("owner@{slug}.example"),
                owner_name: None,
            };
            system.create_tenant(new).await?.0
        }
        Err(error) => return Err(error.into()),
    };
    Ok(system.session(known.id).await?)
}

async fn make_contacts(
    session: &Session,
    contacts: u64,
    seed: u64,
    source: &str,
) -> Result<ImportReport, Failure> {
    let progress = Progress::of_items("contacts", contacts);
    let mut import = session.contacts().import(ImportOptions {
        format: Some(ImportFormat::JsonLines),
        source: Some(source.to_owned()),
        ..ImportOptions::default()
    })?;
    let mut people = People::new(seed);
    let mut made = 0;
    while made < contacts {
        let upto = contacts.min(made + CONTACTS_AT_ONCE);
        let mut lines = Vec::new();
        for number in made..upto {
            serde_json::to_writer(&mut lines, &people.contact(number))
                .map_err(|error| Failure::Failed(format!("a contact has no JSON: {error}")))?;
            lines.push(b'\n');
        }
        import.push(&lines).await?;
        progress.advance(upto - made);
        made = upto;
    }
    let report = import.finish().await?;
    progress.done();
    Ok(report)
}

/// Gives each contact of a source its activities.
struct ActivityRun<'a> {
    session: &'a Session,
    contacts: u64,
    activities: u64,
    seed: u64,
    source: &'a str,
    filter: ContactFilter,
}

impl ActivityRun<'_> {
    /// Logs what is missing and returns how many that were. `again`: some may be there already.
    async fn run(&self, again: bool) -> Result<u64, Failure> {
        let wanted = self.contacts.saturating_mul(self.activities);
        if wanted == 0 {
            return Ok(0);
        }
        let progress = Progress::of_items("activities", wanted);
        let mut logged = 0;
        let mut batch = Vec::with_capacity(ACTIVITIES_AT_ONCE);
        let mut page = Page::first(Page::MAX_LIMIT);
        loop {
            let contacts = self.session.contacts();
            let found = contacts.list(&self.filter, ContactSort::CreatedAt, false, &page).await?;
            for contact in &found.items {
                if contact.source.as_deref() != Some(self.source) {
                    continue;
                }
                let there = if again { self.there(contact).await? } else { 0 };
                let mut happenings = activities::of(self.seed, contact);
                for nth in there..self.activities {
                    batch.push(happenings.nth(nth));
                    if batch.len() == ACTIVITIES_AT_ONCE {
                        logged += self.log(&mut batch, &progress).await?;
                    }
                }
            }
            match found.next_cursor {
                Some(cursor) => page = Page::after(cursor, Page::MAX_LIMIT),
                None => break,
            }
        }
        logged += self.log(&mut batch, &progress).await?;
        progress.done();
        Ok(logged)
    }

    /// How many activities the contact has, apart from those that the CRM writes.
    async fn there(&self, contact: &Contact) -> Result<u64, Failure> {
        let filter = ActivityFilter { contact_id: Some(contact.id), ..ActivityFilter::default() };
        let stats = self.session.activities().stats(&filter, StatsGroupBy::Kind).await?;
        let counts: HashMap<&str, u64> =
            stats.groups.iter().map(|group| (group.key.as_str(), group.count)).collect();
        Ok(ActivityKind::ALL
            .iter()
            .filter(|kind| kind.is_by_people())
            .filter_map(|kind| counts.get(kind.as_str()))
            .sum())
    }

    async fn log(&self, batch: &mut Vec<NewActivity>, progress: &Progress) -> Result<u64, Failure> {
        if batch.is_empty() {
            return Ok(0);
        }
        let logged = self.session.activities().create_all(std::mem::take(batch)).await?.len();
        progress.advance(logged as u64);
        Ok(logged as u64)
    }
}
