//! The audio of a call.

use std::ops::Range;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use aide::{OperationInput, OperationOutput};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_RANGE, RANGE,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, NoContent, Response};
use crm_core::CallKind;
use crm_core::access::{DeleteRecordings, HearRecordings};
use crm_core::calls::RecordingFile;
use crm_core::ports::ByteStream;
use schemars::JsonSchema;

use crate::App;
use crate::extract::{CallerOn, NoParams, PathId};
use crate::openapi::{Section, about, binary_media, parameters, problem_responses};
use crate::problem::Problem;

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route(
        "/calls/{id}/recording",
        get_with(
            hear,
            about(
                Section::Calls,
                "get_recording", &[],
                "Hear a call",
                "The audio itself, or the part of it that `Range` names (one range of bytes). Each access is \
                 in the audit log. 404 where there is no such call in the tenant, or no recording of it that \
                 can be heard; 416 for a part that there is not.",
            ),
        )
        .delete_with(
            delete,
            about(
                Section::Calls,
                "delete_recording", &[],
                "Delete the recordings of a call",
                "They cannot be heard from then on; the files, here and at the carrier, are deleted after \
                 the reply. 404 where there is no such call, or no recording of it that can be heard.",
            ),
        ),
    )
}

async fn hear(
    caller: CallerOn<HearRecordings>,
    _: NoParams,
    PathId(id): PathId<CallKind>,
    wanted: WantedRange,
) -> Result<Audio, Problem> {
    let calls = caller.session.calls();
    let file = calls.recording(id).await?;
    let part = wanted.of(&file);
    let (range, status) = match part {
        Part::Whole => (0..file.bytes, StatusCode::OK),
        Part::Some(range) => (range, StatusCode::PARTIAL_CONTENT),
        Part::Nothing => return Ok(Audio::Nothing(file.bytes)),
    };
    let stream = calls.hear(&file, range.clone()).await?;
    Ok(Audio::Bytes { file: Box::new(file), range, status, stream })
}

async fn delete(
    caller: CallerOn<DeleteRecordings>,
    _: NoParams,
    PathId(id): PathId<CallKind>,
) -> Result<NoContent, Problem> {
    caller.session.calls().delete_recording(id).await?;
    Ok(NoContent)
}

/// What the caller wants to have of the audio (RFC 9110, 14).
struct WantedRange {
    range: Option<String>,
    if_range: Option<String>,
}

enum Part {
    Whole,
    Some(Range<u64>),
    Nothing,
}

impl WantedRange {
    /// One range is honoured; several, or a text that is none, are ignored, as a server may.
    fn of(&self, file: &RecordingFile) -> Part {
        let Some(text) = &self.range else { return Part::Whole };
        if self.if_range.as_ref().is_some_and(|tag| *tag != etag(file)) {
            return Part::Whole;
        }
        let Ok(parsed) = http_range_header::parse_range_header(text) else { return Part::Whole };
        if parsed.ranges.len() != 1 {
            return Part::Whole;
        }
        match parsed.validate(file.bytes).as_deref() {
            Ok([range]) => Part::Some(*range.start()..range.end().saturating_add(1)),
            Ok(_) | Err(_) => Part::Nothing,
        }
    }
}

fn etag(file: &RecordingFile) -> String {
    format!("\"{}\"", file.sha256)
}

impl FromRequestParts<App> for WantedRange {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let text =
            |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(WantedRange { range: text(RANGE), if_range: text(IF_RANGE) })
    }
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "names the header in the document")]
struct RangeHeader {
    /// One range of bytes, e.g. `bytes=0-1023`.
    #[schemars(rename = "Range", regex(pattern = r"^[\x20-\x7e]*$"))]
    range: Option<String>,
}

impl OperationInput for WantedRange {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = parameters::<RangeHeader>();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Header);
        add_parameters(ctx, operation, parameters);
    }
}

/// Audio, or a part of it.
enum Audio {
    Bytes {
        file: Box<RecordingFile>,
        range: Range<u64>,
        status: StatusCode,
        stream: ByteStream,
    },
    /// The part is not there; so many bytes are.
    Nothing(u64),
}

impl IntoResponse for Audio {
    fn into_response(self) -> Response {
        let (file, range, status, stream) = match self {
            Audio::Nothing(bytes) => {
                let header = [(CONTENT_RANGE, format!("bytes */{bytes}"))];
                let problem = Problem::of_http(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "range_not_satisfiable",
                    "the recording has no such bytes",
                );
                return (header, problem).into_response();
            }
            Audio::Bytes { file, range, status, stream } => (file, range, status, stream),
        };
        let mut response = (status, Body::from_stream(stream)).into_response();
        let headers = response.headers_mut();
        let mut insert = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        insert(CONTENT_TYPE, &file.content_type);
        insert(CONTENT_LENGTH, &(range.end - range.start).to_string());
        insert(ACCEPT_RANGES, "bytes");
        insert(ETAG, &etag(&file));
        // Each access is to be seen here.
        insert(CACHE_CONTROL, "private, no-store");
        insert(CONTENT_DISPOSITION, "inline; filename=\"recording\"");
        if status == StatusCode::PARTIAL_CONTENT {
            let last = range.end.saturating_sub(1);
            insert(CONTENT_RANGE, &format!("bytes {}-{last}/{}", range.start, file.bytes));
        }
        response
    }
}

impl OperationOutput for Audio {
    type Inner = Self;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let audio = |description: &str| ResponseDoc {
            description: description.to_owned(),
            content: ["audio/x-wav", "audio/wav", "audio/mpeg"]
                .map(|media| (media.to_owned(), binary_media()))
                .into_iter()
                .collect(),
            ..ResponseDoc::default()
        };
        let mut responses = vec![
            (Some(200), audio("The audio.")),
            (Some(206), audio("The part that was asked for.")),
        ];
        responses.extend(problem_responses(&[416]));
        responses
    }
}
