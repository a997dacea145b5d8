//! Conditions on a record's version.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::extract::FromRequestParts;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use schemars::JsonSchema;

use crate::App;
use crate::openapi::{parameters, problem_responses};
use crate::problem::Problem;

/// The version that the caller has seen (`If-Match`).
pub struct IfMatch(pub Option<i64>);

impl FromRequestParts<App> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let Some(header) = parts.headers.get(IF_MATCH) else { return Ok(IfMatch(None)) };
        let text = header.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(IfMatch(None));
        }
        // A tag that no version has matches none: versions begin at 1.
        let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Ok(IfMatch(Some(version.and_then(|text| text.parse().ok()).unwrap_or(0))))
    }
}

#[derive(JsonSchema)]
struct IfMatchHeader {
    /// The `ETag` that the change is made from; another one is 412.
    #[expect(dead_code, reason = "for the document")]
    #[schemars(rename = "If-Match")]
    if_match: Option<String>,
}

impl OperationInput for IfMatch {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let parameters =
            parameters_from_schema(ctx, parameters::<IfMatchHeader>(), ParamLocation::Header);
        add_parameters(ctx, operation, parameters);
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[412])
    }
}

/// The versions that the caller has (`If-None-Match`).
#[derive(Default)]
pub struct IfNoneMatch(Option<String>);

impl IfNoneMatch {
    /// Whether the caller has this version (compared weakly, RFC 9110, 13.1.2).
    pub(crate) fn has(&self, version: i64) -> bool {
        self.0.as_deref().is_some_and(|tags| {
            tags.split(',').map(str::trim).any(|tag| {
                let tag = tag.strip_prefix("W/").unwrap_or(tag);
                tag == "*" || tag == format!("\"{version}\"")
            })
        })
    }
}

impl FromRequestParts<App> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let all = parts.headers.get_all(IF_NONE_MATCH).iter();
        let tags: Vec<&str> = all.filter_map(|value| value.to_str().ok()).collect();
        Ok(IfNoneMatch((!tags.is_empty()).then(|| tags.join(","))))
    }
}

#[derive(JsonSchema)]
struct IfNoneMatchHeader {
    /// The `ETag` of the version that the caller has; where it is still so, the reply is 304.
    #[expect(dead_code, reason = "for the document")]
    #[schemars(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

impl OperationInput for IfNoneMatch {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let parameters =
            parameters_from_schema(ctx, parameters::<IfNoneMatchHeader>(), ParamLocation::Header);
        add_parameters(ctx, operation, parameters);
    }
}
