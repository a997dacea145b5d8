//! What a session can do with consents.

use super::model::{Consent, MAX_SOURCE, NewConsent};
use crate::access::{ReadConsents, RecordConsents};
use crate::changes::Write;
use crate::error::{Error, Result};
use crate::events::payload::ConsentRecorded;
use crate::id::ContactId;
use crate::session::Session;

/// What the contacts of the session's tenant agreed to.
#[derive(Debug, Clone, Copy)]
pub struct Privacy<'s> {
    pub(crate) session: &'s Session,
}

impl Privacy<'_> {
    /// Writes down what a contact said. Its outcome is remembered for a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found` when there is no such contact; `invalid` for a source that is too long;
    /// `unavailable` or `internal` from the store.
    pub async fn record_consent(&self, contact: ContactId, new: NewConsent) -> Result<Consent> {
        self.session
            .run("privacy.record_consent", async {
                let look = self.session.store().contact(self.session.scope(), contact);
                let (permit, contact) =
                    self.session.authorize_on::<RecordConsents, _>("contact", look).await?;
                let source =
                    new.source.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
                let bad = |text: &String| {
                    text.chars().nth(MAX_SOURCE).is_some() || text.chars().any(char::is_control)
                };
                if source.as_ref().is_some_and(bad) {
                    let message =
                        format!("a source is one line of at most {MAX_SOURCE} characters");
                    return Err(Error::invalid_field("source", "invalid_source", message));
                }
                let mut changes = self.session.new_changes();
                let consent = Consent {
                    id: self.session.env().new_id()?,
                    contact_id: contact.id,
                    purpose: new.purpose,
                    granted: new.granted,
                    source,
                    user_id: permit.scope().actor().user(),
                    at: changes.at(),
                };
                let data = ConsentRecorded { consent: &consent };
                let write = Write::InsertConsent(consent.clone());
                let env = self.session.env();
                changes.record(env, write, consent.id, vec![], &data)?;
                self.session.commit_made(changes, &consent).await?;
                Ok(consent)
            })
            .await
    }

    /// All that a contact ever said, the newest first.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found` when there is no such contact; `unavailable` or `internal` from the store.
    pub async fn consents(&self, contact: ContactId) -> Result<Vec<Consent>> {
        self.session
            .run("privacy.consents", async {
                let look = self.session.store().contact(self.session.scope(), contact);
                let (permit, contact) =
                    self.session.authorize_on::<ReadConsents, _>("contact", look).await?;
                self.session.store().consents(permit.scope(), &[contact.id], true).await
            })
            .await
    }
}
