//! `timeline`: what happened with a contact.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crm_core::activities::{Activity, ActivityData, FieldChange};
use crm_core::contacts::{Contact, SearchHit};
use crm_core::{ContactId, ErrorKind, Page, PageOf, Session, UserId, text};
use serde::Serialize;
use serde_json::Value;

use crate::program::cli::TimelineArgs;
use crate::program::contacts::print_hits;
use crate::program::database::Database;
use crate::program::failure::Failure;
use crate::program::output::{self, Format, note, when};
use crate::program::tenancy;

/// By how much the best hit of a search must lead to be the one that was meant.
const CLEAR_LEAD: f32 = 0.1;
/// Contacts that are listed where several could be meant.
const CANDIDATES: u16 = 10;

#[derive(Serialize)]
struct Timeline {
    contact: Contact,
    #[serde(flatten)]
    activities: PageOf<Activity>,
}

/// Prints a contact's timeline.
pub(crate) async fn timeline(database: &Database, args: TimelineArgs) -> Result<(), Failure> {
    let crm = database.open().await?;
    let session = tenancy::session(&crm, &args.tenant.slug, "timeline on the command line").await?;
    let contact = meant(&session, &args.contact.join(" "), args.output.format()).await?;
    let page = Page::first(args.limit);
    let activities = session.activities().timeline(contact.id, &page).await?;
    match args.output.format() {
        Format::Json => output::json(&Timeline { contact, activities }),
        Format::Table => print(&session, &contact, &activities, args.limit).await,
    }
}

/// The contact with this id, or the one that the words clearly mean.
async fn meant(session: &Session, words: &str, format: Format) -> Result<Contact, Failure> {
    if let Ok(id) = words.parse::<ContactId>() {
        return session.contacts().get(id).await.map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                Failure::Failed(format!("there is no contact `{id}`"))
            } else {
                error.into()
            }
        });
    }
    let hits = session.contacts().search(words, &Page::first(CANDIDATES)).await?;
    if hits.items.is_empty() {
        return Err(Failure::Failed(format!("no contact fits `{words}`")));
    }
    if let Some(best) = clear(words, &hits.items) {
        return Ok(best.contact.clone());
    }
    match format {
        Format::Json => output::json(&hits)?,
        Format::Table => print_hits(&hits.items)?,
    }
    Err(Failure::Failed(format!(
        "`{words}` could mean {} contacts; add a word, or name one by its id",
        if hits.next_cursor.is_some() {
            format!("more than {CANDIDATES}")
        } else {
            hits.items.len().to_string()
        },
    )))
}

/// The hit that the words clearly mean: the only one, the only one that they name as it is, or the
/// best by far.
fn clear<'h>(words: &str, hits: &'h [SearchHit]) -> Option<&'h SearchHit> {
    let mut named = hits.iter().filter(|hit| is_named(words, &hit.contact));
    match (hits, named.next(), named.next()) {
        ([only], ..) => Some(only),
        (_, Some(one), None) => Some(one),
        (_, Some(_), Some(_)) => None,
        ([best, next, ..], None, _) => (best.score - next.score >= CLEAR_LEAD).then_some(best),
        ([], ..) => None,
    }
}

fn is_named(words: &str, contact: &Contact) -> bool {
    text::words(words) == text::words(&contact.display_name)
        || contact.emails.iter().any(|email| email.address.key() == words.trim().to_lowercase())
}

async fn print(
    session: &Session,
    contact: &Contact,
    activities: &PageOf<Activity>,
    limit: u16,
) -> Result<(), Failure> {
    let mut people: HashMap<UserId, String> = HashMap::new();
    for user in activities.items.iter().filter_map(|activity| activity.user_id) {
        if let Entry::Vacant(name) = people.entry(user) {
            name.insert(session.users().get(user).await?.full_name);
        }
    }
    note(&format!("{} ({})", contact.display_name, contact.id));
    output::table(
        ["when (UTC)", "kind", "by", "what"],
        activities.items.iter().map(|activity| {
            let by = activity.user_id.and_then(|user| people.get(&user).cloned());
            [
                when(activity.occurred_at),
                activity.kind().to_string(),
                by.unwrap_or_else(|| "system".to_owned()),
                what(activity),
            ]
        }),
    )?;
    if activities.next_cursor.is_some() {
        note(&format!("there are more than {limit}; see --limit"));
    }
    Ok(())
}

/// An activity in a line.
fn what(activity: &Activity) -> String {
    let said = match (&activity.subject, &activity.body) {
        (Some(subject), Some(body)) => format!("{subject}: {body}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => String::new(),
    };
    let data = of_data(&activity.data);
    match (said.is_empty(), data.is_empty()) {
        (false, false) => format!("{said} ({data})"),
        (true, _) => data,
        (false, true) => said,
    }
}

fn of_data(data: &ActivityData) -> String {
    let parts: Vec<String> = match data {
        ActivityData::Note {}
        | ActivityData::ContactDeleted {}
        | ActivityData::ContactRestored {} => Vec::new(),
        ActivityData::Email { direction: _, from, to } => {
            [from.as_ref().map(|from| format!("from {from}")), listed("to", to)]
                .into_iter()
                .flatten()
                .collect()
        }
        ActivityData::Sms { direction: _, number } => number.iter().cloned().collect(),
        ActivityData::Meeting { ends_at, location, attendees } => [
            location.as_ref().map(|location| format!("at {location}")),
            ends_at.map(|at| format!("until {}", when(at))),
            listed("with", attendees),
        ]
        .into_iter()
        .flatten()
        .collect(),
        ActivityData::Call {
            direction: _,
            number,
            duration_seconds,
            disposition,
            status: _,
            call_id: _,
        } => [
            number.clone(),
            duration_seconds.map(|seconds| format!("{}:{:02} min", seconds / 60, seconds % 60)),
            disposition.clone(),
        ]
        .into_iter()
        .flatten()
        .collect(),
        ActivityData::Task { due_at, done } => {
            [due_at.map(|at| format!("due {}", when(at))), done.then(|| "done".to_owned())]
                .into_iter()
                .flatten()
                .collect()
        }
        ActivityData::ContactCreated { source } => {
            source.iter().map(|source| format!("source {source}")).collect()
        }
        ActivityData::ContactUpdated { changes } => changes.iter().map(change).collect(),
    };
    parts.join(", ")
}

fn listed(word: &str, people: &[String]) -> Option<String> {
    (!people.is_empty()).then(|| format!("{word} {}", people.join(" and ")))
}

fn change(FieldChange { field, old, new }: &FieldChange) -> String {
    format!("{field}: {} -> {}", value(old), value(new))
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    }
}
