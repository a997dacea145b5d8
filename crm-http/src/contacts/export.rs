//! Contacts as a file.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use crm_core::access::ExportContacts;
use crm_core::contacts::ContactFilter;
use crm_core::contacts::formats::ExportFormat;
use crm_core::{Error, Session};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::extract::{Caller, Params};
use crate::openapi::{header, text_media};
use crate::problem::Problem;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportParams {
    /// The format of the file.
    format: ExportFormat,
}

/// A file that is sent as it is written.
pub(super) struct Exported {
    format: ExportFormat,
    body: Body,
}

pub(super) async fn export(
    caller: Caller<ExportContacts>,
    Params(ExportParams { format }): Params<ExportParams>,
) -> Result<Exported, Problem> {
    let (sender, mut pieces) = mpsc::channel(1);
    tokio::spawn(write(caller.session, format, sender));
    // A storage that cannot be read says so before the file begins.
    let first = pieces.recv().await.transpose()?.unwrap_or_default();
    let rest = futures::stream::unfold(pieces, async |mut pieces| {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    let first = futures::stream::once(async { Ok(first) });
    Ok(Exported {
        format,
        body: Body::from_stream(futures::StreamExt::fuse(futures::StreamExt::chain(first, rest))),
    })
}

/// Writes the file, piece by piece, as long as somebody takes it.
async fn write(
    session: Session,
    format: ExportFormat,
    pieces: mpsc::Sender<Result<Vec<u8>, Error>>,
) {
    let written = async {
        let contacts = session.contacts();
        let mut export = contacts.export(format, ContactFilter::default())?;
        // With the header come the first contacts.
        let mut piece = export.next_bytes().await?.unwrap_or_default();
        piece.extend(export.next_bytes().await?.unwrap_or_default());
        while pieces.send(Ok(piece)).await.is_ok() {
            match export.next_bytes().await? {
                Some(next) => piece = next,
                None => break,
            }
        }
        Ok(())
    };
    if let Err(error) = written.await {
        tracing::error!(%error, "an export ends before its file does");
        // Who has gone away needs no answer.
        let _ = pieces.send(Err(error)).await;
    }
}

impl IntoResponse for Exported {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.format.media_type()));
        let name = format!("attachment; filename=\"contacts.{}\"", self.format.extension());
        if let Ok(name) = HeaderValue::from_str(&name) {
            headers.insert(CONTENT_DISPOSITION, name);
        }
        response
    }
}

impl OperationOutput for Exported {
    type Inner = Self;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let examples = [
            (ExportFormat::Csv, "first_name,last_name\r\nAda,Lovelace\r\n"),
            (ExportFormat::VCard, "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada Lovelace\r\nEND:VCARD\r\n"),
            (ExportFormat::JsonLines, "{\"first_name\":\"Ada\",\"last_name\":\"Lovelace\"}\n"),
        ];
        let response = ResponseDoc {
            description: "The file.".to_owned(),
            headers: [("Content-Disposition".to_owned(), header("Content-Disposition"))]
                .into_iter()
                .collect(),
            content: examples
                .map(|(format, example)| {
                    let media = format.media_type().split(';').next().unwrap_or_default();
                    (media.to_owned(), text_media(example))
                })
                .into_iter()
                .collect(),
            ..ResponseDoc::default()
        };
        vec![(Some(200), response)]
    }
}
