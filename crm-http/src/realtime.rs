//! What happens, told to clients as it happens: over WebSockets and server-sent events.

mod attendance;
mod feed;
mod follower;
mod frames;
mod hub;
mod origin;
mod socket;
mod stream;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use crm_core::access::FollowEvents;
use crm_core::identity::{Secret, TICKET_LASTS};
use crm_core::ports::Present;
use crm_core::{Error, ErrorKind, Session};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::frames::{Position, Topic};
pub use self::hub::Closing;
use self::hub::Connection;
pub(crate) use self::hub::Hub;
use crate::App;
use crate::extract::{Caller, NoParams, Params};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Made201, Reply};
use crate::request::Framed;

const REALTIME: Section = Section::Realtime;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/realtime/tickets",
            post_with(
                ticket,
                about(
                    REALTIME,
                    "create_realtime_ticket", &[],
                    "Get a ticket to follow events",
                    "For `GET /ws?ticket=` (WebSocket) or `GET /events?ticket=` (server-sent events), within \
                     30 s and once. What is said there is in docs/realtime.md.",
                ),
            ),
        )
        .api_route(
            "/realtime/presence",
            get_with(
                presence,
                about(
                    REALTIME,
                    "list_present_users", &[],
                    "List who is connected",
                    "The users of the tenant who follow events at the moment, on any node; one whose \
                     connection broke is listed for up to a minute.",
                ),
            ),
        )
}

/// The routes that no OpenAPI document can describe.
pub(crate) fn streams() -> axum::Router<App> {
    axum::Router::new().route("/ws", get(socket)).route("/events", get(events))
}

/// A ticket to follow events.
#[derive(Serialize, JsonSchema)]
struct Ticket {
    /// The ticket.
    #[schemars(with = "String")]
    ticket: String,
    /// Seconds until it is over.
    expires_in: u64,
}

async fn ticket(
    caller: Caller<FollowEvents>,
    _: NoParams,
    State(app): State<App>,
) -> Result<Made201<Ticket>, Problem> {
    let ticket = app.crm.admission_ticket(&caller.session)?;
    let ticket = ticket.reveal().to_owned();
    Ok(Made201(Ticket { ticket, expires_in: TICKET_LASTS.as_secs() }))
}

/// Who is connected.
#[derive(Serialize, JsonSchema)]
struct PresentUsers {
    /// By their ids.
    items: Vec<Present>,
}

async fn presence(
    caller: Caller<FollowEvents>,
    _: NoParams,
    State(app): State<App>,
) -> Result<Reply<PresentUsers>, Problem> {
    let tenant = caller.session.scope().tenant();
    let items = app.crm.presence().present(tenant, app.crm.now()).await?;
    Ok(Reply(PresentUsers { items }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SocketParams {
    ticket: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsParams {
    ticket: Option<String>,
    /// Separated by commas.
    topics: Option<String>,
    after: Option<Position>,
}

async fn socket(State(app): State<App>, mut parts: Parts) -> Result<Response, Problem> {
    let Params(params) = Params::<SocketParams>::from_request_parts(&mut parts, &app).await?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app).await;
    let upgrade = upgrade.map_err(|refused| {
        Error::new(ErrorKind::Malformed, "this is for WebSockets (RFC 6455)").with_source(refused)
    })?;
    let connection = enter(&parts, &app, params.ticket).await?;
    let config = std::sync::Arc::clone(&app.config);
    Ok(upgrade
        .max_message_size(socket::LARGEST_MESSAGE)
        .max_frame_size(socket::LARGEST_MESSAGE)
        .read_buffer_size(1024)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(4 * 1024 * 1024)
        .on_upgrade(move |socket| socket::serve(socket, connection, config)))
}

async fn events(State(app): State<App>, mut parts: Parts) -> Result<Response, Problem> {
    let Params(params) = Params::<EventsParams>::from_request_parts(&mut parts, &app).await?;
    let topics = params.topics.as_deref().unwrap_or("tenant").split(',').map(str::parse);
    let topics =
        topics.collect::<Result<Vec<Topic>, _>>().map_err(crate::extract::refused_parameters)?;
    let after = last_event_id(&parts.headers)?.or(params.after);
    let mut connection = enter(&parts, &app, params.ticket).await?;
    connection.follower.subscribe(topics, after).await?;
    Ok(stream::serve(connection, &app.config))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let id = id.to_str().unwrap_or_default();
    // Browsers send an empty one where they have seen none.
    if id.is_empty() { Ok(None) } else { Ok(Some(id.parse()?)) }
}

/// Lets in who brings a ticket or a token, from a page that may.
async fn enter(parts: &Parts, app: &App, ticket: Option<String>) -> Result<Connection, Problem> {
    origin::check(&parts.headers, &app.config)?;
    let session: Session = match ticket {
        Some(_) if parts.headers.contains_key(AUTHORIZATION) => {
            let message = "send a ticket or `Authorization`, not both";
            return Err(Error::new(ErrorKind::Malformed, message).into());
        }
        Some(ticket) => {
            let framed = parts.extensions.get::<Framed>();
            let framed = framed.ok_or_else(|| Error::internal("a request came past its frame"))?;
            let request_id = framed.arrival.request_id.clone();
            let session = app.crm.admit(&Secret::new(ticket), request_id).await?;
            framed.came_from(session.scope());
            session
        }
        None => crate::extract::authenticated(parts, app).await?,
    };
    session.authorize::<FollowEvents>()?;
    Ok(app.hub.enter(&app.crm, session, app.config.realtime_connections).await?)
}
