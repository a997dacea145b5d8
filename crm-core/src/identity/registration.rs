//! A tenant and its owner, made by whom nobody here knows yet.

use serde::{Deserialize, Serialize};

use super::credential::{Authenticators, SignInMethod};
use super::model::User;
use super::password::{check_password, hash_password};
use super::policy::RegistrationPolicy;
use super::secret::Secret;
use super::sign_in::{Identity, Tokens, put_authenticators};
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::id::TenantId;
use crate::phone::Region;
use crate::tenancy::{NewTenant, Slug, Tenant};

/// A tenant and its owner, who comes in at once.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The tenant's name, at most 255 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub company_name: String,
    /// The owner's name, at most 255 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub full_name: String,
    /// The owner's e-mail address.
    #[cfg_attr(feature = "schema", schemars(email, length(min = 3, max = 254)))]
    pub email: String,
    /// The owner's password: at least 15 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 15)))]
    pub password: Secret,
    /// The region of phone numbers without a country code, two letters of ISO 3166; `US` where it is
    /// absent.
    #[serde(default)]
    pub default_region: Option<Region>,
    /// The operator's invitation, where one is needed to register.
    #[serde(default)]
    pub invitation: Option<Secret>,
}

/// A new tenant whose owner has come in.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Registered {
    /// The tenant.
    pub tenant: Tenant,
    /// Its owner.
    pub user: User,
    /// The owner's tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
}

impl Identity {
    /// Makes a tenant and its owner, who comes in at once. The tenant's slug follows from its name.
    ///
    /// # Errors
    ///
    /// `forbidden` where [`RegistrationPolicy`] lets nobody in, or nobody without a good invitation;
    /// `invalid` with each refused value; `rate_limited`; `already_exists` when somebody else took the slug
    /// at the same moment; `unavailable` or `internal` from the store.
    pub async fn register(&self, new: Registration) -> Result<Registered> {
        let registered = async {
            self.count("register", self.crm.policy().registrations).await?;
            let reserved = self.admitted(new.invitation.as_ref())?;
            self.must_be_unused(reserved).await?;
            let context = [&*new.company_name, &new.full_name, &new.email];
            let password = check_password("password", &new.password, &context, false);
            let system = self.crm.system_in_request(REGISTER, self.arrival.request_id.clone());
            let tenant = NewTenant {
                slug: Some(self.free_slug(&new.company_name).await?),
                name: new.company_name,
                default_region: new.default_region.unwrap_or(Region::US),
                owner_email: new.email,
                owner_name: Some(new.full_name),
            };
            let planned = system.plan_tenant(tenant, reserved).map_err(as_registration);
            let (tenant, user, mut changes) = match (planned, password) {
                (Ok(planned), Ok(())) => planned,
                (Err(error), Ok(())) => return Err(error),
                (planned, Err(password)) => {
                    let others = planned.err().map(|error| error.fields().to_vec());
                    let fields = others.into_iter().flatten().chain([password]);
                    return Err(Error::invalid(fields.collect()));
                }
            };
            let authenticators = Authenticators {
                password: Some(hash_password(self.core(), &new.password).await?),
                password_set_at: Some(changes.at()),
                ..Authenticators::none(user.id)
            };
            put_authenticators(self.core(), &mut changes, authenticators, &["password"])?;
            let began = changes.at();
            let tokens = self.begin(&mut changes, &user, SignInMethod::Password, began)?;
            if let Err(error) = self.core().commit(changes).await {
                // Somebody may have been faster with the same invitation.
                self.must_be_unused(reserved).await?;
                return Err(error);
            }
            Ok(Registered { tenant, user, tokens })
        };
        registered.await.map_err(|error: Error| error.in_operation("identity.register"))
    }

    /// The id that an invitation keeps for the new tenant, where the policy lets somebody in.
    fn admitted(&self, invitation: Option<&Secret>) -> Result<Option<TenantId>> {
        let refused = |message| Err(Error::new(ErrorKind::Forbidden, message));
        match (self.crm.policy().registration, invitation) {
            (RegistrationPolicy::Closed, _) => refused("nobody registers here; ask the operator"),
            (RegistrationPolicy::Invitation, None) => {
                refused("registration is by invitation of the operator")
            }
            (RegistrationPolicy::Open, None) => Ok(None),
            (RegistrationPolicy::Open | RegistrationPolicy::Invitation, Some(invitation)) => {
                let reserved = self.core().open_ticket(REGISTER, invitation);
                reserved.map(Some).map_err(|error| no_such_invitation().with_source(error))
            }
        }
    }

    /// An invitation is used up by the tenant that has its id.
    async fn must_be_unused(&self, reserved: Option<TenantId>) -> Result<()> {
        let Some(id) = reserved else { return Ok(()) };
        match self.core().store.tenant(&self.system_scope(REGISTER), id).await? {
            Some(_) => Err(no_such_invitation()),
            None => Ok(()),
        }
    }

    /// The slug that follows from a name, with a few random letters where it is taken.
    async fn free_slug(&self, name: &str) -> Result<Slug> {
        let suggested = Slug::suggest(name);
        let system = self.system_scope(REGISTER);
        if let Some(slug) = &suggested
            && self.core().store.tenant_by_slug(&system, slug).await?.is_none()
        {
            return Ok(slug.clone());
        }
        let mut bytes = [0; 4];
        self.core().env.fill(&mut bytes)?;
        let letters: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let stem = suggested.as_ref().map_or("tenant", Slug::as_str);
        let stem: String = stem.chars().take(50).collect();
        format!("{}-{letters}", stem.trim_end_matches('-')).parse()
    }
}

/// Why tenants are looked at, and what invitations are sealed for.
pub(super) const REGISTER: &str = "register a tenant";

fn no_such_invitation() -> Error {
    Error::new(ErrorKind::Forbidden, "the invitation is not valid, or not any more")
}

/// The fields of a new tenant under the names that a registration gives them.
fn as_registration(error: Error) -> Error {
    if error.kind() != ErrorKind::Invalid {
        return error;
    }
    let renamed = error.fields().iter().map(|field| {
        let name = match field.field.as_str() {
            "name" => "company_name",
            "owner_name" => "full_name",
            "owner_email" => "email",
            other => other,
        };
        FieldError { field: name.to_owned(), ..field.clone() }
    });
    Error::invalid(renamed.collect())
}
