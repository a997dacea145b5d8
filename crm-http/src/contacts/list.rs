//! Lists of contacts, and searches.

use crm_core::PageOf;
use crm_core::access::ReadContacts;
use crm_core::contacts::{ContactPage, ListContacts, SearchContacts, SearchHit};

use crate::extract::{Caller, Params};
use crate::problem::Problem;
use crate::reply::Reply;

pub(super) async fn list(
    caller: Caller<ReadContacts>,
    Params(asked): Params<ListContacts>,
) -> Result<Reply<ContactPage>, Problem> {
    Ok(Reply(caller.session.contacts().list_asked(&asked).await?))
}

pub(super) async fn search(
    caller: Caller<ReadContacts>,
    Params(asked): Params<SearchContacts>,
) -> Result<Reply<PageOf<SearchHit>>, Problem> {
    Ok(Reply(caller.session.contacts().search_asked(&asked).await?))
}
