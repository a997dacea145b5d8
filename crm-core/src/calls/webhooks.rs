//! What carriers tell, as it comes in.

use std::sync::Arc;
use std::time::Duration;

use super::commands::{CallNews, start_call, update_call};
use super::handlers::{FETCH_RECORDING, NamedRecording};
use super::model::{Call, MAX_RECORDINGS, Placement, Recording};
use super::service::consent_to_record;
use crate::activities::Direction;
use crate::changes::Changes;
use crate::contacts::ContactKey;
use crate::crm::{Core, Crm};
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CallId, TenantId};
use crate::idempotency::Outcome;
use crate::identity::Digest;
use crate::jobs::NewJob;
use crate::phone::PhoneNumber;
use crate::scope::{RequestId, SystemScope, TenantScope};
use crate::session::Session;
use crate::telephony::{
    CarrierCall, CarrierRecording, ScriptStep, Telephony, TelephonyAccount, Webhook, WebhookNews,
    WebhookReply, WebhookRequest,
};
use crate::tenancy::Tenant;

/// Tenants that may keep one account of a carrier's.
const MOST_TENANTS: usize = 100;
/// How long a request that was taken is known by its token.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A tenant whose account a verified request is for.
struct Party {
    tenant: TenantId,
    account: TelephonyAccount,
}

impl Crm {
    /// Takes what a carrier tells: verified, merged into the call and committed, once, whatever the order in
    /// which it comes and however often. The reply is for the carrier.
    ///
    /// # Errors
    ///
    /// `not_found` for a provider that is none here; `forbidden` when the request is not the carrier's;
    /// `malformed`; `unavailable` or `internal` from the store, after which it is to be told again.
    pub async fn webhook(&self, provider: &str, request: WebhookRequest) -> Result<WebhookReply> {
        let taken = async {
            let core = self.core();
            let telephony = core
                .telephony
                .get(provider)
                .ok_or_else(|| Error::not_found("telephony provider"))?;
            let request_id = self.new_request_id()?;
            let system = SystemScope::new("take what a carrier tells", request_id.clone());
            let parties = verified(core, &system, &**telephony, &request).await?;
            let webhook = telephony.parse(&request)?;
            let told =
                Told { crm: self, telephony, system, request_id, parties, request: &request };
            told.take(webhook).await
        };
        taken.await.map_err(|error: Error| error.in_operation("calls.webhook"))
    }
}

/// The tenants whose account has signed the request.
async fn verified(
    core: &Core,
    system: &SystemScope,
    telephony: &dyn Telephony,
    request: &WebhookRequest,
) -> Result<Vec<Party>> {
    let forged = || Error::new(ErrorKind::Forbidden, "the request is not signed by the carrier");
    let name = telephony.account_of(request).ok_or_else(forged)?;
    let provider = telephony.provider();
    let accounts = core.store.accounts_of_carrier(system, provider, &name, MOST_TENANTS).await?;
    let mut parties = Vec::new();
    for (tenant, account) in accounts {
        match core.open_account(tenant, &account) {
            Ok(carrier) if telephony.verify(&carrier, request).is_ok() => {
                parties.push(Party { tenant, account });
            }
            Ok(_) => {}
            // One tenant's lost key is no other's loss.
            Err(error) => {
                tracing::error!(%tenant, account = %account.id, ?error, "secrets cannot be opened");
            }
        }
    }
    if parties.is_empty() { Err(forged()) } else { Ok(parties) }
}

/// A verified request.
struct Told<'a> {
    crm: &'a Crm,
    telephony: &'a Arc<dyn Telephony>,
    system: SystemScope,
    request_id: RequestId,
    parties: Vec<Party>,
    request: &'a WebhookRequest,
}

impl Told<'_> {
    async fn take(&self, webhook: Webhook) -> Result<WebhookReply> {
        let token = webhook.token.as_deref();
        match webhook.news {
            WebhookNews::Other => Ok(WebhookReply::RECEIVED),
            WebhookNews::Incoming { call, from, to } => self.incoming(&call, from, to).await,
            WebhookNews::Call(call) => {
                self.merge(&call.id, token, |before, _, _| Ok(joined(before, &call))).await
            }
            WebhookNews::Recording { call, recording } => {
                self.merge(&call, token, |before, env, changes| {
                    with_recording(before, &recording, env, changes)
                })
                .await
            }
        }
    }

    /// Merges news into the call that they are about, if it is known here.
    async fn merge(
        &self,
        carrier_id: &str,
        token: Option<&str>,
        merge: impl Fn(&Call, &Env, &mut Changes) -> Result<Option<Call>> + Sync,
    ) -> Result<WebhookReply> {
        let Some((session, id)) = self.call_meant(carrier_id).await? else {
            tracing::info!(carrier_id, "a carrier tells of a call that is not known here");
            return Ok(WebhookReply::RECEIVED);
        };
        let merge = &merge;
        let attempt = || async {
            let before = session.store().call(session.scope(), id).await?;
            let before = before.ok_or_else(|| Error::not_found("call"))?;
            let mut changes = session.new_changes();
            let Some(mut after) = merge(&before, session.env(), &mut changes)? else {
                return Ok(());
            };
            adopt(&mut after, carrier_id);
            if after == before {
                return Ok(());
            }
            update_call(session.env(), &mut changes, &before, after, CallNews::Changed)?;
            self.remember(&session, &mut changes, token)?;
            session.commit(changes).await
        };
        match session.retry_contended(false, attempt).await {
            Err(error) if is_known(&error) => Ok(WebhookReply::RECEIVED),
            merged => merged.map(|()| WebhookReply::RECEIVED),
        }
    }

    /// The call that the callback's address names, or that the provider has under this name.
    async fn call_meant(&self, carrier_id: &str) -> Result<Option<(Session, CallId)>> {
        let named = |name: &str| self.request.query(name);
        let tenant = named("tenant").and_then(|id| id.parse::<TenantId>().ok());
        let call = named("call").and_then(|id| id.parse::<CallId>().ok());
        for party in &self.parties {
            if tenant.is_some_and(|tenant| tenant != party.tenant) {
                continue;
            }
            let session = self.session(party.tenant).await?;
            let found = match call {
                Some(id) => session.store().call(session.scope(), id).await?,
                None => {
                    let account = party.account.id;
                    session.store().call_of_provider(session.scope(), account, carrier_id).await?
                }
            };
            let is_it = |call: &Call| {
                call.account_id == Some(party.account.id)
                    && call.provider_call_id.as_deref().is_none_or(|known| known == carrier_id)
            };
            if let Some(call) = found.filter(is_it) {
                return Ok(Some((session, call.id)));
            }
        }
        Ok(None)
    }

    /// A call that comes in: kept, and answered by the account's script.
    async fn incoming(
        &self,
        carrier: &CarrierCall,
        from: Option<PhoneNumber>,
        to: PhoneNumber,
    ) -> Result<WebhookReply> {
        let only = match self.parties.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        let holder = self.parties.iter().find(|party| party.account.numbers.contains(&to));
        let Some(party) = holder.or(only).filter(|party| party.account.active) else {
            return Ok(self.telephony.write_script(&[ScriptStep::Reject]));
        };
        let session = self.session(party.tenant).await?;
        let attempt = || async {
            let (store, scope) = (session.store(), session.scope());
            let known = store.call_of_provider(scope, party.account.id, &carrier.id).await?;
            match known {
                Some(call) => Ok(call),
                None => self.put_incoming(&session, party, carrier, from.clone(), &to).await,
            }
        };
        let call = match attempt().await {
            // The carrier asks twice at once.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => attempt().await?,
            call => call?,
        };
        let callback = callback(&self.crm.core().public_url, party.tenant, &call);
        let script = script(&party.account, &call, callback);
        Ok(self.telephony.write_script(&script))
    }

    async fn put_incoming(
        &self,
        session: &Session,
        party: &Party,
        carrier: &CarrierCall,
        from: Option<PhoneNumber>,
        to: &PhoneNumber,
    ) -> Result<Call> {
        let (core, scope) = (self.crm.core(), session.scope());
        let keys: Vec<ContactKey> = from.iter().map(ContactKey::phone).collect();
        let found = session.store().contacts_by_keys(scope, &keys).await?;
        let contact_id = found.first().map(|(_, id)| *id);
        let mut changes = session.new_changes();
        let consent = match contact_id {
            Some(contact) => Some(consent_to_record(core, scope, contact, changes.at()).await?),
            None => None,
        };
        let call = Call {
            id: core.env.new_id()?,
            contact_id,
            user_id: None,
            direction: Direction::Inbound,
            from,
            to: Some(to.clone()),
            disposition: None,
            note: None,
            provider: Some(party.account.provider.clone()),
            account_id: Some(party.account.id),
            provider_call_id: Some(carrier.id.clone()),
            placement: Placement::Placed,
            hang_up_at: None,
            progress: carrier.progress.clone(),
            record: consent.is_some_and(|consent| consent.granted == Some(true)),
            consent,
            recordings: Vec::new(),
            activity_id: core.env.new_id()?,
            started_at: changes.at(),
            created_at: changes.at(),
            updated_at: changes.at(),
            version: 1,
        };
        start_call(&core.env, &mut changes, &call)?;
        super::handlers::reconcile_later(&core.env, &mut changes, &call)?;
        session.commit(changes).await?;
        Ok(call)
    }

    async fn session(&self, tenant: TenantId) -> Result<Session> {
        let core = self.crm.core();
        let tenant = core.store.tenant(&self.system, tenant).await?;
        let Tenant { id, default_region, .. } = tenant.ok_or_else(|| Error::not_found("tenant"))?;
        let scope = TenantScope::of_system(id, default_region, self.request_id.clone());
        Ok(Session::new(Arc::clone(core), scope))
    }

    /// Remembers that the request was taken, by the carrier's name of it.
    fn remember(
        &self,
        session: &Session,
        changes: &mut Changes,
        token: Option<&str>,
    ) -> Result<()> {
        let Some(token) = token else { return Ok(()) };
        let named = format!("webhook\n{}\n{token}", self.telephony.provider());
        let key = Digest::of(named.as_bytes()).to_hex();
        let sealed = session.core().key_ring.seal(b"", key.as_bytes())?;
        let request = Digest::of(&self.request.body);
        changes.remember(Outcome { key, request, sealed, until: changes.at().after(KNOWN_FOR) });
        Ok(())
    }
}

fn is_known(error: &Error) -> bool {
    error.kind() == ErrorKind::AlreadyExists
        && error.fields().first().is_some_and(|field| field.field == "idempotency_key")
}

/// The call with what the carrier says; `None` where that is nothing new.
pub(crate) fn joined(before: &Call, carrier: &CarrierCall) -> Option<Call> {
    let mut after = before.clone();
    after.progress = after.progress.join(carrier.progress.clone());
    adopt(&mut after, &carrier.id);
    (after != *before).then_some(after)
}

/// The carrier has the call, under this name.
fn adopt(call: &mut Call, carrier_id: &str) {
    if call.provider_call_id.is_none() {
        call.provider_call_id = Some(carrier_id.to_owned());
    }
    call.placement = Placement::Placed;
}

/// The call with what the carrier says of its recording, which is fetched once it can be.
pub(crate) fn with_recording(
    before: &Call,
    told: &CarrierRecording,
    env: &Env,
    changes: &mut Changes,
) -> Result<Option<Call>> {
    let mut after = before.clone();
    let full = after.recordings.len() >= MAX_RECORDINGS;
    let known = after.recordings.iter_mut().find(|known| known.provider_recording_id == told.id);
    match known {
        Some(known) => known.learn(told.status, told.duration_seconds, told.channels),
        None if full => return Ok(None),
        None => after.recordings.push(Recording {
            provider_recording_id: told.id.clone(),
            status: told.status,
            duration_seconds: told.duration_seconds,
            channels: told.channels,
            kept: None,
            deleted_at: None,
        }),
    }
    if after == *before {
        return Ok(None);
    }
    let was = before.recordings.iter().find(|known| known.provider_recording_id == told.id);
    let can_be_fetched =
        |recording: &Recording| recording.status == super::model::RecordingStatus::Completed;
    let now = after.recordings.iter().find(|known| known.provider_recording_id == told.id);
    if now.is_some_and(can_be_fetched) && !was.is_some_and(can_be_fetched) {
        let named = NamedRecording { call_id: before.id, recording: told.id.clone() };
        let job =
            NewJob::new(FETCH_RECORDING, &named)?.unique(format!("{} {}", before.id, told.id));
        changes.enqueue(env, job)?;
    }
    Ok(Some(after))
}

/// Where the carrier tells of the call.
pub(crate) fn callback(
    public_url: &Option<String>,
    tenant: TenantId,
    call: &Call,
) -> Option<String> {
    let (url, provider) = (public_url.as_ref()?, call.provider.as_ref()?);
    Some(format!("{url}/webhooks/{provider}?tenant={tenant}&call={}", call.id))
}

/// What happens in a call of the account's.
pub(crate) fn script(
    account: &TelephonyAccount,
    call: &Call,
    callback: Option<String>,
) -> Vec<ScriptStep> {
    if let Some(to) = &account.connect_to {
        // An outgoing call is recorded from its beginning, by the request that makes it.
        let record = call.record && call.direction == Direction::Inbound;
        let caller_id = call.from.clone();
        let callback = callback.filter(|_| record);
        return vec![ScriptStep::Connect { to: to.clone(), caller_id, record, callback }];
    }
    match (&account.greeting, call.direction) {
        (Some(text), _) => vec![ScriptStep::Say { text: text.clone(), language: None }],
        (None, Direction::Inbound) => vec![ScriptStep::Reject],
        (None, Direction::Outbound) => vec![ScriptStep::Pause(Duration::from_secs(60))],
    }
}
