//! A tenant's own settings.

use serde::Deserialize;

use super::model::{Tenant, dispositions};
use crate::access::{ManageTenant, ReadTenant, Role};
use crate::calls::MAX_DISPOSITION;
use crate::changes::{Changes, Write};
use crate::email::shorten;
use crate::env::Env;
use crate::error::{Error, FieldError, Result};
use crate::events::payload::{Changed, TenantUpdated};
use crate::identity::service::cannot_be_cleared;
use crate::patch::Patch;
use crate::phone::Region;
use crate::scope::SystemScope;
use crate::session::Session;
use crate::text::checked_name;

/// Domains that a tenant can let join.
const MAX_DOMAINS: usize = 100;
/// Dispositions that a tenant can have.
const MAX_DISPOSITIONS: usize = 50;
/// The longest that recordings are kept, but for ever.
const MAX_RECORDING_DAYS: u32 = 36_500;

/// The settings of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct TenantSettings<'s> {
    pub(crate) session: &'s Session,
}

/// A change to a tenant: an RFC 7396 merge patch.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TenantPatch {
    /// Its name for people, at most 255 characters. Cannot be cleared.
    #[cfg_attr(feature = "schema", schemars(with = "String", length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub name: Patch<String>,
    /// The region of phone numbers without a country code. Cannot be cleared.
    #[cfg_attr(feature = "schema", schemars(with = "Region"))]
    pub default_region: Patch<Region>,
    /// The domains of e-mail addresses whose holders may join by an account with a provider of
    /// identities, at most 100.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_DOMAINS), inner(length(max = 253), regex(pattern = crate::schema::DOMAIN))))]
    pub join_domains: Patch<Vec<String>>,
    /// What those who join so are, any role but `owner`; `viewer` where it is cleared.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Role>"))]
    pub join_role: Patch<Role>,
    /// What can come of a call, at most 50 of at most 64 characters; the common ones where it is cleared.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_DISPOSITIONS), inner(length(min = 1, max = MAX_DISPOSITION), regex(pattern = crate::schema::FILLED))))]
    pub dispositions: Patch<Vec<String>>,
    /// How many days recordings are kept, 1 to 36,500; cleared, they are kept for ever. It holds for
    /// recordings that are made from then on.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_RECORDING_DAYS)))]
    pub recording_days: Patch<u32>,
}

impl TenantSettings<'_> {
    /// The tenant.
    ///
    /// # Errors
    ///
    /// `forbidden`; `unavailable` or `internal` from the store.
    pub async fn get(&self) -> Result<Tenant> {
        self.session
            .run("tenant.get", async {
                self.session.authorize::<ReadTenant>()?;
                self.load().await
            })
            .await
    }

    /// Changes the tenant.
    ///
    /// # Errors
    ///
    /// `forbidden`; `step_up_required`; `invalid`; `version_conflict` when `version` is given and is not the
    /// record's; `unavailable` or `internal` from the store.
    pub async fn update(&self, patch: TenantPatch, version: Option<i64>) -> Result<Tenant> {
        let attempt = || async {
            self.session.authorize::<ManageTenant>()?;
            let before = self.load().await?;
            if let Some(expected) = version.filter(|version| *version != before.version) {
                return Err(Error::version_conflict("tenant", expected, before.version));
            }
            let after = patched(&before, patch.clone()).map_err(Error::invalid)?;
            if after == before {
                return Ok(before);
            }
            let mut changes = self.session.new_changes();
            let after = put_tenant(self.session.env(), &mut changes, &before, after, &[])?;
            self.session.commit(changes).await?;
            Ok(after)
        };
        self.session
            .run("tenant.update", self.session.retry_contended(version.is_some(), attempt))
            .await
    }

    /// The tenant, for what its own settings decide.
    pub(crate) async fn load(&self) -> Result<Tenant> {
        let scope = self.session.scope();
        let system = SystemScope::new("read the tenant's settings", scope.request_id().clone());
        let tenant = self.session.store().tenant(&system, scope.tenant()).await?;
        tenant.ok_or_else(|| Error::not_found("tenant"))
    }
}

/// Records a tenant's new state, at its next version. `others` are fields that are kept elsewhere.
pub(crate) fn put_tenant(
    env: &Env,
    changes: &mut Changes,
    before: &Tenant,
    after: Tenant,
    others: &[&str],
) -> Result<Tenant> {
    let mut fields: Vec<String> = others.iter().map(|field| (*field).to_owned()).collect();
    let mut new_values = Changed::none();
    macro_rules! compare {
        ($($field:ident)*) => {$(
            if before.$field != after.$field {
                fields.push(stringify!($field).to_owned());
                new_values.set(stringify!($field), &after.$field)?;
            }
        )*};
    }
    compare!(name default_region join_domains join_role dispositions recording_days);
    let expected_version = before.version;
    let tenant = Tenant { version: expected_version + 1, ..after };
    let data = TenantUpdated { version: tenant.version, changes: new_values };
    let write = Write::UpdateTenant { tenant: tenant.clone(), expected_version };
    changes.record(env, write, tenant.id, fields, &data)?;
    Ok(tenant)
}

fn patched(before: &Tenant, patch: TenantPatch) -> Result<Tenant, Vec<FieldError>> {
    let mut after = before.clone();
    let mut refused = Vec::new();
    match patch.name {
        Patch::Keep => {}
        Patch::Clear => refused.push(cannot_be_cleared("name")),
        Patch::Set(name) => match checked_name("name", "a tenant", &name) {
            Ok(name) => after.name = name,
            Err(error) => refused.push(error),
        },
    }
    match patch.default_region {
        Patch::Keep => {}
        Patch::Clear => refused.push(cannot_be_cleared("default_region")),
        Patch::Set(region) => after.default_region = region,
    }
    match patch.join_domains {
        Patch::Keep => {}
        Patch::Clear => after.join_domains.clear(),
        Patch::Set(domains) => after.join_domains = checked_domains(domains, &mut refused),
    }
    match patch.join_role {
        Patch::Keep => {}
        Patch::Clear => after.join_role = Role::Viewer,
        Patch::Set(Role::Owner) => refused.push(FieldError::new(
            "join_role",
            "invalid_role",
            "nobody joins as an owner; choose admin, agent or viewer",
        )),
        Patch::Set(role @ (Role::Admin | Role::Agent | Role::Viewer)) => after.join_role = role,
    }
    match patch.dispositions {
        Patch::Keep => {}
        Patch::Clear => after.dispositions = dispositions(),
        Patch::Set(words) => after.dispositions = checked_dispositions(words, &mut refused),
    }
    match patch.recording_days {
        Patch::Keep => {}
        Patch::Clear => after.recording_days = None,
        Patch::Set(days) if (1..=MAX_RECORDING_DAYS).contains(&days) => {
            after.recording_days = Some(days);
        }
        Patch::Set(_) => refused.push(FieldError::new(
            "recording_days",
            "out_of_range",
            format!("recordings are kept 1 to {MAX_RECORDING_DAYS} days; `null` is for ever"),
        )),
    }
    if refused.is_empty() { Ok(after) } else { Err(refused) }
}

/// Each once, in the order given.
fn checked_dispositions(words: Vec<String>, refused: &mut Vec<FieldError>) -> Vec<String> {
    if words.len() > MAX_DISPOSITIONS {
        let message = format!("a tenant has at most {MAX_DISPOSITIONS} dispositions");
        refused.push(FieldError::new("dispositions", "too_many", message));
        return Vec::new();
    }
    let mut checked: Vec<String> = Vec::new();
    for (place, word) in words.iter().enumerate() {
        let word = word.trim();
        let long = word.chars().nth(MAX_DISPOSITION).is_some();
        if word.is_empty() || long || word.chars().any(char::is_control) {
            let message = format!("a disposition is one line of 1 to {MAX_DISPOSITION} characters");
            let field = format!("dispositions[{place}]");
            refused.push(FieldError::new(field, "invalid_disposition", message));
        } else if !checked.iter().any(|known| known == word) {
            checked.push(word.to_owned());
        }
    }
    checked
}

/// Host names in lower case (RFC 1123, 2.1), each once.
fn checked_domains(domains: Vec<String>, refused: &mut Vec<FieldError>) -> Vec<String> {
    if domains.len() > MAX_DOMAINS {
        let message = format!("a tenant lets at most {MAX_DOMAINS} domains join");
        refused.push(FieldError::new("join_domains", "too_many", message));
        return Vec::new();
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let mut checked: Vec<String> = Vec::new();
    for (place, domain) in domains.iter().enumerate() {
        let domain = domain.trim().to_lowercase();
        if domain.len() > 253 || !domain.contains('.') || !domain.split('.').all(label) {
            let message = format!(
                "`{}` is no domain; one looks like `acme.example`, in letters of ASCII",
                shorten(&domain)
            );
            let field = format!("join_domains[{place}]");
            refused.push(FieldError::new(field, "invalid_domain", message));
        } else if !checked.contains(&domain) {
            checked.push(domain);
        }
    }
    checked
}
