//! Users, and how people and programs come in: passwords, tokens, sessions, API keys.

mod account;
mod admission;
mod api_keys;
mod credential;
mod external;
mod invitation;
pub mod model;
mod operator;
mod password;
mod password_sign_in;
mod policy;
mod refresh;
mod registration;
mod second_factor;
mod secret;
pub mod service;
mod sign_in;
pub mod store;
mod token;

pub use account::{Account, ChangePassword, Me, SignInInfo};
pub use admission::TICKET_LASTS;
pub use api_keys::{ApiKeyInfo, ApiKeys, CreatedApiKey, NewApiKey};
pub use credential::{
    ApiKey, Authenticators, Credential, CredentialKind, Invitation, Link, PreviousToken, SignIn,
    SignInMethod, SignInName, Standing, StandingOf, Totp,
};
pub use external::ExternalIdentity;
pub use invitation::{AcceptInvitation, CreatedUser};
pub use model::{NewUser, User, UserPatch, UserStatus};
pub use password::{MAX_PASSWORD, MIN_PASSWORD, MIN_PASSWORD_WITH_SECOND_FACTOR};
pub use password_sign_in::PasswordSignIn;
pub use policy::{RegistrationPolicy, SignInPolicy};
pub use registration::{Registered, Registration};
pub use second_factor::{Code, NewTotp, RecoveryCodes, RemoveTotp, StepUp};
pub use secret::{Digest, Digester, Secret};
pub use service::Users;
pub use sign_in::{Arrival, Identity, SignedIn, TokenType, Tokens};
pub use token::{AccessClaims, JsonWebKeySet, TokenAlgorithm, TokenKey, TokenKeys};
