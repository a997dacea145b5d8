//! What carriers of calls tell.

use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use aide::generate::GenContext;
use aide::openapi::{Operation, RequestBody, Response as ResponseDoc};
use aide::operation::set_body;
use aide::{OperationInput, OperationOutput};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crm_core::ErrorKind;
use crm_core::telephony::{WebhookReply, WebhookRequest};

use crate::App;
use crate::extract::Public;
use crate::limits;
use crate::openapi::{Section, about, problem_responses, text_media};
use crate::problem::Problem;
use crate::request::Framed;

/// Bytes of the largest request of a carrier's.
const LARGEST: usize = 64 * 1024;

const TWILIO: &str = "twilio";

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/webhooks/twilio",
            post_with(
                twilio,
                about(
                    Section::Telephony,
                    "take_twilio_callback", &[400, 403],
                    "Take what Twilio tells of a call or a recording",
                    "Merged into the call in any order, and once however often it comes. 403 where the signature is \
                     not that of one of the tenants' accounts.",
                ),
            ),
        )
        .api_route(
            "/webhooks/twilio/voice",
            post_with(
                twilio,
                about(
                    Section::Telephony,
                    "take_twilio_call", &[400, 403],
                    "Answer a call that comes in through Twilio",
                    "The reply is TwiML. 403 where the signature is not that of one of the tenants' accounts.",
                ),
            ),
        )
}

async fn twilio(
    _: Public,
    axum::extract::State(app): axum::extract::State<App>,
    CarrierRequest { request, framed }: CarrierRequest,
) -> Result<CarrierReply, Problem> {
    match app.crm.webhook(TWILIO, request).await {
        Ok(reply) => Ok(CarrierReply(reply)),
        Err(error) => {
            // Who tries out signatures is a stranger.
            if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound)
                && let Some(framed) = framed
            {
                limits::count_stranger(&app, &framed).await?;
            }
            Err(error.into())
        }
    }
}

/// A request as the carrier sent it, byte by byte.
struct CarrierRequest {
    request: WebhookRequest,
    framed: Option<Framed>,
}

impl FromRequest<App> for CarrierRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let url = match &app.config.public_url {
            Some(url) => format!("{}{target}", url.trim_end_matches('/')),
            None => format!("http://{}{target}", header(HOST).unwrap_or_default()),
        };
        let headers = parts
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        let body = axum::body::to_bytes(body, LARGEST).await.map_err(limits::unread)?;
        let framed = parts.extensions.get::<Framed>().cloned();
        Ok(CarrierRequest { request: WebhookRequest { url, headers, body }, framed })
    }
}

impl OperationInput for CarrierRequest {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let media = text_media("CallSid=CA1&CallStatus=ringing&AccountSid=AC1");
        let types = ["application/x-www-form-urlencoded"];
        let body = RequestBody {
            content: types.iter().map(|named| ((*named).to_owned(), media.clone())).collect(),
            required: true,
            ..RequestBody::default()
        };
        set_body(ctx, operation, body);
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[413])
    }
}

/// What the carrier is answered.
struct CarrierReply(WebhookReply);

impl IntoResponse for CarrierReply {
    fn into_response(self) -> Response {
        match self.0.content_type {
            Some(media) => {
                ([(CONTENT_TYPE, HeaderValue::from_static(media))], self.0.body).into_response()
            }
            None => StatusCode::NO_CONTENT.into_response(),
        }
    }
}

impl OperationOutput for CarrierReply {
    type Inner = Self;

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let taken =
            ResponseDoc { description: "It was taken.".to_owned(), ..ResponseDoc::default() };
        let answered = ResponseDoc {
            description: "What is to happen in the call.".to_owned(),
            content: [("text/xml".to_owned(), text_media("<Response><Reject/></Response>"))]
                .into_iter()
                .collect(),
            ..ResponseDoc::default()
        };
        vec![(Some(200), answered), (Some(204), taken)]
    }
}
