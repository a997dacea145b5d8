//! What front doors are asked for of contacts.

use serde::{Deserialize, Serialize};

use super::model::Contact;
use super::service::{Contacts, SearchHit, SearchSort};
use super::store::{ContactFilter, ContactKey, ContactSort, Deleted};
use crate::email::EmailAddress;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CompanyId, UserId};
use crate::page::{Cursor, Limit, Page, PageOf};
use crate::phone::{PhoneNumber, Region};
use crate::time::Timestamp;

/// Which contacts, in which order; all filters must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListContacts {
    /// How many items the page has at most.
    pub limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub cursor: Option<Cursor>,
    /// The order; `-` before it turns it round. `created_at` where it is absent.
    pub sort: Option<ContactOrder>,
    /// Whether to count all contacts that the filters mean; exact, and as slow as that.
    pub include_total: bool,
    /// Has this e-mail address.
    pub email: Option<EmailAddress>,
    /// Has this phone number, in any notation; one without a country code belongs to the tenant's region.
    pub phone: Option<String>,
    /// Has this tag.
    pub tag: Option<String>,
    /// Is looked after by this user.
    pub owner_id: Option<UserId>,
    /// Works for this company.
    pub company_id: Option<CompanyId>,
    /// Made at this time or later.
    pub created_after: Option<Timestamp>,
    /// Made before this time.
    pub created_before: Option<Timestamp>,
    /// Changed at this time or later.
    pub updated_after: Option<Timestamp>,
    /// Changed before this time.
    pub updated_before: Option<Timestamp>,
    /// Deleted contacts alone (`only`) or with the others (`include`); none where it is absent.
    pub deleted: Option<OfDeleted>,
}

/// An order of contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContactOrder {
    /// The oldest first.
    CreatedAt,
    /// The one that was not changed for longest first.
    UpdatedAt,
    /// By family name.
    LastName,
    /// The newest first.
    #[serde(rename = "-created_at")]
    CreatedAtDown,
    /// The last changed first.
    #[serde(rename = "-updated_at")]
    UpdatedAtDown,
    /// By family name, from the end.
    #[serde(rename = "-last_name")]
    LastNameDown,
}

impl ContactOrder {
    /// The field, and whether the greatest comes first.
    const fn sort(self) -> (ContactSort, bool) {
        match self {
            ContactOrder::CreatedAt => (ContactSort::CreatedAt, false),
            ContactOrder::UpdatedAt => (ContactSort::UpdatedAt, false),
            ContactOrder::LastName => (ContactSort::LastName, false),
            ContactOrder::CreatedAtDown => (ContactSort::CreatedAt, true),
            ContactOrder::UpdatedAtDown => (ContactSort::UpdatedAt, true),
            ContactOrder::LastNameDown => (ContactSort::LastName, true),
        }
    }
}

/// Which deleted contacts a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OfDeleted {
    /// They alone.
    Only,
    /// With the others.
    Include,
}

impl ListContacts {
    /// # Errors
    ///
    /// `malformed` where `phone` is no number.
    fn filter(&self, region: Region) -> Result<ContactFilter> {
        let mut keys: Vec<ContactKey> = Vec::new();
        keys.extend(self.email.as_ref().map(ContactKey::email));
        if let Some(text) = &self.phone {
            let number = PhoneNumber::parse(text, region).ok_or_else(|| {
                let message = "`phone` is no number; write one as `+44 20 7946 0958`";
                Error::new(ErrorKind::Malformed, message)
            })?;
            keys.push(ContactKey::phone(&number));
        }
        keys.extend(self.tag.as_deref().map(ContactKey::tag));
        Ok(ContactFilter {
            keys,
            owner_id: self.owner_id,
            company_id: self.company_id,
            created_after: self.created_after,
            created_before: self.created_before,
            updated_after: self.updated_after,
            updated_before: self.updated_before,
            deleted: match self.deleted {
                None => Deleted::Exclude,
                Some(OfDeleted::Only) => Deleted::Only,
                Some(OfDeleted::Include) => Deleted::Include,
            },
        })
    }
}

/// A page of contacts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContactPage {
    /// The page.
    #[serde(flatten)]
    pub page: PageOf<Contact>,
    /// How many contacts there are on all pages, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// What is searched among contacts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SearchContacts {
    /// What is looked for, in any words.
    pub q: String,
    /// How many items the page has at most.
    pub limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub cursor: Option<Cursor>,
    /// The best first (`relevance`, the default) or the last changed first (`updated_at`).
    pub sort: Option<SearchSort>,
}

impl Contacts<'_> {
    /// [`Contacts::list`], and [`Contacts::count`] where it is asked for, as front doors ask.
    ///
    /// # Errors
    ///
    /// Those of the two, and `malformed` where `phone` is no number.
    pub async fn list_asked(&self, asked: &ListContacts) -> Result<ContactPage> {
        let filter = asked.filter(self.session.scope().region())?;
        let (sort, descending) = asked.sort.unwrap_or(ContactOrder::CreatedAt).sort();
        let page = Page::asked(asked.limit, asked.cursor.as_ref());
        let page = self.list(&filter, sort, descending, &page).await?;
        let total = match asked.include_total {
            true => Some(self.count(&filter).await?),
            false => None,
        };
        Ok(ContactPage { page, total })
    }

    /// [`Contacts::search_by`], as front doors ask.
    ///
    /// # Errors
    ///
    /// Those of [`Contacts::search`].
    pub async fn search_asked(&self, asked: &SearchContacts) -> Result<PageOf<SearchHit>> {
        let page = Page::asked(asked.limit, asked.cursor.as_ref());
        self.search_by(&asked.q, asked.sort.unwrap_or_default(), &page).await
    }
}
