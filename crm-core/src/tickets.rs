//! Sealed notes of the CRM to itself that somebody else carries for a while.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::crm::{Core, Crm};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Secret;
use crate::time::Timestamp;

/// Bytes of the longest ticket that is looked at: what a browser keeps in one cookie, twice.
const MAX_TICKET: usize = 8192;

#[derive(Serialize, Deserialize)]
struct Ticket<T> {
    until: Timestamp,
    value: T,
}

impl Crm {
    /// Seals a small value for who brings it back within `valid_for`, such as the state of a browser's
    /// round trip. It opens under the same `context` only, and nobody else can read or make it.
    ///
    /// # Errors
    ///
    /// `internal` when the value cannot be written as JSON or the cipher fails.
    pub fn seal_ticket<T: Serialize>(
        &self,
        context: &str,
        value: &T,
        valid_for: Duration,
    ) -> Result<Secret> {
        self.core().seal_ticket(context, value, valid_for)
    }

    /// The value that [`Crm::seal_ticket`] sealed under `context`.
    ///
    /// # Errors
    ///
    /// `unauthenticated` when it was not, or is over.
    pub fn open_ticket<T: DeserializeOwned>(&self, context: &str, ticket: &Secret) -> Result<T> {
        self.core().open_ticket(context, ticket)
    }
}

impl Core {
    pub(crate) fn seal_ticket<T: Serialize>(
        &self,
        context: &str,
        value: &T,
        valid_for: Duration,
    ) -> Result<Secret> {
        let ticket = Ticket { until: self.env.now().after(valid_for), value };
        let plain = serde_json::to_vec(&ticket).map_err(Error::internal)?;
        self.key_ring.seal(&plain, &context_of(context)).map(Secret::from)
    }

    pub(crate) fn open_ticket<T: DeserializeOwned>(
        &self,
        context: &str,
        ticket: &Secret,
    ) -> Result<T> {
        let opened = || {
            let text = Some(ticket.reveal()).filter(|text| text.len() <= MAX_TICKET);
            let text = text.ok_or_else(|| Error::internal("the ticket is too long"))?;
            let plain = self.key_ring.open(text, &context_of(context))?;
            let ticket: Ticket<T> = serde_json::from_slice(&plain).map_err(Error::internal)?;
            if ticket.until <= self.env.now() {
                return Err(Error::internal("the ticket is over"));
            }
            Ok(ticket.value)
        };
        opened().map_err(|error: Error| {
            let message = "the ticket is not valid, or not any more";
            Error::new(ErrorKind::Unauthenticated, message).with_source(error)
        })
    }
}

/// Tickets are a kind of their own among all that the key ring seals.
fn context_of(context: &str) -> Vec<u8> {
    format!("ticket\n{context}").into_bytes()
}
