//! Consents.

use async_trait::async_trait;
use crm_core::ports::PrivacyStore;
use crm_core::privacy::{Consent, Purpose};
use crm_core::{ContactId, Result, TenantScope};
use rusqlite::{Connection, params};

use crate::SqliteStore;
use crate::error::Refused;
use crate::rows::{from_doc, to_doc};

const fn word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Calls => "calls",
        Purpose::Recording => "recording",
    }
}

pub(crate) fn insert(
    connection: &Connection,
    tenant: i64,
    consent: &Consent,
) -> Result<(), Refused> {
    connection
        .prepare_cached(
            "INSERT INTO consent (tenant_no, id, contact_id, purpose, at, doc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            tenant,
            consent.id.as_uuid().as_bytes(),
            consent.contact_id.as_uuid().as_bytes(),
            word(consent.purpose),
            consent.at.as_micros(),
            to_doc(consent)?,
        ])?;
    Ok(())
}

#[async_trait]
impl PrivacyStore for SqliteStore {
    async fn consents(
        &self,
        scope: &TenantScope,
        contacts: &[ContactId],
        history: bool,
    ) -> Result<Vec<Consent>> {
        let mut contacts = contacts.to_vec();
        contacts.sort();
        contacts.dedup();
        self.readers().read_in(scope, |connection, tenant| {
            let mut all: Vec<Consent> = Vec::new();
            for contact in contacts {
                let of_contact = connection
                    .prepare_cached(
                        "SELECT doc FROM consent WHERE tenant_no = ?1 AND contact_id = ?2
                         ORDER BY at DESC, id DESC",
                    )?
                    .query_map(params![tenant, contact.as_uuid().as_bytes()], |row| {
                        from_doc::<Consent>(row, 0)
                    })?
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                let mut known: Vec<Purpose> = Vec::new();
                for consent in of_contact {
                    if history || !known.contains(&consent.purpose) {
                        known.push(consent.purpose);
                        all.push(consent);
                    }
                }
            }
            Ok(all)
        })
    }
}
