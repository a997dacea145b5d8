//! A tenant's accounts with carriers.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::port::{CarrierAccount, CarrierSecrets};
use crate::access::{ManageTelephony, ReadTelephony};
use crate::changes::{Changes, Write};
use crate::crm::Core;
use crate::email::shorten;
use crate::env::Env;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::events::payload::{Changed, TelephonyAccountCreated, TelephonyAccountUpdated};
use crate::id::{TelephonyAccountId, TenantId};
use crate::identity::service::cannot_be_cleared;
use crate::patch::Patch;
use crate::phone::{PhoneNumber, Region};
use crate::scope::{SystemScope, TenantScope};
use crate::session::Session;
use crate::time::Timestamp;

/// Accounts that a tenant can have.
pub(crate) const MAX_ACCOUNTS: usize = 20;
/// Numbers that an account can have.
const MAX_NUMBERS: usize = 200;
/// Characters that a greeting may have.
const MAX_GREETING: usize = 500;
/// Settings of the carrier's own.
const MAX_OPTIONS: usize = 10;

/// A tenant's account with a carrier. Its secrets are sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TelephonyAccount {
    /// Identifies the account within its tenant.
    pub id: TelephonyAccountId,
    /// Which carrier.
    pub provider: String,
    /// The carrier's name of the account, unique in the tenant.
    pub name: String,
    /// Its numbers: calls go out from one of them, and come in to one of them.
    pub numbers: Vec<PhoneNumber>,
    /// Who is connected with the other side, in and out.
    pub connect_to: Option<PhoneNumber>,
    /// What is said where nobody is connected.
    pub greeting: Option<String>,
    /// The carrier's own settings.
    pub options: BTreeMap<String, String>,
    /// Whether it is used.
    pub active: bool,
    /// The secrets, sealed by the key ring.
    pub sealed_secrets: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// An account as front doors show it: without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TelephonyAccount"))]
pub struct TelephonyAccountView {
    /// Identifies the account within its tenant.
    pub id: TelephonyAccountId,
    /// Which carrier.
    pub provider: String,
    /// The carrier's name of the account.
    pub name: String,
    /// Its numbers.
    pub numbers: Vec<PhoneNumber>,
    /// Who is connected with the other side, in and out.
    pub connect_to: Option<PhoneNumber>,
    /// What is said where nobody is connected.
    pub greeting: Option<String>,
    /// The carrier's own settings.
    pub options: BTreeMap<String, String>,
    /// Whether it is used.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

impl From<&TelephonyAccount> for TelephonyAccountView {
    fn from(account: &TelephonyAccount) -> Self {
        TelephonyAccountView {
            id: account.id,
            provider: account.provider.clone(),
            name: account.name.clone(),
            numbers: account.numbers.clone(),
            connect_to: account.connect_to.clone(),
            greeting: account.greeting.clone(),
            options: account.options.clone(),
            active: account.active,
            created_at: account.created_at,
            updated_at: account.updated_at,
            version: account.version,
        }
    }
}

/// An account to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTelephonyAccount {
    /// Which carrier: `twilio`, or `simulator`, which makes calls up.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 32)))]
    pub provider: String,
    /// The carrier's name of the account, e.g. `AC…`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))]
    pub name: String,
    /// What proves that it is ours.
    pub secrets: CarrierSecrets,
    /// Its numbers, in any notation, at most 200.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_NUMBERS), inner(length(max = 255))))]
    pub numbers: Vec<String>,
    /// Who is connected with the other side, in and out, in any notation.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 255)))]
    pub connect_to: Option<String>,
    /// What is said where nobody is connected, at most 500 characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_GREETING)))]
    pub greeting: Option<String>,
    /// The carrier's own settings, e.g. `edge` and `region`, at most 10.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = MAX_OPTIONS)))]
    pub options: BTreeMap<String, String>,
}

/// A change to an account: an RFC 7396 merge patch. Secrets and lists are replaced whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TelephonyAccountPatch {
    /// What proves that it is ours: two tokens while one takes the place of the other. Cannot be cleared.
    #[cfg_attr(feature = "schema", schemars(with = "CarrierSecrets"))]
    pub secrets: Patch<CarrierSecrets>,
    /// Its numbers, in any notation, at most 200.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_NUMBERS), inner(length(max = 255))))]
    pub numbers: Patch<Vec<String>>,
    /// Who is connected with the other side, in any notation.
    #[cfg_attr(feature = "schema", schemars(length(max = 255)))]
    pub connect_to: Patch<String>,
    /// What is said where nobody is connected, at most 500 characters.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_GREETING)))]
    pub greeting: Patch<String>,
    /// The carrier's own settings, at most 10.
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = MAX_OPTIONS)))]
    pub options: Patch<BTreeMap<String, String>>,
    /// Whether it is used. Cannot be cleared.
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub active: Patch<bool>,
}

/// Reads of accounts with carriers.
#[async_trait]
pub trait TelephonyStore: Send + Sync + 'static {
    /// The tenant's accounts by id.
    ///
    /// # Behavior
    ///
    /// - Accounts of other tenants are not found. (`telephony_accounts_are_per_tenant`)
    /// - A carrier's account is kept once in a tenant: a second one is refused with `already_exists` on
    ///   the field `name`. (`a_telephony_account_is_kept_once`)
    async fn telephony_accounts(&self, scope: &TenantScope) -> Result<Vec<TelephonyAccount>>;

    /// The accounts of all tenants under the carrier's name, by tenant, at most `limit`: whose request a
    /// carrier's may be, before the tenant is known.
    ///
    /// # Behavior
    ///
    /// - Each tenant that keeps the account is found. (`a_carriers_account_is_found_in_every_tenant`)
    async fn accounts_of_carrier(
        &self,
        scope: &SystemScope,
        provider: &str,
        name: &str,
        limit: usize,
    ) -> Result<Vec<(TenantId, TelephonyAccount)>>;
}

/// The telephony accounts of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct TelephonyAccounts<'s> {
    pub(crate) session: &'s Session,
}

impl TelephonyAccounts<'_> {
    /// Keeps an account. Nothing is asked of the carrier. Its outcome is remembered for a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`; `step_up_required`; `invalid` with each refused value; `already_exists` when the tenant
    /// keeps it already; `conflict` with the twentieth and first; `unavailable` or `internal` from the store.
    pub async fn create(&self, new: NewTelephonyAccount) -> Result<TelephonyAccount> {
        self.session
            .run("telephony.create_account", async {
                let permit = self.session.authorize::<ManageTelephony>()?;
                let core = self.session.core();
                let known = self.session.store().telephony_accounts(permit.scope()).await?;
                if known.len() >= MAX_ACCOUNTS {
                    let message = format!("a tenant has at most {MAX_ACCOUNTS} accounts");
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
                let mut refused = Vec::new();
                let region = permit.scope().region();
                let numbers = checked_numbers(new.numbers, region, &mut refused);
                let connect_to = checked_connect(new.connect_to, region, &mut refused);
                let greeting = checked_greeting(new.greeting, &mut refused);
                let carrier = carrier_account(new.name, new.secrets, new.options);
                check_with_carrier(core, &new.provider, &carrier, &mut refused)?;
                if !refused.is_empty() {
                    return Err(Error::invalid(refused));
                }
                let mut changes = self.session.new_changes();
                let id = core.env.new_id()?;
                let account = TelephonyAccount {
                    id,
                    provider: new.provider,
                    name: carrier.name,
                    numbers,
                    connect_to,
                    greeting,
                    options: carrier.options,
                    active: true,
                    sealed_secrets: core.seal_secrets(changes.tenant(), id, &carrier.secrets)?,
                    created_at: changes.at(),
                    updated_at: changes.at(),
                    version: 1,
                };
                put_account(&core.env, &mut changes, None, &account)?;
                self.session.commit_made(changes, &TelephonyAccountView::from(&account)).await?;
                Ok(account)
            })
            .await
    }

    /// The tenant's accounts.
    ///
    /// # Errors
    ///
    /// `forbidden`; `unavailable` or `internal` from the store.
    pub async fn list(&self) -> Result<Vec<TelephonyAccount>> {
        self.session
            .run("telephony.accounts", async {
                let permit = self.session.authorize::<ReadTelephony>()?;
                self.session.store().telephony_accounts(permit.scope()).await
            })
            .await
    }

    /// Changes an account.
    ///
    /// # Errors
    ///
    /// `forbidden`; `step_up_required`; `not_found`; `invalid` with each refused value; `version_conflict` when
    /// `version` is given and is not the record's; `unavailable` or `internal` from the store.
    pub async fn update(
        &self,
        id: TelephonyAccountId,
        patch: TelephonyAccountPatch,
        version: Option<i64>,
    ) -> Result<TelephonyAccount> {
        let attempt = || async {
            let look = self.session.core().telephony_account(self.session.scope(), id);
            let (permit, before) =
                self.session.authorize_on::<ManageTelephony, _>("telephony account", look).await?;
            if let Some(expected) = version.filter(|version| *version != before.version) {
                return Err(Error::version_conflict("telephony account", expected, before.version));
            }
            let core = self.session.core();
            let after = patched(core, permit.scope(), &before, patch.clone())?;
            if after == before {
                return Ok(before);
            }
            let mut changes = self.session.new_changes();
            let after =
                TelephonyAccount { version: before.version + 1, updated_at: changes.at(), ..after };
            put_account(&core.env, &mut changes, Some(&before), &after)?;
            self.session.commit(changes).await?;
            Ok(after)
        };
        let attempts = self.session.retry_contended(version.is_some(), attempt);
        self.session.run("telephony.update_account", attempts).await
    }
}

fn patched(
    core: &Core,
    scope: &TenantScope,
    before: &TelephonyAccount,
    patch: TelephonyAccountPatch,
) -> Result<TelephonyAccount> {
    let mut after = before.clone();
    let mut refused = Vec::new();
    let region = scope.region();
    match patch.numbers {
        Patch::Keep => {}
        Patch::Clear => after.numbers.clear(),
        Patch::Set(numbers) => after.numbers = checked_numbers(numbers, region, &mut refused),
    }
    match patch.connect_to {
        Patch::Keep => {}
        Patch::Clear => after.connect_to = None,
        Patch::Set(number) => {
            after.connect_to = checked_connect(Some(number), region, &mut refused);
        }
    }
    match patch.greeting {
        Patch::Keep => {}
        Patch::Clear => after.greeting = None,
        Patch::Set(text) => after.greeting = checked_greeting(Some(text), &mut refused),
    }
    match patch.active {
        Patch::Keep => {}
        Patch::Clear => refused.push(cannot_be_cleared("active")),
        Patch::Set(active) => after.active = active,
    }
    match patch.options {
        Patch::Keep => {}
        Patch::Clear => after.options.clear(),
        Patch::Set(options) => after.options = options,
    }
    let known = core.open_account(scope.tenant(), before)?;
    let secrets = match patch.secrets {
        Patch::Keep => known.secrets.clone(),
        Patch::Clear => {
            refused.push(cannot_be_cleared("secrets"));
            known.secrets.clone()
        }
        Patch::Set(secrets) => secrets,
    };
    let changed = secrets != known.secrets;
    let carrier = carrier_account(after.name.clone(), secrets, after.options.clone());
    check_with_carrier(core, &after.provider, &carrier, &mut refused)?;
    if !refused.is_empty() {
        return Err(Error::invalid(refused));
    }
    if changed {
        after.sealed_secrets = core.seal_secrets(scope.tenant(), after.id, &carrier.secrets)?;
    }
    Ok(after)
}

fn carrier_account(
    name: String,
    secrets: CarrierSecrets,
    options: BTreeMap<String, String>,
) -> CarrierAccount {
    CarrierAccount { name, secrets, options }
}

fn check_with_carrier(
    core: &Core,
    provider: &str,
    account: &CarrierAccount,
    refused: &mut Vec<FieldError>,
) -> Result<()> {
    if account.options.len() > MAX_OPTIONS {
        let message = format!("an account has at most {MAX_OPTIONS} settings of its carrier");
        refused.push(FieldError::new("options", "too_many", message));
    }
    match core.telephony.get(provider) {
        Some(telephony) => {
            if let Err(error) = telephony.check(account) {
                // A carrier that could not look has not agreed.
                if error.fields().is_empty() {
                    return Err(error);
                }
                refused.extend(error.fields().iter().cloned());
            }
        }
        None => {
            let known: Vec<&str> = core.telephony.keys().map(String::as_str).collect();
            let message = format!(
                "there is no carrier `{}` here; choose one of {}",
                shorten(provider),
                known.join(", ")
            );
            refused.push(FieldError::new("provider", "unknown_provider", message));
        }
    }
    Ok(())
}

fn checked_numbers(
    numbers: Vec<String>,
    region: Region,
    refused: &mut Vec<FieldError>,
) -> Vec<PhoneNumber> {
    if numbers.len() > MAX_NUMBERS {
        let message = format!("an account has at most {MAX_NUMBERS} numbers");
        refused.push(FieldError::new("numbers", "too_many", message));
        return Vec::new();
    }
    let mut checked = Vec::new();
    for (place, text) in numbers.iter().enumerate() {
        match PhoneNumber::parse(text, region) {
            Some(number) if checked.contains(&number) => {}
            Some(number) => checked.push(number),
            None => refused.push(not_a_number(format!("numbers[{place}]"), text)),
        }
    }
    checked
}

fn checked_connect(
    text: Option<String>,
    region: Region,
    refused: &mut Vec<FieldError>,
) -> Option<PhoneNumber> {
    let text = text.filter(|text| !text.trim().is_empty())?;
    let number = PhoneNumber::parse(&text, region);
    if number.is_none() {
        refused.push(not_a_number("connect_to", &text));
    }
    number
}

/// `text` in `field` is no phone number.
pub(crate) fn not_a_number(field: impl Into<String>, text: &str) -> FieldError {
    let message = format!("`{}` is no phone number; write it as `+14255550123`", shorten(text));
    FieldError::new(field, "invalid_phone", message)
}

fn checked_greeting(text: Option<String>, refused: &mut Vec<FieldError>) -> Option<String> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
    if text.chars().nth(MAX_GREETING).is_some() || text.chars().any(char::is_control) {
        let message = format!("a greeting is one line of at most {MAX_GREETING} characters");
        refused.push(FieldError::new("greeting", "invalid_greeting", message));
    }
    Some(text)
}

fn put_account(
    env: &Env,
    changes: &mut Changes,
    before: Option<&TelephonyAccount>,
    after: &TelephonyAccount,
) -> Result<()> {
    let write = Write::PutTelephonyAccount {
        account: Box::new(after.clone()),
        expected_version: before.map_or(0, |before| before.version),
    };
    let Some(before) = before else {
        let data = TelephonyAccountCreated { account: &TelephonyAccountView::from(after) };
        changes.record(env, write, after.id, Vec::new(), &data)?;
        return Ok(());
    };
    let mut fields = Vec::new();
    let mut new_values = Changed::none();
    macro_rules! compare {
        ($($field:ident)*) => {$(
            if before.$field != after.$field {
                fields.push(stringify!($field).to_owned());
                new_values.set(stringify!($field), &after.$field)?;
            }
        )*};
    }
    compare!(numbers connect_to greeting options active);
    if before.sealed_secrets != after.sealed_secrets {
        fields.push("secrets".to_owned());
    }
    let (version, updated_at) = (after.version, after.updated_at);
    let data = TelephonyAccountUpdated { version, updated_at, changes: new_values };
    changes.record(env, write, after.id, fields, &data)?;
    Ok(())
}

impl Core {
    /// The account, with its secrets opened.
    pub(crate) fn open_account(
        &self,
        tenant: TenantId,
        account: &TelephonyAccount,
    ) -> Result<CarrierAccount> {
        let context = context(tenant, account.id);
        let secrets = self.key_ring.open(&account.sealed_secrets, context.as_bytes())?;
        let secrets = serde_json::from_slice(&secrets).map_err(Error::internal)?;
        Ok(carrier_account(account.name.clone(), secrets, account.options.clone()))
    }

    fn seal_secrets(
        &self,
        tenant: TenantId,
        id: TelephonyAccountId,
        secrets: &CarrierSecrets,
    ) -> Result<String> {
        let secrets = serde_json::to_vec(secrets).map_err(Error::internal)?;
        self.key_ring.seal(&secrets, context(tenant, id).as_bytes())
    }

    pub(crate) async fn telephony_account(
        &self,
        scope: &TenantScope,
        id: TelephonyAccountId,
    ) -> Result<Option<TelephonyAccount>> {
        let accounts = self.store.telephony_accounts(scope).await?;
        Ok(accounts.into_iter().find(|account| account.id == id))
    }
}

fn context(tenant: TenantId, id: TelephonyAccountId) -> String {
    format!("telephony {tenant} {id}")
}
