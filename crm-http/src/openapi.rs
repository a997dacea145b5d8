//! The OpenAPI document, from the handlers' own signatures.

use aide::axum::ApiRouter;
use aide::generate::GenContext;
use aide::openapi::{
    Info, MediaType, OpenApi, Operation, Response, SchemaObject, SecurityScheme, Server,
};
use axum::Router;
use crm_core::Role;
use indexmap::IndexMap;

use crate::App;
use crate::problem::Document;

const BEARER: &str = "bearer";

/// The OpenAPI 3.1 document of all routes, as JSON.
pub fn document() -> serde_json::Value {
    serde_json::to_value(finish(crate::routes()).1).unwrap_or_default()
}

/// The routes, and the document that describes them.
pub(crate) fn finish(routes: ApiRouter<App>) -> (Router<App>, OpenApi) {
    aide::generate::extract_schemas(true);
    aide::generate::infer_responses(true);
    let mut document = OpenApi {
        info: Info {
            title: "crm-http".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Info::default()
        },
        // Relative to where the document lies, so that it is right under any prefix.
        servers: vec![Server { url: ".".to_owned(), ..Server::default() }],
        ..OpenApi::default()
    };
    let routes = routes.finish_api_with(&mut document, |api| {
        api.security_scheme(
            BEARER,
            SecurityScheme::Http {
                scheme: "bearer".to_owned(),
                bearer_format: Some("an access token or an API key".to_owned()),
                description: None,
                extensions: IndexMap::default(),
            },
        )
    });
    (routes, document)
}

/// Says that an operation needs somebody who may do `action`.
pub(crate) fn secured(operation: &mut Operation, action: &str, least: Role) {
    operation.security = vec![[(BEARER.to_owned(), Vec::new())].into_iter().collect()];
    operation.extensions.insert("x-permission".to_owned(), action.into());
    operation.extensions.insert("x-least-role".to_owned(), least.as_str().into());
}

/// Problem documents under these statuses.
pub(crate) fn problem_responses(
    ctx: &mut GenContext,
    statuses: &[u16],
) -> Vec<(Option<u16>, Response)> {
    let json_schema = ctx.schema.subschema_for::<Document<'_>>();
    let of = |status: u16| {
        let media = MediaType {
            schema: Some(SchemaObject {
                json_schema: json_schema.clone(),
                external_docs: None,
                example: None,
            }),
            ..MediaType::default()
        };
        let title = axum::http::StatusCode::from_u16(status).ok();
        Response {
            description: title.and_then(|s| s.canonical_reason()).unwrap_or("Error").to_owned(),
            content: [("application/problem+json".to_owned(), media)].into_iter().collect(),
            ..Response::default()
        }
    };
    statuses.iter().map(|status| (Some(*status), of(*status))).collect()
}
