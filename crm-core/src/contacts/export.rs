//! Export: all contacts of a tenant as a file.

use super::Contacts;
use super::formats::{ContactWriter, ExportFormat};
use super::model::Contact;
use super::store::{ContactFilter, ContactQuery, ContactSort};
use crate::access::{ExportContacts, Permit};
use crate::error::Result;
use crate::page::SortKey;
use crate::session::Session;

/// Contacts read at a time.
const BATCH: usize = 500;

/// An export that is going on: bytes of the file, piece by piece, in constant memory.
///
/// Contacts come in the order of their making. One that is made meanwhile may come at the end or not
/// at all; one
/// that is changed meanwhile comes in either state, whole.
#[derive(Debug)]
pub struct Export<'s> {
    session: &'s Session,
    permit: Permit<ExportContacts>,
    writer: ContactWriter,
    filter: ContactFilter,
    next: Next,
}

#[derive(Debug)]
enum Next {
    Header,
    After(Option<(SortKey, uuid::Uuid)>),
    End,
}

impl<'s> Contacts<'s> {
    /// Begins an export of the contacts that `filter` means.
    ///
    /// # Errors
    ///
    /// `forbidden`.
    pub fn export(&self, format: ExportFormat, filter: ContactFilter) -> Result<Export<'s>> {
        let permit = self
            .session
            .authorize::<ExportContacts>()
            .map_err(|error| error.in_operation("contacts.export"))?;
        Ok(Export {
            session: self.session,
            permit,
            writer: ContactWriter::new(format),
            filter,
            next: Next::Header,
        })
    }
}

impl Export<'_> {
    /// The next bytes of the file; `None` at its end.
    ///
    /// # Errors
    ///
    /// `unavailable` or `internal` from the store; what was given out before is then no whole file.
    pub async fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        let after = match &self.next {
            Next::Header => {
                self.next = Next::After(None);
                let header = self.writer.header();
                if !header.is_empty() {
                    return Ok(Some(header));
                }
                None
            }
            Next::After(after) => after.clone(),
            Next::End => return Ok(None),
        };
        let contacts = self.session.run("contacts.export", self.read(after)).await?;
        let mut bytes = Vec::new();
        for contact in &contacts {
            self.writer.write(contact, &mut bytes);
        }
        self.next = match contacts.last() {
            Some(last) if contacts.len() == BATCH => {
                Next::After(Some((ContactSort::CreatedAt.key_of(last), last.id.as_uuid())))
            }
            Some(_) | None => Next::End,
        };
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    async fn read(&self, after: Option<(SortKey, uuid::Uuid)>) -> Result<Vec<Contact>> {
        let query = ContactQuery {
            filter: self.filter.clone(),
            sort: ContactSort::CreatedAt,
            descending: false,
            after,
            limit: BATCH,
        };
        self.session.store().contacts(self.permit.scope(), &query).await
    }
}
