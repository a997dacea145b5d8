//! What each row of a batch does. All reads come first, so that deciding never waits: a caller who
//! drops the future leaves the import as it was.

use std::collections::{HashMap, HashSet};

use super::{OnConflict, Outcome, Permits, Row};
use crate::changes::Changes;
use crate::companies::{self, Company, CompanyKey, NewCompany};
use crate::contacts::commands;
use crate::contacts::model::{Contact, ContactDetails};
use crate::contacts::store::ContactKey;
use crate::env::Env;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::hash::fnv64;
use crate::id::{CompanyId, ContactId, UserId};
use crate::session::Session;

/// What the store knows of the rows of a batch.
pub(super) struct Known {
    holders: HashMap<ContactKey, ContactId>,
    /// The holders' records, where they are to be updated.
    contacts: HashMap<ContactId, Contact>,
    companies: HashMap<CompanyKey, Company>,
    references: References,
}

/// What an export of another tenant refers to does not exist here: the contact is kept, the reference
/// is not.
#[derive(Default)]
struct References {
    companies: HashSet<CompanyId>,
    owners: HashSet<UserId>,
}

/// What rows before have made and changed that the store does not know: those of the same batch; in
/// a dry run, which writes nothing, all rows.
#[derive(Default)]
pub(super) struct Unwritten {
    holders: HashMap<ContactKey, ContactId>,
    contacts: HashMap<ContactId, Contact>,
    companies: HashMap<CompanyKey, Company>,
    /// Hashes of the keys of batches before, where more is not asked of them.
    seen: HashSet<u64>,
}

/// A batch that is decided: what it writes and what it reports.
pub(super) struct Plan {
    pub(super) changes: Changes,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Contact(ContactId),
    /// A contact that a dry run would have made.
    EarlierRow,
}

impl Known {
    pub(super) async fn of(
        session: &Session,
        rows: &[Row],
        on_conflict: OnConflict,
    ) -> Result<Self> {
        let (store, scope) = (session.store(), session.scope());
        let keys: Vec<ContactKey> =
            rows.iter().flat_map(|row| row.details.duplicate_keys()).collect();
        let mut holders: HashMap<ContactKey, ContactId> =
            store.contacts_by_keys(scope, &keys).await?.into_iter().collect();
        let mut contacts = HashMap::new();
        match on_conflict {
            OnConflict::Skip | OnConflict::Error => {}
            OnConflict::Update => {
                let ids: HashSet<ContactId> = holders.values().copied().collect();
                let ids: Vec<ContactId> = ids.into_iter().collect();
                let found = store.contacts_by_ids(scope, &ids).await?;
                let live = found.into_iter().filter(Contact::is_live);
                contacts.extend(live.map(|contact| (contact.id, contact)));
                // One that was deleted between the two reads is nobody's any more.
                holders.retain(|_, id| contacts.contains_key(id));
            }
        }
        let employers: HashSet<CompanyKey> =
            rows.iter().filter_map(|row| employer_key(&row.details)).collect();
        let employers: Vec<CompanyKey> = employers.into_iter().collect();
        let mut companies = HashMap::new();
        for company in store.companies_by_keys(scope, &employers).await? {
            companies.extend(company.keys().into_iter().map(|key| (key, company.clone())));
        }
        let references = References::of(session, rows).await?;
        Ok(Known { holders, contacts, companies, references })
    }
}

impl References {
    async fn of(session: &Session, rows: &[Row]) -> Result<Self> {
        let (store, scope) = (session.store(), session.scope());
        let mut references = References::default();
        let companies: HashSet<CompanyId> =
            rows.iter().filter_map(|row| row.details.company_id).collect();
        for id in companies {
            if store.company(scope, id).await?.is_some() {
                references.companies.insert(id);
            }
        }
        let owners: HashSet<UserId> = rows.iter().filter_map(|row| row.details.owner_id).collect();
        for id in owners {
            if store.user(scope, id).await?.is_some() {
                references.owners.insert(id);
            }
        }
        Ok(references)
    }

    fn keep(&self, details: &mut ContactDetails) {
        details.owner_id = details.owner_id.filter(|id| self.owners.contains(id));
        details.company_id = details.company_id.filter(|id| self.companies.contains(id));
    }
}

impl Unwritten {
    fn add(&mut self, contact: Contact, on_conflict: OnConflict) {
        for key in contact.keys() {
            match key {
                ContactKey::Tag(_) => {}
                ContactKey::Email(_) | ContactKey::Phone(_) | ContactKey::Fingerprint(_) => {
                    // Of those who share a key the first is found, as in the store.
                    let holder = self.holders.entry(key).or_insert(contact.id);
                    *holder = contact.id.min(*holder);
                }
            }
        }
        if on_conflict == OnConflict::Update {
            self.contacts.insert(contact.id, contact);
        }
    }

    /// Goes on to the next batch of a dry run. An update needs to know what the rows before left; for
    /// anything else it is enough that they were there.
    pub(super) fn keep_for_next(&mut self, on_conflict: OnConflict) {
        match on_conflict {
            OnConflict::Update => {}
            OnConflict::Skip | OnConflict::Error => {
                self.seen.extend(self.holders.drain().map(|(key, _)| hash(&key)));
                self.companies.clear();
            }
        }
    }
}

fn hash(key: &ContactKey) -> u64 {
    fnv64(&[key.kind().as_bytes(), key.value().as_bytes()])
}

/// Decides a batch.
pub(super) fn decide(
    session: &Session,
    permits: &Permits,
    on_conflict: OnConflict,
    known: &Known,
    unwritten: &mut Unwritten,
    rows: &[Row],
) -> Result<Plan> {
    let env = session.env();
    let mut changes = session.new_changes();
    let mut outcome = Outcome::default();
    for row in rows {
        let keys = row.details.duplicate_keys();
        let found = keys.iter().find_map(|key| Some((key, holder(key, known, unwritten)?)));
        let Some((key, found)) = found else {
            let mut details = row.details.clone();
            known.references.keep(&mut details);
            let made = link(&mut changes, permits, env, known, unwritten, &mut details)?;
            let contact = commands::create(&mut changes, &permits.create, env, details)?;
            unwritten.companies.extend(made);
            unwritten.add(contact, on_conflict);
            outcome.created += 1;
            continue;
        };
        match on_conflict {
            OnConflict::Skip => {
                outcome.skipped += 1;
                // People may share a phone: somebody who is skipped for one must not vanish silently.
                if matches!(key, ContactKey::Phone(_)) {
                    let reason =
                        FieldError { code: "known_by_phone".into(), ..duplicate(key, found) };
                    outcome.warnings.push((row.number, reason));
                }
            }
            OnConflict::Error => outcome.errors.push((row.number, vec![duplicate(key, found)])),
            OnConflict::Update => {
                let of_another = keys.iter().find_map(|key| {
                    let other = holder(key, known, unwritten)?;
                    (matches!(key, ContactKey::Email(_)) && other != found).then_some((key, other))
                });
                if let Some((key, other)) = of_another {
                    outcome.errors.push((row.number, vec![duplicate(key, other)]));
                    continue;
                }
                let before = match found {
                    Holder::Contact(id) => {
                        unwritten.contacts.get(&id).or_else(|| known.contacts.get(&id))
                    }
                    Holder::EarlierRow => None,
                };
                let Some(before) = before else {
                    return Err(Error::internal("a contact to update was not read"));
                };
                let mut details = row.details.clone();
                known.references.keep(&mut details);
                // Apart, because a refused row must not leave a company behind.
                let mut of_row = session.new_changes();
                let employed = before.company.is_some() || before.company_id.is_some();
                let made = match details.company.is_none() && employed {
                    // The domain of an e-mail is a guess; what the contact says is not.
                    true => None,
                    false => link(&mut of_row, permits, env, known, unwritten, &mut details)?,
                };
                match commands::merge(&mut of_row, &permits.update, env, before, details) {
                    Ok(Some(after)) => {
                        changes = changes.and(of_row)?;
                        unwritten.companies.extend(made);
                        unwritten.add(after, on_conflict);
                        outcome.updated += 1;
                    }
                    Ok(None) => outcome.skipped += 1,
                    Err(error) if error.kind() == ErrorKind::Invalid => {
                        outcome.errors.push((row.number, error.fields().to_vec()));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(Plan { changes, outcome })
}

fn holder(key: &ContactKey, known: &Known, unwritten: &Unwritten) -> Option<Holder> {
    let stored = known.holders.get(key);
    let found = stored.into_iter().chain(unwritten.holders.get(key)).min();
    let seen = || unwritten.seen.contains(&hash(key)).then_some(Holder::EarlierRow);
    found.map(|id| Holder::Contact(*id)).or_else(seen)
}

/// Gives the contact the record of its company: by name, which makes the company where there is
/// none; without a name, by the domain of its e-mail where a company has that domain. Returns what
/// it made.
fn link(
    changes: &mut Changes,
    permits: &Permits,
    env: &Env,
    known: &Known,
    unwritten: &Unwritten,
    details: &mut ContactDetails,
) -> Result<Option<(CompanyKey, Company)>> {
    if details.company_id.is_some() {
        return Ok(None);
    }
    let Some(key) = employer_key(details) else { return Ok(None) };
    if let Some(company) = known.companies.get(&key).or_else(|| unwritten.companies.get(&key)) {
        details.set_company(company);
        return Ok(None);
    }
    let Some(name) = details.company.clone() else { return Ok(None) };
    let new = NewCompany { name, domain: None };
    let company = companies::service::create(changes, &permits.companies, env, new)?;
    details.company_id = Some(company.id);
    Ok(Some((key, company)))
}

fn employer_key(details: &ContactDetails) -> Option<CompanyKey> {
    match &details.company {
        Some(name) => Some(CompanyKey::name(name)),
        None => details.emails.first().map(|email| CompanyKey::domain(&email.address.domain())),
    }
}

fn duplicate(key: &ContactKey, holder: Holder) -> FieldError {
    let (field, value) = match key {
        ContactKey::Email(value) => ("emails", value.as_str()),
        ContactKey::Phone(value) => ("phones", value.as_str()),
        ContactKey::Tag(_) | ContactKey::Fingerprint(_) => ("row", "the same values"),
    };
    let message = match holder {
        Holder::Contact(id) => format!("the contact `{id}` has `{value}` already"),
        Holder::EarlierRow => format!("an earlier row has `{value}` already"),
    };
    FieldError::new(field, "already_exists", message)
}
