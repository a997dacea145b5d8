//! Signing in through a provider of identities (OpenID Connect).
//!
//! The authorization code flow with PKCE (S256), `state` and `nonce`. What must come back unchanged goes
//! with the browser, sealed, in a cookie that is good for ten minutes.

mod provider;

pub use provider::OidcProvider;

use std::sync::Arc;
use std::time::Duration;

use aide::OperationOutput;
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use crm_core::identity::{Digest, ExternalIdentity, Secret, SignedIn};
use crm_core::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::App;
use crate::extract::{Body, NoParams, Params, Public};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::Reply;
use provider::RoundTrip;

/// How long somebody may take at the provider.
const ROUND_TRIP: Duration = Duration::from_secs(600);
/// What the cookie is sealed for.
const CONTEXT: &str = "oidc round trip";
/// The cookie, one for each provider.
const COOKIE_NAME: &str = "crm_oidc_";

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/auth/oidc/{provider}/login",
            get_with(
                login,
                about(
                    Section::Identity,
                    "oidc_login",
                    &[404],
                    "Go to a provider of identities",
                    "Sends the browser to the provider, which sends it back to `callback`. 400 without a \
                     `challenge` where the operator has set an address to return to; 404 where the \
                     operator has set up no such provider; 503 where the provider does not answer.",
                ),
            ),
        )
        .api_route(
            "/auth/oidc/{provider}/callback",
            get_with(
                callback,
                about(
                    Section::Identity,
                    "oidc_callback",
                    &[401, 403, 404, 409],
                    "Come back from a provider of identities",
                    "Signs in who the provider vouches for: by a linked account, else by a verified \
                     e-mail address. Replies with tokens, or, where the operator has set an address to \
                     return to, sends the browser there with a one-time `code` and the `state` that `login` got. 401 where the sign-in was \
                     not begun in this browser or nobody is let in; 404 where there is no such provider.",
                ),
            ),
        )
        .api_route(
            "/auth/oidc/token",
            post_with(
                exchange,
                about(
                    Section::Identity,
                    "oidc_exchange_code",
                    &[401],
                    "Exchange a one-time code for tokens",
                    "The code that `callback` sent the browser with, and the verifier of the challenge that \
                     `login` got; good for a minute, once. 401 for any other.",
                ),
            ),
        )
}

/// The provider, by its name in the path.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct Named {
    /// The provider's name.
    provider: String,
}

/// Where somebody wants to go.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// The tenant's id or slug: needed to join it, or where one belongs to several.
    tenant: Option<String>,
    /// What the page that `callback` returns to gets back as `state`, up to 128 bytes: by it the page knows
    /// that the sign-in is the one it began.
    state: Option<String>,
    /// The SHA-256 of a random verifier that only the page knows, in base64url without padding (RFC 7636,
    /// `S256`): needed where `callback` returns to a page. The code is exchanged with the verifier.
    #[schemars(length(equal = 43))]
    challenge: Option<String>,
}

/// Bytes of the longest tenant's name and of the longest state, so that a browser keeps the cookie.
const LONGEST: usize = 128;

async fn login(
    State(app): State<App>,
    _: Public,
    Path(named): Path<Named>,
    Params(wish): Params<Login>,
) -> Result<Redirect, Problem> {
    let provider = provider(&app, &named.provider)?;
    for (name, value) in [("tenant", &wish.tenant), ("state", &wish.state)] {
        if value.as_ref().is_some_and(|value| value.len() > LONGEST) {
            let message = format!("`{name}` has more than {LONGEST} bytes");
            return Err(Error::new(ErrorKind::Malformed, message).into());
        }
    }
    let is_digest = |text: &String| BASE64.decode(text).is_ok_and(|bytes| bytes.len() == 32);
    if wish.challenge.as_ref().map_or(provider.returns_to().is_some(), |own| !is_digest(own)) {
        let message = "`challenge` is the SHA-256 of a verifier in base64url, of 43 characters";
        return Err(Error::new(ErrorKind::Malformed, message).into());
    }
    let secret = || app.crm.new_secret().map(|secret| secret.reveal().to_owned());
    let trip = RoundTrip {
        provider: named.provider,
        state: secret()?,
        nonce: secret()?,
        verifier: secret()?,
        tenant: wish.tenant,
        page_state: wish.state,
        challenge: wish.challenge,
    };
    let to = provider.begin(&trip, app.crm.now()).await?;
    let sealed = app.crm.seal_ticket(CONTEXT, &trip, ROUND_TRIP)?;
    let cookie = Cookie::of(&provider).header(sealed.reveal(), ROUND_TRIP);
    Ok(Redirect { to: to.into(), cookie })
}

/// What the provider sends the browser back with.
#[derive(Deserialize, JsonSchema)]
struct Callback {
    /// The code to exchange.
    code: Option<String>,
    /// What was sent along.
    state: Option<String>,
    /// Whom the answer comes from (RFC 9207).
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

async fn callback(
    State(app): State<App>,
    public: Public,
    Path(named): Path<Named>,
    headers: HeaderMap,
    Params(answer): Params<Callback>,
) -> Result<Arrived, Problem> {
    let provider = provider(&app, &named.provider)?;
    let cookie = Cookie::of(&provider);
    let spent = cookie.header("", Duration::ZERO);
    let refused = |why: &str| {
        let message = "this sign-in was not begun in this browser, or is over; begin again";
        Error::new(ErrorKind::Unauthenticated, message).with_source(why.to_owned())
    };
    let sealed = cookie.read(&headers).ok_or_else(|| refused("no cookie"))?;
    let trip: RoundTrip = app.crm.open_ticket(CONTEXT, &sealed)?;
    let state = answer.state.as_deref().unwrap_or_default();
    if trip.provider != named.provider
        || Digest::of(state.as_bytes()) != Digest::of(trip.state.as_bytes())
    {
        return Err(refused("another state").into());
    }
    let Some(code) = answer.code.filter(|_| answer.error.is_none()) else {
        let why = answer.error.unwrap_or_else(|| "no code".to_owned());
        let message = "the provider did not let you in";
        return Err(Error::new(ErrorKind::Unauthenticated, message).with_source(why).into());
    };
    let vouched = provider.complete(&code, answer.iss.as_deref(), &trip, app.crm.now()).await?;
    let who = ExternalIdentity {
        provider: trip.provider,
        subject: vouched.subject,
        email: vouched.email,
        email_verified: vouched.email_verified,
        name: vouched.name,
        authenticated_at: vouched.authenticated_at,
    };
    let tenant = trip.tenant.as_deref();
    match provider.returns_to() {
        None => {
            let signed_in = public.identity.sign_in_external(&who, tenant).await?;
            Ok(Arrived::Here(Box::new(signed_in), spent))
        }
        Some(url) => {
            let challenge = trip.challenge.as_deref().ok_or_else(|| refused("no challenge"))?;
            let code = public.identity.issue_code(&who, tenant, Some(challenge)).await?;
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("code", code.reveal());
            if let Some(state) = &trip.page_state {
                url.query_pairs_mut().append_pair("state", state);
            }
            Ok(Arrived::There(Redirect { to: url.into(), cookie: spent }))
        }
    }
}

/// A one-time code, and what shows that it is the caller's.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// The code.
    code: Secret,
    /// What the challenge was made of.
    verifier: Secret,
}

async fn exchange(
    public: Public,
    _: NoParams,
    body: Body<Exchange>,
) -> Result<Reply<SignedIn>, Problem> {
    let Exchange { code, verifier } = &body.value;
    Ok(Reply(public.identity.exchange_code(code, Some(verifier)).await?))
}

fn provider(app: &App, name: &str) -> Result<Arc<OidcProvider>, Error> {
    let found = app.config.oidc.iter().find(|provider| provider.name() == name);
    found.cloned().ok_or_else(|| Error::not_found("provider of identities"))
}

/// What carries the round trip: sent back to this server only, also from a link of the provider's page.
struct Cookie {
    name: String,
    attributes: String,
}

impl Cookie {
    /// Over TLS a cookie that no neighbour can plant: `__Host-` (RFC 6265bis, 4.1.3.2), which asks for the
    /// path `/`.
    fn of(provider: &OidcProvider) -> Self {
        let (name, redirect) = (provider.name(), provider.redirect());
        if redirect.scheme() == "https" {
            let attributes = "Path=/; HttpOnly; SameSite=Lax; Secure".to_owned();
            return Cookie { name: format!("__Host-{COOKIE_NAME}{name}"), attributes };
        }
        let path = redirect.path().strip_suffix("/callback").unwrap_or("/");
        let attributes = format!("Path={path}; HttpOnly; SameSite=Lax");
        Cookie { name: format!("{COOKIE_NAME}{name}"), attributes }
    }

    fn header(&self, value: &str, lasts: Duration) -> HeaderValue {
        let Cookie { name, attributes } = self;
        let text = format!("{name}={value}; Max-Age={}; {attributes}", lasts.as_secs());
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }

    fn read(&self, headers: &HeaderMap) -> Option<Secret> {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == self.name)
            .map(|(_, value)| Secret::from(value))
    }
}

/// The browser goes elsewhere.
struct Redirect {
    to: String,
    cookie: HeaderValue,
}

impl IntoResponse for Redirect {
    fn into_response(self) -> Response {
        let mut response = StatusCode::FOUND.into_response();
        if let Ok(to) = HeaderValue::from_str(&self.to) {
            response.headers_mut().insert(LOCATION, to);
        }
        response.headers_mut().insert(SET_COOKIE, self.cookie);
        response
    }
}

impl OperationOutput for Redirect {
    type Inner = ();

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let description = "The browser is sent on, by `Location`.".to_owned();
        vec![(Some(302), ResponseDoc { description, ..ResponseDoc::default() })]
    }
}

/// Somebody is back.
enum Arrived {
    Here(Box<SignedIn>, HeaderValue),
    There(Redirect),
}

impl IntoResponse for Arrived {
    fn into_response(self) -> Response {
        match self {
            Arrived::Here(signed_in, cookie) => {
                let mut response = Json(*signed_in).into_response();
                response.headers_mut().insert(SET_COOKIE, cookie);
                response
            }
            Arrived::There(redirect) => redirect.into_response(),
        }
    }
}

impl OperationOutput for Arrived {
    type Inner = SignedIn;

    fn inferred_responses(
        ctx: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        let mut responses = Reply::<SignedIn>::inferred_responses(ctx, operation);
        responses.extend(Redirect::inferred_responses(ctx, operation));
        responses
    }
}
