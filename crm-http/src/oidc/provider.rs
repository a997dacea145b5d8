//! One provider of identities, as its discovery document describes it.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use crm_core::identity::Secret;
use crm_core::{Error, ErrorKind, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreGrantType, CoreIdTokenVerifier, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm,
    CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType, CoreUserInfoClaims,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadata, RedirectUrl, RequestTokenError, Scope, TokenResponse, UserInfoError,
};
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;

/// A provider of identities that people may sign in with.
pub struct OidcProvider {
    name: String,
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    scopes: Vec<Scope>,
    redirect: RedirectUrl,
    return_to: Option<url::Url>,
    patience: Duration,
    http: reqwest::Client,
    known: RwLock<Option<Known>>,
}

/// What the discovery document says beside what the library knows.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
struct More {
    /// Whether the provider names itself in its answer (RFC 9207, 3).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The discovery document with its keys.
#[derive(Clone)]
struct Known {
    metadata: Arc<Metadata>,
    read_at: Timestamp,
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// How long the provider may take for one answer, where nothing is said.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the longest answer.
const LONGEST: usize = 256 * 1024;
/// How old the discovery document may be.
const SERVES: Duration = Duration::from_secs(60 * 60);
/// How soon it is read again for a key that is not in it: a stranger's token must not make us ask
/// the provider each time.
const READ_AGAIN: Duration = Duration::from_secs(30);
/// How far the provider's clock may be ahead of ours.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// What goes to the provider and must come back unchanged.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RoundTrip {
    pub(crate) provider: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    pub(crate) tenant: Option<String>,
    /// What the page that is returned to knows its own sign-in by.
    pub(crate) page_state: Option<String>,
    /// What the code for the page is bound to.
    pub(crate) challenge: Option<String>,
}

/// Who somebody is, as the provider says.
#[derive(Debug)]
pub(crate) struct Vouched {
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    pub(crate) email_verified: bool,
    pub(crate) name: Option<String>,
    pub(crate) authenticated_at: Option<Timestamp>,
}

impl OidcProvider {
    /// A provider called `name` (1 to 32 of `a-z0-9-`), whose discovery document is found under
    /// `issuer`. People come back to `redirect`: the address of `/auth/oidc/{name}/callback` as browsers see
    /// it.
    ///
    /// # Errors
    ///
    /// `invalid` for a name, issuer or redirect that cannot be right. Issuer and redirect are `https`, or
    /// `http` on this machine.
    pub fn new(
        name: impl Into<String>,
        issuer: &str,
        client_id: impl Into<String>,
        redirect: &str,
    ) -> crm_core::Result<Self> {
        let name = name.into();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=32).contains(&name.len()) || !name.bytes().all(allowed) {
            let message = "the name of a provider has 1 to 32 of `a-z0-9-`";
            return Err(Error::invalid_field("oidc.name", "invalid_name", message));
        }
        let refused = |field: &'static str| {
            let message = "give an `https` URL, or `http` on this machine";
            Error::invalid_field(field, "invalid_url", message)
        };
        for (field, text) in [("oidc.issuer", issuer), ("oidc.redirect", redirect)] {
            if !url::Url::parse(text).is_ok_and(|url| is_safe(&url)) {
                return Err(refused(field));
            }
        }
        let path = format!("/auth/oidc/{name}/callback");
        if !redirect.ends_with(&path) {
            let message = format!("people come back to an address that ends in `{path}`");
            return Err(Error::invalid_field("oidc.redirect", "invalid_url", message));
        }
        let http = reqwest::Client::builder()
            // A provider that answers with another address could send us anywhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::internal)?;
        Ok(OidcProvider {
            name,
            issuer: IssuerUrl::new(issuer.to_owned()).map_err(|_| refused("oidc.issuer"))?,
            client_id: ClientId::new(client_id.into()),
            client_secret: None,
            scopes: ["email", "profile"].map(|scope| Scope::new(scope.to_owned())).to_vec(),
            redirect: RedirectUrl::new(redirect.to_owned())
                .map_err(|_| refused("oidc.redirect"))?,
            return_to: None,
            patience: PATIENCE,
            http,
            known: RwLock::new(None),
        })
    }

    /// The client's secret, where it has one; a public client has none.
    #[must_use]
    pub fn client_secret(mut self, secret: &Secret) -> Self {
        self.client_secret = Some(ClientSecret::new(secret.reveal().to_owned()));
        self
    }

    /// Scopes to ask for instead of `email` and `profile`; `openid` is always asked for.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = String>) -> Self {
        self.scopes = scopes.into_iter().map(Scope::new).collect();
        self
    }

    /// Where the browser goes with a one-time code, instead of being shown the tokens: a page, or an
    /// application by a scheme of its own.
    ///
    /// # Errors
    ///
    /// `invalid` for plain `http` to another machine, where others could read the code.
    pub fn return_to(mut self, url: url::Url) -> crm_core::Result<Self> {
        if url.scheme() == "http" && !is_safe(&url) {
            let message = "give an `https` URL, or `http` on this machine";
            return Err(Error::invalid_field("oidc.return_to", "invalid_url", message));
        }
        self.return_to = Some(url);
        Ok(self)
    }

    /// How long the provider may take for one answer, instead of 10 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Its name in paths.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn returns_to(&self) -> Option<&url::Url> {
        self.return_to.as_ref()
    }

    /// Where browsers come back to.
    pub(crate) fn redirect(&self) -> &url::Url {
        self.redirect.url()
    }

    /// Where to send the browser.
    pub(crate) async fn begin(
        &self,
        trip: &RoundTrip,
        now: Timestamp,
    ) -> crm_core::Result<url::Url> {
        let known = self.known(now).await?;
        if !is_safe(known.metadata.authorization_endpoint().url()) {
            return Err(self.unavailable(&SendError::Unsafe));
        }
        let client = self.client(&known.metadata);
        let verifier = PkceCodeVerifier::new(trip.verifier.clone());
        let (state, nonce) = (trip.state.clone(), trip.nonce.clone());
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scopes(self.scopes.iter().cloned())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Exchanges a code for who somebody is. `iss` is whom the answer names as its author (RFC 9207),
    /// which a provider that can must do.
    pub(crate) async fn complete(
        &self,
        code: &str,
        iss: Option<&str>,
        trip: &RoundTrip,
        now: Timestamp,
    ) -> crm_core::Result<Vouched> {
        let known = self.known(now).await?;
        let says_iss =
            known.metadata.additional_metadata().authorization_response_iss_parameter_supported;
        if iss.map_or(says_iss, |iss| iss != self.issuer.as_str()) {
            return Err(self.not_vouched("the answer is of another issuer, or of none"));
        }
        let client = self.client(&known.metadata);
        let http = self.sender();
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(Error::internal)?
            .set_pkce_verifier(PkceCodeVerifier::new(trip.verifier.clone()))
            .request_async(&http)
            .await
            .map_err(|error| match error {
                RequestTokenError::Request(error) => self.unavailable(&error),
                RequestTokenError::ServerResponse(_)
                | RequestTokenError::Parse(_, _)
                | RequestTokenError::Other(_) => self.not_vouched(chain(&error)),
            })?;
        let id_token = answer.id_token().ok_or_else(|| self.not_vouched("no id token"))?;
        let nonce = Nonce::new(trip.nonce.clone());
        let claims = match id_token.claims(&verifier(&client, now), &nonce).cloned() {
            Ok(claims) => claims,
            // Perhaps the keys have changed since they were read.
            Err(ClaimsVerificationError::SignatureVerification(error)) => {
                let known = self.read(now, READ_AGAIN).await?;
                let client = self.client(&known.metadata);
                id_token
                    .claims(&verifier(&client, now), &nonce)
                    .cloned()
                    .map_err(|again| self.not_vouched(format!("{error}; then {}", chain(&again))))?
            }
            Err(error) => return Err(self.not_vouched(chain(&error))),
        };
        // Made for another client of the provider's (OpenID Connect Core, 3.1.3.7, 5).
        if claims.authorized_party().is_some_and(|party| *party != self.client_id) {
            return Err(self.not_vouched("the id token is another party's"));
        }
        let name = |name: Option<&openidconnect::LocalizedClaim<openidconnect::EndUserName>>| {
            name.and_then(|name| name.get(None)).map(|name| name.as_str().to_owned())
        };
        let mut vouched = Vouched {
            subject: claims.subject().as_str().to_owned(),
            email: claims.email().map(|email| email.as_str().to_owned()),
            email_verified: claims.email_verified().unwrap_or(false),
            name: name(claims.name()),
            authenticated_at: claims
                .auth_time()
                .map(|at| Timestamp::from_micros(at.timestamp_micros()).unwrap_or(Timestamp::MIN)),
        };
        if vouched.email.is_none()
            && let Ok(request) =
                client.user_info(answer.access_token().clone(), Some(claims.subject().clone()))
        {
            let more: CoreUserInfoClaims = request.request_async(&http).await.map_err(|error| {
                if let UserInfoError::Request(error) = &error {
                    return self.unavailable(error);
                }
                self.not_vouched(chain(&error))
            })?;
            vouched.email = more.email().map(|email| email.as_str().to_owned());
            vouched.email_verified = more.email_verified().unwrap_or(false);
            vouched.name = vouched.name.or_else(|| name(more.name()));
        }
        Ok(vouched)
    }

    fn not_vouched(&self, why: impl Into<String>) -> Error {
        let why = why.into();
        tracing::warn!(provider = self.name, why, "a provider of identities did not vouch");
        Error::new(
            ErrorKind::Unauthenticated,
            "the provider did not say who you are; sign in again",
        )
        .with_source(why)
    }

    fn unavailable(&self, error: &(dyn StdError + 'static)) -> Error {
        let message = format!("the provider `{}` cannot be reached", self.name);
        Error::unavailable(message, chain(error))
    }

    fn client(&self, metadata: &Metadata) -> Client {
        let (id, secret) = (self.client_id.clone(), self.client_secret.clone());
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, secret)
            .set_redirect_uri(self.redirect.clone());
        // What is meant where nothing is said (OpenID Connect Discovery, 3).
        if takes(CoreClientAuthMethod::ClientSecretBasic) {
            return client;
        }
        client.set_auth_type(AuthType::RequestBody)
    }

    async fn known(&self, now: Timestamp) -> crm_core::Result<Known> {
        let known = self.known.read().await.clone();
        match known {
            Some(known) if now.since(known.read_at) < SERVES => Ok(known),
            Some(_) | None => self.read(now, SERVES).await,
        }
    }

    /// Reads the discovery document and its keys, unless somebody has while we waited.
    async fn read(&self, now: Timestamp, serves: Duration) -> crm_core::Result<Known> {
        let mut place = self.known.write().await;
        if let Some(known) = place.as_ref().filter(|known| now.since(known.read_at) < serves) {
            return Ok(known.clone());
        }
        let http = self.sender();
        let metadata = Metadata::discover_async(self.issuer.clone(), &http)
            .await
            .map_err(|error| self.unavailable(&error))?;
        let known = Known { metadata: Arc::new(metadata), read_at: now };
        *place = Some(known.clone());
        Ok(known)
    }

    /// Sends the library's requests. The future is boxed: a compiler that has to prove it `Send` for
    /// every lifetime gives up on an opaque one.
    fn sender(&self) -> impl Fn(HttpRequest) -> Answer + Send + Sync + use<> {
        let (http, patience) = (self.http.clone(), self.patience);
        move |request| Box::pin(send(http.clone(), request, patience))
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<HttpResponse, SendError>> + Send>>;

async fn send(
    http: reqwest::Client,
    request: HttpRequest,
    patience: Duration,
) -> Result<HttpResponse, SendError> {
    let url = url::Url::parse(&request.uri().to_string()).map_err(|_| SendError::Unsafe)?;
    if !is_safe(&url) {
        return Err(SendError::Unsafe);
    }
    let mut request = reqwest::Request::try_from(request)?;
    *request.timeout_mut() = Some(patience);
    let mut response = http.execute(request).await?;
    if response.status().is_server_error() {
        return Err(SendError::Failed(response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(SendError::TooLong);
        }
    }
    let mut answer = HttpResponse::new(body);
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    Ok(answer)
}

/// Only signatures of the provider's own key: a secret that is shared with the client could sign for
/// anybody who holds it.
fn verifier(client: &Client, now: Timestamp) -> CoreIdTokenVerifier<'_> {
    client
        .id_token_verifier()
        .set_allowed_algs([
            CoreJwsSigningAlgorithm::EdDsa,
            CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            CoreJwsSigningAlgorithm::EcdsaP384Sha384,
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        ])
        .set_time_fn(move || DateTime::<Utc>::from(now))
        .set_issue_time_verifier_fn(move |issued| {
            let latest = DateTime::<Utc>::from(now.after(CLOCKS_DIFFER));
            if issued > latest { Err(format!("issued at {issued}, after now")) } else { Ok(()) }
        })
}

/// An error with what is behind it, in one line. Not its debug text, which may hold the provider's answer
/// and so tokens.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(error) = behind {
        text.push_str(": ");
        text.push_str(&error.to_string());
        behind = error.source();
    }
    text
}

/// Whether what is sent there is safe from others: encrypted, or on this machine.
fn is_safe(url: &url::Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        },
        _ => false,
    }
}

/// Why the provider gave no answer.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the address is neither encrypted nor on this machine")]
    Unsafe,
    #[error("the answer is too long")]
    TooLong,
    #[error("the answer is {0}")]
    Failed(reqwest::StatusCode),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl fmt::Debug for OidcProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcProvider")
            .field("name", &self.name)
            .field("issuer", &self.issuer.as_str())
            .finish_non_exhaustive()
    }
}
