//! `user reset`, and passwords that the operator sets.

use std::io::BufRead;

use crm_core::identity::{Secret, User};
use crm_core::ports::{Randomness, SystemRandomness};
use crm_core::{EmailAddress, Page, Session};
use serde_json::json;

use crate::program::cli::UserResetArgs;
use crate::program::database::Database;
use crate::program::failure::Failure;
use crate::program::output::{self, Format};
use crate::program::tenancy;

/// Signs of a made-up password, without those that are taken for each other: five bits each.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 100 bits, in groups that can be read out.
const GROUPS: usize = 4;
const GROUP: usize = 5;

/// Invites a user anew.
pub(crate) async fn reset(database: &Database, args: UserResetArgs) -> Result<(), Failure> {
    let crm = database.open().await?;
    let session =
        tenancy::session(&crm, &args.tenant.slug, "user reset on the command line").await?;
    let user = by_email(&session, &args.email).await?;
    let created = session.users().invite_again(user.id).await?;
    let (user, invitation) = (created.user, created.invitation);
    match args.output.format() {
        Format::Json => output::json(&json!({ "user": user, "invitation": invitation.reveal() })),
        Format::Table => output::table(
            ["user", "user id", "invitation"],
            [[user.email.to_string(), user.id.to_string(), invitation.reveal().to_owned()]],
        ),
    }
}

/// The user with this address.
async fn by_email(session: &Session, email: &str) -> Result<User, Failure> {
    let wanted = EmailAddress::parse(email)
        .map_err(|error| Failure::Usage(format!("<EMAIL>: {}", error.message)))?;
    let mut page = Page::first(Page::MAX_LIMIT);
    loop {
        let found = session.users().list(&page).await?;
        if let Some(user) = found.items.into_iter().find(|user| user.email.key() == wanted.key()) {
            return Ok(user);
        }
        match found.next_cursor {
            Some(cursor) => page = Page::after(cursor, Page::MAX_LIMIT),
            None => {
                let message = format!("<EMAIL>: the tenant has no user `{wanted}`");
                return Err(Failure::Usage(message));
            }
        }
    }
}

/// A new password for somebody who is told it.
pub(crate) fn made_up_password() -> Result<Secret, Failure> {
    let mut random = [0; GROUPS * GROUP];
    SystemRandomness.fill(&mut random)?;
    let signs: Vec<char> = random
        .iter()
        .filter_map(|byte| SIGNS.get(usize::from(byte % 32)).map(|sign| char::from(*sign)))
        .collect();
    let groups: Vec<String> = signs.chunks(GROUP).map(|group| group.iter().collect()).collect();
    Ok(Secret::new(groups.join("-")))
}

/// The first line of standard input.
pub(crate) fn password_from_stdin() -> Result<Secret, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| {
        Failure::Usage(format!("--password-stdin: standard input cannot be read: {error}"))
    })?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::Usage(
            "--password-stdin: there is no line on standard input".to_owned(),
        ));
    }
    Ok(Secret::new(password.to_owned()))
}
