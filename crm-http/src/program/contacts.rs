//! Contacts: `import`, `export` and `search`.

pub(crate) mod export;
pub(crate) mod import;

use crm_core::Page;
use crm_core::contacts::{Contact, SearchHit};

use crate::program::cli::SearchArgs;
use crate::program::database::Database;
use crate::program::failure::Failure;
use crate::program::output::{self, Format, note};
use crate::program::tenancy;

/// Prints the contacts that the words could mean, the best first.
pub(crate) async fn search(database: &Database, args: SearchArgs) -> Result<(), Failure> {
    let crm = database.open().await?;
    let session = tenancy::session(&crm, &args.tenant.slug, "search on the command line").await?;
    let query = args.query.join(" ");
    let hits = session.contacts().search(&query, &Page::first(args.limit)).await?;
    match args.output.format() {
        Format::Json => output::json(&hits),
        Format::Table if hits.items.is_empty() => {
            note(&format!("no contact fits `{query}`"));
            Ok(())
        }
        Format::Table => {
            print_hits(&hits.items)?;
            if hits.next_cursor.is_some() {
                note(&format!("there are more than {}; see --limit, or add a word", args.limit));
            }
            Ok(())
        }
    }
}

/// A table of the contacts that a search found.
pub(crate) fn print_hits(hits: &[SearchHit]) -> Result<(), Failure> {
    output::table(
        ["score", "name", "company", "e-mail", "phone", "id"],
        hits.iter().map(|SearchHit { contact, score }| {
            [
                format!("{score:.2}"),
                contact.display_name.clone(),
                contact.company.clone().unwrap_or_default(),
                contact.emails.first().map(|email| email.address.to_string()).unwrap_or_default(),
                first_phone(contact),
                contact.id.to_string(),
            ]
        }),
    )
}

fn first_phone(contact: &Contact) -> String {
    contact
        .phones
        .first()
        .map(|phone| match &phone.number {
            Some(number) => number.to_string(),
            None => phone.raw.clone(),
        })
        .unwrap_or_default()
}
