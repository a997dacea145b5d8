//! Companies.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::OriginalUri;
use crm_core::access::{ReadCompanies, WriteCompanies};
use crm_core::companies::{Company, CompanyPatch, NewCompany};
use crm_core::{CompanyKind, PageOf, Paging, Session};

use crate::App;
use crate::extract::{
    Body, Caller, CallerOn, IfMatch, IfNoneMatch, MergePatch, NoParams, Once, Params, PathId,
};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Created, Fresh, Reply, Versioned};

const COMPANIES: Section = Section::Companies;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/companies",
            post_with(
                create,
                about(
                    COMPANIES,
                    "create_company", &[],
                    "Make a company",
                    "409 `already_exists` with `existing_id` where its name or domain is taken; 422 with \
                     one entry for each refused value.",
                ),
            )
            .get_with(
                list,
                about(
                    COMPANIES,
                    "list_companies", &[],
                    "List companies",
                    "In the order in which they were made. 400 `invalid_cursor` for a cursor of another \
                     list.",
                ),
            ),
        )
        .api_route(
            "/companies/{id}",
            get_with(
                get,
                about(
                    COMPANIES,
                    "get_company", &[],
                    "Get a company",
                    "304 where `If-None-Match` names its version; 404 where there is no such company in \
                     the tenant.",
                ),
            )
            .patch_with(
                update,
                about(
                    COMPANIES,
                    "update_company", &[409],
                    "Change a company",
                    "A merge patch. 404; 409 `already_exists` where the name or the domain is taken; 412 \
                     where `If-Match` names another version; 422 with one entry for each refused value.",
                ),
            ),
        )
}

async fn create(
    caller: Caller<WriteCompanies>,
    OriginalUri(uri): OriginalUri,
    _: NoParams,
    once: Once,
    body: Body<NewCompany>,
) -> Result<Created<Company>, Problem> {
    let work = async |session: Session, new| session.companies().create(new).await;
    Ok(Created::at(&uri, once.run(caller.session, body, work).await?))
}

async fn list(
    caller: Caller<ReadCompanies>,
    Params(paging): Params<Paging>,
) -> Result<Reply<PageOf<Company>>, Problem> {
    Ok(Reply(caller.session.companies().list(&paging.page()).await?))
}

async fn get(
    caller: CallerOn<ReadCompanies>,
    _: NoParams,
    PathId(id): PathId<CompanyKind>,
    known: IfNoneMatch,
) -> Result<Fresh<Company>, Problem> {
    let company = caller.session.companies().get(id).await?;
    let version = company.version;
    Ok(Fresh::unless(&known, company, version))
}

async fn update(
    caller: CallerOn<WriteCompanies>,
    _: NoParams,
    PathId(id): PathId<CompanyKind>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<CompanyPatch>,
) -> Result<Versioned<Company>, Problem> {
    let company = caller.session.companies().update(id, patch, version).await?;
    let version = company.version;
    Ok(Versioned(company, version))
}
