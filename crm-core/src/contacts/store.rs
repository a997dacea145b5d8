//! What contacts ask of storage.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::Contact;
use crate::email::EmailAddress;
use crate::error::Result;
use crate::id::{CompanyId, ContactId, UserId};
use crate::page::SortKey;
use crate::phone::PhoneNumber;
use crate::scope::TenantScope;
use crate::time::Timestamp;

/// What a contact is found by, normalised. At most one live contact of a tenant has an e-mail; the
/// others may be shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContactKey {
    /// An e-mail address in lower case.
    Email(String),
    /// A phone number in E.164.
    Phone(String),
    /// A tag as written.
    Tag(String),
    /// The hash of all that an imported contact holds, for one without e-mail and phone, so that
    /// importing it again finds it.
    Fingerprint(String),
}

impl ContactKey {
    /// The key of an e-mail address, whatever its case.
    pub fn email(address: &EmailAddress) -> Self {
        ContactKey::Email(address.key())
    }

    /// The key of a phone number.
    pub fn phone(number: &PhoneNumber) -> Self {
        ContactKey::Phone(number.as_str().to_owned())
    }

    /// The key of a tag, without the space around it.
    pub fn tag(tag: &str) -> Self {
        ContactKey::Tag(tag.trim().to_owned())
    }

    /// The kind's stable name.
    pub const fn kind(&self) -> &'static str {
        match self {
            ContactKey::Email(_) => "email",
            ContactKey::Phone(_) => "phone",
            ContactKey::Tag(_) => "tag",
            ContactKey::Fingerprint(_) => "fingerprint",
        }
    }

    /// The normalised value.
    pub fn value(&self) -> &str {
        match self {
            ContactKey::Email(value)
            | ContactKey::Phone(value)
            | ContactKey::Tag(value)
            | ContactKey::Fingerprint(value) => value,
        }
    }
}

/// Whether deleted contacts are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Deleted {
    /// Only contacts in use.
    #[default]
    Exclude,
    /// Contacts in use and deleted ones.
    Include,
    /// Only deleted contacts.
    Only,
}

/// Which contacts are meant; all that is given must hold.
///
/// ```
/// use crm_core::EmailAddress;
/// use crm_core::contacts::{ContactFilter, ContactKey};
/// let address = EmailAddress::parse("Ada@Example.com").unwrap();
/// let filter =
///     ContactFilter { keys: vec![ContactKey::email(&address)], ..ContactFilter::default() };
/// assert_eq!(filter.keys[0].value(), "ada@example.com");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactFilter {
    /// Has each of these keys.
    pub keys: Vec<ContactKey>,
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
    /// Whether deleted contacts are meant.
    pub deleted: Deleted,
}

/// What a list of contacts is sorted by; the id breaks ties, in the same direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContactSort {
    /// When the contact was made.
    #[default]
    CreatedAt,
    /// When the contact was last changed.
    UpdatedAt,
    /// By [`Contact::sort_name`].
    LastName,
}

impl ContactSort {
    /// The value of `contact` that this order compares.
    pub fn key_of(self, contact: &Contact) -> SortKey {
        match self {
            ContactSort::CreatedAt => SortKey::Time(contact.created_at),
            ContactSort::UpdatedAt => SortKey::Time(contact.updated_at),
            ContactSort::LastName => SortKey::Text(contact.sort_name()),
        }
    }
}

/// One page of contacts.
#[derive(Debug, Clone, Default)]
pub struct ContactQuery {
    /// Which contacts.
    pub filter: ContactFilter,
    /// In which order.
    pub sort: ContactSort,
    /// The greatest first.
    pub descending: bool,
    /// Only those that come after this place in the order. The key is of the sort's own type.
    pub after: Option<(SortKey, Uuid)>,
    /// At most so many.
    pub limit: usize,
}

/// Reads of contacts.
#[async_trait]
pub trait ContactStore: Send + Sync + 'static {
    /// The contact with this id, in use or deleted.
    ///
    /// # Behavior
    ///
    /// - A contact of another tenant is not found. (`contacts_are_per_tenant`)
    /// - What was committed is read back as it was. (`a_contact_is_read_as_written`)
    async fn contact(&self, scope: &TenantScope, id: ContactId) -> Result<Option<Contact>>;

    /// The contacts with these ids, in their order; those that do not exist are left out.
    ///
    /// # Behavior
    ///
    /// - The order is the caller's. (`contacts_come_in_the_order_asked_for`)
    async fn contacts_by_ids(&self, scope: &TenantScope, ids: &[ContactId])
    -> Result<Vec<Contact>>;

    /// The live contacts that have any of these keys: each key with its contact, for a shared key
    /// the contact with the least id.
    ///
    /// # Behavior
    ///
    /// - Deleted contacts are not found. (`deleting_frees_the_email`)
    /// - At most one live contact of a tenant has an e-mail, whoever writes at the same time; a
    ///   restored contact must find its own free. (`contact_emails_are_unique`,
    ///   `restoring_checks_the_email`, `one_of_many_equal_creates_wins`)
    /// - A key that several contacts share brings the one with the least id.
    ///   (`a_shared_key_names_the_first_contact`)
    /// - A contact is found by what it holds now, and no longer by what it held.
    ///   (`contact_keys_follow_updates`)
    async fn contacts_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[ContactKey],
    ) -> Result<Vec<(ContactKey, ContactId)>>;

    /// One page of a list.
    ///
    /// # Behavior
    ///
    /// - Every filter holds, alone and with the others. (`contacts_are_filtered`)
    /// - Every sort is total; pages follow each other without a gap or a repetition, both ways.
    ///   (`contact_pages_are_whole`)
    async fn contacts(&self, scope: &TenantScope, query: &ContactQuery) -> Result<Vec<Contact>>;

    /// How many contacts the filter means; exact, and as slow as that.
    ///
    /// # Behavior
    ///
    /// - The count is the length of the list with the same filter. (`contacts_are_counted`)
    async fn count_contacts(&self, scope: &TenantScope, filter: &ContactFilter) -> Result<u64>;
}
