//! Lists of contacts, and searches.

use crm_core::access::ReadContacts;
use crm_core::contacts::{
    Contact, ContactFilter, ContactKey, ContactSort, Deleted, SearchHit, SearchSort,
};
use crm_core::{
    CompanyId, EmailAddress, Error, ErrorKind, PageOf, PhoneNumber, Region, Timestamp, UserId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::extract::{Caller, Cursor, Limit, Params, page};
use crate::problem::Problem;
use crate::reply::Reply;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// How many items the page has at most.
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<Cursor>,
    /// The order; `-` before it turns it round. `created_at` where it is absent.
    sort: Option<Order>,
    /// Whether to count all contacts that the filters mean; exact, and as slow as that.
    #[serde(default)]
    include_total: bool,
    /// Has this e-mail address.
    email: Option<EmailAddress>,
    /// Has this phone number, in any notation; one without a country code belongs to the tenant's region.
    phone: Option<String>,
    /// Has this tag.
    tag: Option<String>,
    /// Is looked after by this user.
    owner_id: Option<UserId>,
    /// Works for this company.
    company_id: Option<CompanyId>,
    /// Made at this time or later.
    created_after: Option<Timestamp>,
    /// Made before this time.
    created_before: Option<Timestamp>,
    /// Changed at this time or later.
    updated_after: Option<Timestamp>,
    /// Changed before this time.
    updated_before: Option<Timestamp>,
    /// Deleted contacts alone (`only`) or with the others (`include`); none where it is absent.
    deleted: Option<OfDeleted>,
}

/// An order of contacts.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Order {
    CreatedAt,
    UpdatedAt,
    LastName,
    #[serde(rename = "-created_at")]
    CreatedAtDown,
    #[serde(rename = "-updated_at")]
    UpdatedAtDown,
    #[serde(rename = "-last_name")]
    LastNameDown,
}

impl Order {
    /// The field, and whether the greatest comes first.
    const fn sort(self) -> (ContactSort, bool) {
        match self {
            Order::CreatedAt => (ContactSort::CreatedAt, false),
            Order::UpdatedAt => (ContactSort::UpdatedAt, false),
            Order::LastName => (ContactSort::LastName, false),
            Order::CreatedAtDown => (ContactSort::CreatedAt, true),
            Order::UpdatedAtDown => (ContactSort::UpdatedAt, true),
            Order::LastNameDown => (ContactSort::LastName, true),
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OfDeleted {
    Only,
    Include,
}

impl ListParams {
    fn filter(&self, region: Region) -> Result<ContactFilter, Error> {
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
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ContactPage {
    #[serde(flatten)]
    page: PageOf<Contact>,
    /// How many contacts there are on all pages, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

pub(super) async fn list(
    caller: Caller<ReadContacts>,
    Params(params): Params<ListParams>,
) -> Result<Reply<ContactPage>, Problem> {
    let contacts = caller.session.contacts();
    let filter = params.filter(caller.session.scope().region())?;
    let (sort, descending) = params.sort.unwrap_or(Order::CreatedAt).sort();
    let page = page(params.limit, params.cursor);
    let page = contacts.list(&filter, sort, descending, &page).await?;
    let total = match params.include_total {
        true => Some(contacts.count(&filter).await?),
        false => None,
    };
    Ok(Reply(ContactPage { page, total }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchParams {
    /// What is looked for, in any words.
    q: String,
    /// How many items the page has at most.
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<Cursor>,
    /// The best first (`relevance`, the default) or the last changed first (`updated_at`).
    sort: Option<SearchSort>,
}

pub(super) async fn search(
    caller: Caller<ReadContacts>,
    Params(params): Params<SearchParams>,
) -> Result<Reply<PageOf<SearchHit>>, Problem> {
    let page = page(params.limit, params.cursor);
    let sort = params.sort.unwrap_or_default();
    Ok(Reply(caller.session.contacts().search_by(&params.q, sort, &page).await?))
}
