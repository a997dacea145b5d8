//! What a session can do with calls.

use std::time::Duration;

use super::commands::{CallNews, log_call, start_call, update_call};
use super::handlers::{HANG_UP, Named, PLACE, RECONCILE, RECONCILE_AFTER};
use super::model::{
    Call, CallPatch, CallStatus, CallView, ConsentSnapshot, LONGEST_CALL, LogCall, MAX_NOTE,
    Placement, Progress, StartCall,
};
use super::store::{CallFilter, CallQuery};
use crate::access::{PlaceCalls, ReadCalls, UpdateCalls};
use crate::activities::Direction;
use crate::contacts::store::{ContactFilter, ContactQuery, Deleted};
use crate::contacts::{Contact, ContactKey};
use crate::crm::Core;
use crate::email::shorten;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::id::{CallId, ContactId};
use crate::jobs::NewJob;
use crate::page::{Page, PageOf, Position, SortKey};
use crate::patch::Patch;
use crate::phone::{PhoneNumber, Region};
use crate::privacy::Purpose;
use crate::privacy::model::latest;
use crate::scope::TenantScope;
use crate::session::Session;
use crate::telephony::{TelephonyAccount, not_a_number};
use crate::time::Timestamp;

/// The calls of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Calls<'s> {
    pub(crate) session: &'s Session,
}

/// Contacts with one number that are looked at together.
const HOLDERS: usize = 100;

impl Calls<'_> {
    /// Asks for a call. The carrier is asked by a job, after the commit; what becomes of it is told by the
    /// call's events. Its outcome is remembered for a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found` when there is no such contact in use; `invalid` for a number that is not the
    /// contact's, or not one of the tenant's; `conflict` when the contact, or somebody else with the number,
    /// has refused to be called, when it is to be recorded and the contact has not agreed, or when the tenant
    /// has no number to call from; `unavailable` or `internal` from the store.
    pub async fn start(&self, new: StartCall) -> Result<Call> {
        self.session
            .run("calls.start", async {
                let permit = self.session.authorize::<PlaceCalls>()?;
                let scope = permit.scope();
                let contact = self.session.store().contact(scope, new.contact_id).await?;
                let contact =
                    contact.filter(Contact::is_live).ok_or_else(|| Error::not_found("contact"))?;
                let accounts = self.session.store().telephony_accounts(scope).await?;
                let mut refused = Vec::new();
                let to = number_of(&contact, new.to, scope.region(), "to", &mut refused);
                let from = line(&accounts, new.from, scope.region(), &mut refused);
                if !refused.is_empty() {
                    return Err(Error::invalid(refused));
                }
                let (account, from) = from.ok_or_else(|| {
                    Error::new(
                        ErrorKind::Conflict,
                        "the tenant has no active telephony account with a number to call from",
                    )
                })?;
                let to = to.ok_or_else(|| {
                    Error::new(ErrorKind::Conflict, "the contact has no number that can be called")
                })?;
                let core = self.session.core();
                may_be_called(core, scope, contact.id, &to).await?;
                let mut changes = self.session.new_changes();
                let consent = consent_to_record(core, scope, contact.id, changes.at()).await?;
                if new.record && consent.granted != Some(true) {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "the contact has not agreed to be recorded; record the consent first",
                    ));
                }
                let call = Call {
                    id: core.env.new_id()?,
                    contact_id: Some(contact.id),
                    user_id: scope.actor().user(),
                    direction: Direction::Outbound,
                    from: Some(from),
                    to: Some(to),
                    disposition: None,
                    note: None,
                    provider: Some(account.provider.clone()),
                    account_id: Some(account.id),
                    provider_call_id: None,
                    placement: Placement::Waiting,
                    hang_up_at: None,
                    progress: Progress::default(),
                    record: new.record,
                    consent: Some(consent),
                    recordings: Vec::new(),
                    activity_id: core.env.new_id()?,
                    started_at: changes.at(),
                    created_at: changes.at(),
                    updated_at: changes.at(),
                    version: 1,
                };
                start_call(&core.env, &mut changes, &call)?;
                let named = Named { call_id: call.id };
                let key = call.id.to_string();
                changes.enqueue(&core.env, NewJob::new(PLACE, &named)?.urgent().unique(&key))?;
                let later = changes.at().after(RECONCILE_AFTER);
                let reconcile = NewJob::new(RECONCILE, &named)?.at(later).unique(&key);
                changes.enqueue(&core.env, reconcile)?;
                self.session.commit_made(changes, &CallView::from(&call)).await?;
                Ok(call)
            })
            .await
    }

    /// Logs a call that was made on an ordinary phone. Its outcome is remembered for a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found` when there is no such contact in use; `invalid` with each refused value;
    /// `unavailable` or `internal` from the store.
    pub async fn log(&self, new: LogCall) -> Result<Call> {
        self.session
            .run("calls.log", async {
                let permit = self.session.authorize::<UpdateCalls>()?;
                let scope = permit.scope();
                let contact = self.session.store().contact(scope, new.contact_id).await?;
                let contact =
                    contact.filter(Contact::is_live).ok_or_else(|| Error::not_found("contact"))?;
                let mut changes = self.session.new_changes();
                let mut refused = Vec::new();
                let number = match new.number {
                    Some(text) => {
                        let number = PhoneNumber::parse(&text, scope.region());
                        if number.is_none() {
                            refused.push(not_a_number("number", &text));
                        }
                        number
                    }
                    None => first_number(&contact),
                };
                let status = new.status.unwrap_or(CallStatus::Completed);
                if !status.is_end() {
                    let message = "a call that is logged is over; choose how it ended";
                    refused.push(FieldError::new("status", "invalid_status", message));
                }
                let seconds = new.duration_seconds;
                let lasted = Duration::from_secs(u64::from(seconds.unwrap_or_default()));
                if lasted > LONGEST_CALL {
                    let message =
                        format!("a call is at most {} seconds long", LONGEST_CALL.as_secs());
                    refused.push(FieldError::new("duration_seconds", "out_of_range", message));
                }
                let started_at = new.started_at.unwrap_or(changes.at());
                if started_at > changes.at() {
                    let message = format!("`{started_at}` is in the future");
                    refused.push(FieldError::new("started_at", "out_of_range", message));
                }
                let note = checked_note(new.note, &mut refused);
                let disposition = self.checked_disposition(new.disposition, &mut refused).await?;
                if !refused.is_empty() {
                    return Err(Error::invalid(refused));
                }
                let ended_at = started_at.after(lasted);
                let answered = status == CallStatus::Completed;
                let (from, to) = match new.direction {
                    Direction::Inbound => (number, None),
                    Direction::Outbound => (None, number),
                };
                let core = self.session.core();
                let call = Call {
                    id: core.env.new_id()?,
                    contact_id: Some(contact.id),
                    user_id: scope.actor().user(),
                    direction: new.direction,
                    from,
                    to,
                    disposition,
                    note,
                    provider: None,
                    account_id: None,
                    provider_call_id: None,
                    placement: Placement::None,
                    hang_up_at: None,
                    progress: Progress {
                        answered_at: answered.then_some(started_at),
                        duration_seconds: seconds,
                        ..Progress::step(status, None, Some(ended_at))
                    },
                    record: false,
                    consent: None,
                    recordings: Vec::new(),
                    activity_id: core.env.new_id()?,
                    started_at,
                    created_at: changes.at(),
                    updated_at: changes.at(),
                    version: 1,
                };
                log_call(&core.env, &mut changes, &call)?;
                self.session.commit_made(changes, &CallView::from(&call)).await?;
                Ok(call)
            })
            .await
    }

    /// The call with this id.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `unavailable` or `internal` from the store.
    pub async fn get(&self, id: CallId) -> Result<Call> {
        self.session
            .run("calls.get", async {
                let permit = self.session.authorize::<ReadCalls>()?;
                let call = self.session.store().call(permit.scope(), id).await?;
                call.ok_or_else(|| Error::not_found("call"))
            })
            .await
    }

    /// The calls that `filter` means, newest first.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid` when the time ends before it begins; `invalid_cursor`; `unavailable` or `internal`
    /// from the store.
    pub async fn list(&self, filter: &CallFilter, page: &Page) -> Result<PageOf<Call>> {
        self.session
            .run("calls.list", async {
                let permit = self.session.authorize::<ReadCalls>()?;
                if let (Some(from), Some(to)) = (filter.from, filter.to)
                    && from > to
                {
                    let message = format!("`to` ({to}) is before `from` ({from})");
                    return Err(Error::invalid_field("to", "invalid_range", message));
                }
                let list = format!("calls?{filter:?}");
                let after = page.position(&list)?.and_then(|position| match position.key {
                    SortKey::Time(at) => Some((at, CallId::from_uuid(position.id))),
                    SortKey::Text(_) | SortKey::Score(_) => None,
                });
                let query = CallQuery { filter: filter.clone(), after, limit: page.limit() + 1 };
                let calls = self.session.store().calls(permit.scope(), &query).await?;
                Ok(PageOf::cut(calls, page.limit(), &list, |last| Position {
                    key: SortKey::Time(last.started_at),
                    id: last.id.as_uuid(),
                }))
            })
            .await
    }

    /// Says what came of a call.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `invalid` for a disposition that the tenant has not, or a note that is too long;
    /// `version_conflict` when `version` is given and is not the record's; `unavailable` or `internal` from the
    /// store.
    pub async fn update(&self, id: CallId, patch: CallPatch, version: Option<i64>) -> Result<Call> {
        let attempt = || async {
            let look = self.session.store().call(self.session.scope(), id);
            let (_permit, before) =
                self.session.authorize_on::<UpdateCalls, _>("call", look).await?;
            if let Some(expected) = version.filter(|version| *version != before.version) {
                return Err(Error::version_conflict("call", expected, before.version));
            }
            let mut after = before.clone();
            let mut refused = Vec::new();
            match patch.clone().disposition {
                Patch::Keep => {}
                Patch::Clear => after.disposition = None,
                Patch::Set(word) => {
                    after.disposition = self.checked_disposition(Some(word), &mut refused).await?;
                }
            }
            match patch.clone().note {
                Patch::Keep => {}
                Patch::Clear => after.note = None,
                Patch::Set(note) => after.note = checked_note(Some(note), &mut refused),
            }
            if !refused.is_empty() {
                return Err(Error::invalid(refused));
            }
            if after == before {
                return Ok(before);
            }
            let mut changes = self.session.new_changes();
            let env = self.session.env();
            let after = update_call(env, &mut changes, &before, after, CallNews::Changed)?;
            self.session.commit(changes).await?;
            Ok(after)
        };
        let attempts = self.session.retry_contended(version.is_some(), attempt);
        self.session.run("calls.update", attempts).await
    }

    /// Ends a call. One that is not with the carrier yet never is; one that is there is ended by a job, and its
    /// events tell when it is. A call that is over is left as it is.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `unavailable` or `internal` from the store.
    pub async fn hang_up(&self, id: CallId) -> Result<Call> {
        let attempt = || async {
            let look = self.session.store().call(self.session.scope(), id);
            let (_permit, before) =
                self.session.authorize_on::<PlaceCalls, _>("call", look).await?;
            if before.status().is_end() {
                return Ok(before);
            }
            let mut changes = self.session.new_changes();
            let env = self.session.env();
            let mut after = before.clone();
            after.hang_up_at = before.hang_up_at.or(Some(changes.at()));
            if before.placement == Placement::Waiting {
                after.placement = Placement::None;
                let canceled = Progress::step(CallStatus::Canceled, None, Some(changes.at()));
                after.progress = after.progress.join(canceled);
            } else {
                let job = NewJob::new(HANG_UP, &Named { call_id: id })?;
                changes.enqueue(env, job.urgent().unique(id.to_string()))?;
            }
            // Asked for again, the carrier is asked again: its last refusal may have been final.
            if after != before {
                after = update_call(env, &mut changes, &before, after, CallNews::Changed)?;
            }
            self.session.commit(changes).await?;
            Ok(after)
        };
        self.session.run("calls.hang_up", self.session.retry_contended(false, attempt)).await
    }

    async fn checked_disposition(
        &self,
        word: Option<String>,
        refused: &mut Vec<FieldError>,
    ) -> Result<Option<String>> {
        let Some(word) = word.map(|word| word.trim().to_owned()).filter(|word| !word.is_empty())
        else {
            return Ok(None);
        };
        let known = self.session.tenant().load().await?.dispositions;
        if !known.contains(&word) {
            let message = format!(
                "`{}` is no disposition of the tenant's; choose one of {}",
                shorten(&word),
                known.join(", ")
            );
            refused.push(FieldError::new("disposition", "invalid_disposition", message));
        }
        Ok(Some(word))
    }
}

fn checked_note(note: Option<String>, refused: &mut Vec<FieldError>) -> Option<String> {
    let note = note.filter(|note| !note.trim().is_empty())?;
    if note.chars().nth(MAX_NOTE).is_some() {
        let message = format!("a note has at most {MAX_NOTE} characters");
        refused.push(FieldError::new("note", "too_long", message));
    }
    Some(note)
}

fn first_number(contact: &Contact) -> Option<PhoneNumber> {
    contact.phones.iter().find_map(|phone| phone.number.clone())
}

/// The contact's number that is meant.
fn number_of(
    contact: &Contact,
    text: Option<String>,
    region: Region,
    field: &str,
    refused: &mut Vec<FieldError>,
) -> Option<PhoneNumber> {
    let Some(text) = text else { return first_number(contact) };
    let Some(number) = PhoneNumber::parse(&text, region) else {
        refused.push(not_a_number(field, &text));
        return None;
    };
    if !contact.phones.iter().any(|phone| phone.number.as_ref() == Some(&number)) {
        let message =
            format!("`{number}` is no number of the contact; add it to the contact first");
        refused.push(FieldError::new(field, "unknown_phone", message));
    }
    Some(number)
}

/// The tenant's number that is meant, with its account.
fn line<'a>(
    accounts: &'a [TelephonyAccount],
    text: Option<String>,
    region: Region,
    refused: &mut Vec<FieldError>,
) -> Option<(&'a TelephonyAccount, PhoneNumber)> {
    let mut lines = accounts
        .iter()
        .filter(|account| account.active)
        .flat_map(|account| account.numbers.iter().map(move |number| (account, number.clone())));
    let Some(text) = text else { return lines.next() };
    let Some(number) = PhoneNumber::parse(&text, region) else {
        refused.push(not_a_number("from", &text));
        return None;
    };
    let found = lines.find(|(_, own)| *own == number);
    if found.is_none() {
        let message = format!("`{number}` is no number of the tenant's active telephony accounts");
        refused.push(FieldError::new("from", "unknown_phone", message));
    }
    found
}

/// Refuses a call to who has refused calls, or shares the number with somebody who has. What cannot be
/// looked up is an error, so that nobody is called by mistake.
pub(crate) async fn may_be_called(
    core: &Core,
    scope: &TenantScope,
    contact: ContactId,
    number: &PhoneNumber,
) -> Result<()> {
    let mut query = ContactQuery {
        filter: ContactFilter {
            keys: vec![ContactKey::phone(number)],
            deleted: Deleted::Include,
            ..ContactFilter::default()
        },
        limit: HOLDERS,
        ..ContactQuery::default()
    };
    let mut ids = vec![contact];
    loop {
        let holders = core.store.contacts(scope, &query).await?;
        ids.extend(holders.iter().map(|contact| contact.id));
        let consents = core.store.consents(scope, &ids, false).await?;
        if consents.iter().any(|said| said.purpose == Purpose::Calls && !said.granted) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "somebody with this number has refused to be called",
            ));
        }
        match holders.last() {
            Some(last) if holders.len() == HOLDERS => {
                query.after = Some((query.sort.key_of(last), last.id.as_uuid()));
                ids.clear();
            }
            Some(_) | None => return Ok(()),
        }
    }
}

/// What the contact says to being recorded.
pub(crate) async fn consent_to_record(
    core: &Core,
    scope: &TenantScope,
    contact: ContactId,
    at: Timestamp,
) -> Result<ConsentSnapshot> {
    let consents = core.store.consents(scope, &[contact], false).await?;
    let latest = latest(&consents, Purpose::Recording);
    Ok(ConsentSnapshot {
        granted: latest.map(|consent| consent.granted),
        consent_id: latest.map(|consent| consent.id),
        at,
    })
}
