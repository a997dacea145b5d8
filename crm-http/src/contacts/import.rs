//! Contacts from a file.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, RequestBody, Response as ResponseDoc};
use aide::operation::set_body;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use crm_core::access::ImportContacts;
use crm_core::contacts::formats::ImportFormat;
use crm_core::contacts::import::{ImportOptions, ImportReport, OnConflict};
use crm_core::{Error, ErrorKind};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::App;
use crate::extract::{Begun, Caller, Made, Once, Params, media_type};
use crate::limits;
use crate::openapi::{problem_responses, text_media};
use crate::problem::Problem;
use crate::reply::DoneOnce;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportParams {
    /// Whether to say what would happen and do nothing.
    #[serde(default)]
    dry_run: bool,
    /// What to do with a row that is a known contact: leave the contact (`skip`, the default), let the
    /// row change it (`update`) or report the row (`error`).
    on_conflict: Option<OnConflict>,
}

/// The file that is the body, of a format that contacts are read from.
pub(super) struct File {
    format: ImportFormat,
    body: Body,
}

/// The media types and an example of each.
const TYPES: [(&str, ImportFormat, &str); 3] = [
    (
        "text/csv",
        ImportFormat::Csv,
        "first_name,last_name,email\r\nAda,Lovelace,ada@example.com\r\n",
    ),
    (
        "text/vcard",
        ImportFormat::VCard,
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada Lovelace\r\nEMAIL:ada@example.com\r\nEND:VCARD\r\n",
    ),
    (
        "application/jsonl",
        ImportFormat::JsonLines,
        "{\"first_name\":\"Ada\",\"emails\":[{\"address\":\"ada@example.com\"}]}\n",
    ),
];

impl FromRequest<App> for File {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let named = media_type(request.headers());
        let known = TYPES.iter().find(|(media, ..)| *media == named);
        let (_, format, _) = known.ok_or_else(|| {
            let message = "contacts are read from `text/csv`, `text/vcard` and `application/jsonl`; \
                           say which by `Content-Type`";
            Error::new(ErrorKind::UnsupportedMediaType, message)
        })?;
        Ok(File { format: *format, body: request.into_body() })
    }
}

impl File {
    /// The next bytes; `None` at the end.
    async fn next_bytes(&mut self) -> Result<Option<Bytes>, Problem> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(bytes) = frame.map_err(limits::unread)?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

impl OperationInput for File {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let body = RequestBody {
            description: Some("The file.".to_owned()),
            content: TYPES
                .iter()
                .map(|(media, _, example)| ((*media).to_owned(), text_media(example)))
                .collect(),
            required: true,
            ..RequestBody::default()
        };
        set_body(ctx, operation, body);
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[400, 413, 415, 422])
    }
}

pub(super) async fn import(
    caller: Caller<ImportContacts>,
    Params(params): Params<ImportParams>,
    once: Once,
    mut file: File,
) -> Result<DoneOnce<ImportReport>, Problem> {
    let (begun, mut digester) = once.begin(caller.session).await?;
    digester.update(file.format.name().as_bytes());
    let made = match begun {
        Begun::Again(done) => {
            while let Some(bytes) = file.next_bytes().await? {
                digester.update(&bytes);
            }
            Made { json: done.of(digester.finish())?, replayed: true }
        }
        Begun::First(session) => {
            let contacts = session.contacts();
            let mut import = contacts.import(ImportOptions {
                format: Some(file.format),
                on_conflict: params.on_conflict.unwrap_or_default(),
                dry_run: params.dry_run,
                ..ImportOptions::default()
            })?;
            while let Some(bytes) = file.next_bytes().await? {
                digester.update(&bytes);
                import.push(&bytes).await?;
            }
            let report = import.finish().await?;
            session.remember(digester.finish(), &report).await?;
            let json = serde_json::to_string(&report).map_err(Error::internal)?;
            Made { json, replayed: false }
        }
    };
    Ok(DoneOnce::of(made))
}
