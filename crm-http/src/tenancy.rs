//! The tenant.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use crm_core::access::{ManageTenant, ReadTenant};
use crm_core::tenancy::{Tenant, TenantPatch};

use crate::App;
use crate::extract::{Caller, IfMatch, IfNoneMatch, MergePatch, NoParams};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Fresh, Versioned};

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route(
        "/tenant",
        get_with(
            get,
            about(
                Section::Tenant,
                "get_tenant", &[],
                "Get the tenant",
                "304 where `If-None-Match` names its version.",
            ),
        )
        .patch_with(
            update,
            about(
                Section::Tenant,
                "update_tenant", &[],
                "Change the tenant's settings",
                "A merge patch. 403 `step_up_required` where the sign-in is not fresh; 412 where `If-Match` \
                 names another version; 422 with one entry for each refused value.",
            ),
        ),
    )
}

async fn get(
    caller: Caller<ReadTenant>,
    _: NoParams,
    known: IfNoneMatch,
) -> Result<Fresh<Tenant>, Problem> {
    let tenant = caller.session.tenant().get().await?;
    let version = tenant.version;
    Ok(Fresh::unless(&known, tenant, version))
}

async fn update(
    caller: Caller<ManageTenant>,
    _: NoParams,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<TenantPatch>,
) -> Result<Versioned<Tenant>, Problem> {
    let tenant = caller.session.tenant().update(patch, version).await?;
    let version = tenant.version;
    Ok(Versioned(tenant, version))
}
