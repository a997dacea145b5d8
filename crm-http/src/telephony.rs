//! Accounts with carriers of calls.

use aide::axum::ApiRouter;
use aide::axum::routing::{patch_with, post_with};
use axum::extract::OriginalUri;
use crm_core::access::{ManageTelephony, ReadTelephony};
use crm_core::telephony::{NewTelephonyAccount, TelephonyAccountPatch, TelephonyAccountView};
use crm_core::{Session, TelephonyAccountKind};
use schemars::JsonSchema;
use serde::Serialize;

use crate::App;
use crate::extract::{Body, Caller, CallerOn, IfMatch, MergePatch, NoParams, Once, PathId};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Created, Reply, Versioned};

const TELEPHONY: Section = Section::Telephony;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/telephony/accounts",
            post_with(
                create,
                about(
                    TELEPHONY,
                    "create_telephony_account", &[409],
                    "Keep an account with a carrier",
                    "Nothing is asked of the carrier. 409 `already_exists` where the tenant keeps it already; \
                     422 with one entry for each refused value.",
                ),
            )
            .get_with(
                list,
                about(
                    TELEPHONY,
                    "list_telephony_accounts", &[],
                    "List the tenant's accounts with carriers",
                    "Without their secrets.",
                ),
            ),
        )
        .api_route(
            "/telephony/accounts/{id}",
            patch_with(
                update,
                about(
                    TELEPHONY,
                    "update_telephony_account", &[],
                    "Change an account",
                    "A merge patch; secrets and lists are replaced whole. Two tokens are good for the carrier's \
                     signatures while one takes the place of the other. 404; 412 where `If-Match` names \
                     another version; 422 with one entry for each refused value.",
                ),
            ),
        )
}

/// The tenant's accounts.
#[derive(Serialize, JsonSchema)]
struct TelephonyAccounts {
    /// The accounts in the order in which they were made.
    items: Vec<TelephonyAccountView>,
}

async fn create(
    caller: Caller<ManageTelephony>,
    OriginalUri(uri): OriginalUri,
    _: NoParams,
    once: Once,
    body: Body<NewTelephonyAccount>,
) -> Result<Created<TelephonyAccountView>, Problem> {
    let work = async |session: Session, new| {
        let account = session.telephony().create(new).await?;
        Ok(TelephonyAccountView::from(&account))
    };
    Ok(Created::at(&uri, once.run(caller.session, body, work).await?))
}

async fn list(
    caller: Caller<ReadTelephony>,
    _: NoParams,
) -> Result<Reply<TelephonyAccounts>, Problem> {
    let accounts = caller.session.telephony().list().await?;
    let items = accounts.iter().map(TelephonyAccountView::from).collect();
    Ok(Reply(TelephonyAccounts { items }))
}

async fn update(
    caller: CallerOn<ManageTelephony>,
    _: NoParams,
    PathId(id): PathId<TelephonyAccountKind>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<TelephonyAccountPatch>,
) -> Result<Versioned<TelephonyAccountView>, Problem> {
    let account = caller.session.telephony().update(id, patch, version).await?;
    Ok(Versioned(TelephonyAccountView::from(&account), account.version))
}
