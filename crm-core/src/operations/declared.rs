//! The operations, by namespace.

use super::{Argument, ArgumentShape, Fields, Given, Operation, Reply, Run, operations};
use crate::activities::{Activity, CountActivities, ListActivities, NewActivity, Stats};
use crate::audit::{AuditEntry, ListAudit};
use crate::calls::{CallPatch, CallView, ListCalls, LogCall, StartCall};
use crate::companies::{Company, CompanyPatch, NewCompany};
use crate::contacts::{
    Contact, ContactPage, ContactPatch, ListContacts, NewContact, SearchContacts, SearchHit,
    Upserted,
};
use crate::crm::Crm;
use crate::error::Result;
use crate::id::{
    ActivityId, ApiKeyId, CallId, CompanyId, ContactId, JobId, NotificationId, SignInId,
    TelephonyAccountId, TenantId, UserId,
};
use crate::identity::{
    AcceptInvitation, ApiKeyInfo, Arrival, ChangePassword, CreatedApiKey, CreatedUser, Me,
    NewApiKey, NewTotp, NewUser, PasswordSignIn, RecoveryCodes, Registered, Registration,
    RemoveTotp, Secret, SignInInfo, SignedIn, StepUp, Tokens, User, UserPatch,
};
use crate::jobs::{Job, ListJobs};
use crate::notifications::{
    ListNotifications, Marked, NewBroadcast, Notification, NotificationPreferences,
    SetNotificationPreferences, Told,
};
use crate::page::{Page, PageOf, Paging};
use crate::presence::Present;
use crate::privacy::{Consent, NewConsent};
use crate::session::Session;
use crate::telephony::{NewTelephonyAccount, TelephonyAccountPatch, TelephonyAccountView};
use crate::tenancy::{CreatedTenant, ListTenants, NewTenant, Slug, Tenant, TenantPatch};

pub(super) const TABLES: &[&[Operation]] = &[
    CONTACTS,
    COMPANIES,
    ACTIVITIES,
    CALLS,
    NOTIFICATIONS,
    PEOPLE,
    ADMINISTRATION,
    OPERATOR,
    IDENTITY,
];

operations! { CONTACTS: Session as session;
    /// Make a contact. `invalid` with one entry for each refused value; `already_exists` where a live contact
    /// has one of its e-mails.
    contacts.create = "create_contact": (; new: NewContact) -> Contact {
        session.contacts().create(new).await
    }
    /// Make a contact, or change the live one that has its e-mail.
    contacts.create_or_update: (; new: NewContact) -> Upserted {
        session.contacts().create_or_update(new).await
    }
    /// Make up to 1,000 contacts in one commit: all of them or none.
    contacts.create_all: (contacts: Vec<NewContact>) -> Vec<Contact> {
        session.contacts().create_all(contacts).await
    }
    /// A contact, in use or deleted. `not_found` where the tenant has none of this id.
    contacts.get = "get_contact": (id: ContactId) -> Contact {
        session.contacts().get(id).await
    }
    /// Change a contact: what is not given stays, null clears. `not_found`; `conflict` where it is deleted;
    /// `already_exists` where another has one of its e-mails; `version_conflict` where it is at another
    /// `version`; `invalid`.
    contacts.update = "update_contact":
        (id: ContactId, version: Option<i64>; patch: ContactPatch) -> Contact {
        session.contacts().update(id, patch, version).await
    }
    /// Take a contact out of use. Its e-mails are free at once, and it can be restored. `not_found`;
    /// `conflict` where it is deleted; `version_conflict`.
    contacts.delete = "delete_contact": (id: ContactId, version: Option<i64>) -> Contact {
        session.contacts().delete(id, version).await
    }
    /// Bring a deleted contact back. `not_found`; `conflict` where it is not deleted; `already_exists` where
    /// one of its e-mails has been taken.
    contacts.restore = "restore_contact": (id: ContactId) -> Contact {
        session.contacts().restore(id).await
    }
    /// A page of contacts; all filters must hold. `malformed` for a filter that cannot be read;
    /// `unknown_parameter` for an order that there is not; `invalid_cursor` for a cursor of another list.
    contacts.list = "list_contacts": (| asked: ListContacts) -> ContactPage {
        session.contacts().list_asked(&asked).await
    }
    /// Search contacts over names, e-mails, phones and companies; typing mistakes are forgiven.
    contacts.search = "search_contacts": (| asked: SearchContacts) -> PageOf<SearchHit> {
        session.contacts().search_asked(&asked).await
    }
    /// A page of a contact's timeline, the newest first. `not_found`.
    contacts.timeline = "list_contact_activities":
        (id: ContactId | paging: Paging) -> PageOf<Activity> {
        session.activities().timeline(id, &paging.page()).await
    }
    /// What a contact agreed to and refused, the newest first. `not_found`.
    contacts.consents = "list_consents": (id: ContactId) -> Vec<Consent> {
        session.privacy().consents(id).await
    }
    /// Write down what a contact agreed to or refused. `not_found`; `invalid`.
    contacts.record_consent = "record_consent": (id: ContactId; new: NewConsent) -> Consent {
        session.privacy().record_consent(id, new).await
    }
}

operations! { COMPANIES: Session as session;
    /// Make a company. `already_exists` where its name or domain is taken; `invalid`.
    companies.create = "create_company": (; new: NewCompany) -> Company {
        session.companies().create(new).await
    }
    /// A company. `not_found`.
    companies.get = "get_company": (id: CompanyId) -> Company {
        session.companies().get(id).await
    }
    /// Change a company: what is not given stays, null clears. `not_found`; `already_exists`;
    /// `version_conflict`; `invalid`.
    companies.update = "update_company":
        (id: CompanyId, version: Option<i64>; patch: CompanyPatch) -> Company {
        session.companies().update(id, patch, version).await
    }
    /// A page of companies, by name.
    companies.list = "list_companies": (| paging: Paging) -> PageOf<Company> {
        session.companies().list(&paging.page()).await
    }
}

operations! { ACTIVITIES: Session as session;
    /// Log what happened with a contact. `not_found` where there is no such contact in use; `invalid` for a
    /// kind that only the CRM writes, or data of another shape than its kind's.
    activities.create = "log_activity": (; new: NewActivity) -> Activity {
        session.activities().create(new).await
    }
    /// Log up to 1,000 activities in one commit: all of them or none.
    activities.create_all: (activities: Vec<NewActivity>) -> Vec<Activity> {
        session.activities().create_all(activities).await
    }
    /// An activity. `not_found`.
    activities.get = "get_activity": (id: ActivityId) -> Activity {
        session.activities().get(id).await
    }
    /// A page of activities, the newest first; all filters must hold.
    activities.list = "list_activities": (| asked: ListActivities) -> PageOf<Activity> {
        let (filter, page) = asked.parts();
        session.activities().list(&filter, &page).await
    }
    /// How many activities there are, by kind, user or day.
    activities.stats = "count_activities": (| asked: CountActivities) -> Stats {
        let (filter, group_by) = asked.parts();
        session.activities().stats(&filter, group_by).await
    }
}

operations! { CALLS: Session as session;
    /// Call a contact. The carrier is asked after the reply; the call's status and events tell what becomes of
    /// it. `not_found`; `conflict` where the contact refused to be called or recorded, or the tenant has no
    /// number; `invalid`.
    calls.start = "start_call": (; new: StartCall) -> CallView {
        session.calls().start(new).await.map(|call| CallView::from(&call))
    }
    /// Write down a call that took place elsewhere.
    calls.log = "log_call": (; new: LogCall) -> CallView {
        session.calls().log(new).await.map(|call| CallView::from(&call))
    }
    /// A call. `not_found`.
    calls.get = "get_call": (id: CallId) -> CallView {
        session.calls().get(id).await.map(|call| CallView::from(&call))
    }
    /// A page of calls, the newest first; all filters must hold.
    calls.list = "list_calls": (| asked: ListCalls) -> PageOf<CallView> {
        let (filter, page) = asked.parts();
        let PageOf { items, next_cursor } = session.calls().list(&filter, &page).await?;
        Ok(PageOf { items: items.iter().map(CallView::from).collect(), next_cursor })
    }
    /// Change what came of a call, or its note. `not_found`; `version_conflict`; `invalid`.
    calls.update = "update_call": (id: CallId, version: Option<i64>; patch: CallPatch) -> CallView {
        session.calls().update(id, patch, version).await.map(|call| CallView::from(&call))
    }
    /// End a call. `not_found`; `conflict` where it is over.
    calls.hang_up = "hang_up_call": (id: CallId) -> CallView {
        session.calls().hang_up(id).await.map(|call| CallView::from(&call))
    }
    /// Delete a call's recordings here and at the carrier. `not_found`.
    calls.delete_recording = "delete_recording": (id: CallId) -> CallView {
        session.calls().delete_recording(id).await.map(|call| CallView::from(&call))
    }
    /// Make an account with a carrier. `invalid`.
    telephony.create_account = "create_telephony_account":
        (; new: NewTelephonyAccount) -> TelephonyAccountView {
        let account = session.telephony().create(new).await?;
        Ok(TelephonyAccountView::from(&account))
    }
    /// The accounts with carriers, in the order in which they were made.
    telephony.accounts = "list_telephony_accounts": () -> Vec<TelephonyAccountView> {
        let accounts = session.telephony().list().await?;
        Ok(accounts.iter().map(TelephonyAccountView::from).collect())
    }
    /// Change an account with a carrier. `not_found`; `version_conflict`; `invalid`.
    telephony.update_account = "update_telephony_account":
        (id: TelephonyAccountId, version: Option<i64>; patch: TelephonyAccountPatch)
        -> TelephonyAccountView {
        let account = session.telephony().update(id, patch, version).await?;
        Ok(TelephonyAccountView::from(&account))
    }
}

operations! { NOTIFICATIONS: Session as session;
    /// A page of one's notifications, the newest first.
    notifications.list = "list_notifications": (| asked: ListNotifications) -> PageOf<Notification> {
        let page = Page::asked(asked.limit, asked.cursor.as_ref());
        session.notifications().list(asked.unread, &page).await
    }
    /// Mark one as read. `not_found`.
    notifications.read = "read_notification": (id: NotificationId) -> Notification {
        session.notifications().mark_read(id).await
    }
    /// Mark all as read.
    notifications.read_all = "read_all_notifications": () -> Marked {
        session.notifications().read_all().await
    }
    /// What one wants to be told, and how.
    notifications.preferences = "get_notification_preferences": () -> NotificationPreferences {
        session.notifications().preferences().await
    }
    /// New preferences in place of those before. `version_conflict`; `invalid`.
    notifications.set_preferences = "set_notification_preferences":
        (version: Option<i64>; new: SetNotificationPreferences) -> NotificationPreferences {
        session.notifications().set_preferences(new, version).await
    }
    /// Tell everybody of the tenant, or of a role, something. `forbidden`; `invalid`.
    notifications.broadcast = "broadcast": (; new: NewBroadcast) -> Told {
        session.notifications().broadcast(new).await
    }
    /// Who is connected.
    notifications.present = "list_present_users": () -> Vec<Present> {
        session.present().await
    }
}

operations! { PEOPLE: Session as session;
    /// Invite a user. `invitation`, which lets them in, is in this reply and in no other. `forbidden` for a
    /// role above one's own; `already_exists` where the address is taken; `invalid`.
    users.create = "create_user": (; new: NewUser) -> CreatedUser {
        session.users().create(new).await
    }
    /// A user. `not_found`.
    users.get = "get_user": (id: UserId) -> User {
        session.users().get(id).await
    }
    /// A page of users, in the order in which they were made.
    users.list = "list_users": (| paging: Paging) -> PageOf<User> {
        session.users().list(&paging.page()).await
    }
    /// Change a user's name, role or status. `not_found`; `forbidden`; `conflict` for the last owner;
    /// `version_conflict`; `invalid`.
    users.update = "update_user": (id: UserId, version: Option<i64>; patch: UserPatch) -> User {
        session.users().update(id, patch, version).await
    }
    /// Invite a user who did not come yet again; the invitation before is void. `not_found`; `conflict`.
    users.invite_again = "invite_user_again": (id: UserId) -> CreatedUser {
        session.users().invite_again(id).await
    }
    /// Who one is, with all that one may do.
    account.me = "get_me": () -> Me {
        session.account().me().await
    }
    /// Change the password; all other sessions end. `invalid`; `rate_limited`.
    account.change_password = "change_password": (; change: ChangePassword) -> () {
        session.account().change_password(change).await
    }
    /// One's sessions that have not ended, the oldest first.
    account.sessions = "list_sessions": () -> Vec<SignInInfo> {
        session.account().sessions().await
    }
    /// End one of one's sessions. `not_found`.
    account.end_session = "end_session": (id: SignInId) -> () {
        session.account().end_session(id).await
    }
    /// End this session, and the one of a refresh token of the same user.
    account.sign_out = "sign_out": (refresh_token: Option<Secret>) -> () {
        session.account().sign_out(refresh_token.as_ref()).await
    }
    /// Prove again who one is. `unauthenticated`; `invalid`; `rate_limited`.
    account.step_up = "step_up": (; proof: StepUp) -> () {
        session.account().step_up(proof).await
    }
    /// Begin a second factor; it is in force when a code is confirmed. `step_up_required`; `conflict`.
    account.begin_totp = "begin_totp": () -> NewTotp {
        session.account().begin_totp().await
    }
    /// Confirm the second factor by a code. The recovery codes are in this reply and in no other.
    account.confirm_totp = "confirm_totp": (code: Secret) -> RecoveryCodes {
        session.account().confirm_totp(&code).await
    }
    /// Take new recovery codes; the old ones are void.
    account.new_recovery_codes = "new_recovery_codes": (code: Secret) -> RecoveryCodes {
        session.account().new_recovery_codes(&code).await
    }
    /// Go without a second factor. `unauthenticated`; `invalid`; `conflict`; `rate_limited`.
    account.remove_totp = "remove_totp": (; remove: RemoveTotp) -> () {
        session.account().remove_totp(remove).await
    }
}

operations! { ADMINISTRATION: Session as session;
    /// Make an API key. `secret` is in this reply and in no other. `forbidden`; `step_up_required`;
    /// `invalid`.
    api_keys.create = "create_api_key": (; new: NewApiKey) -> CreatedApiKey {
        session.api_keys().create(new).await
    }
    /// A page of API keys, also those that are revoked or over.
    api_keys.list = "list_api_keys": (| paging: Paging) -> PageOf<ApiKeyInfo> {
        session.api_keys().list(&paging.page()).await
    }
    /// Revoke an API key. `not_found`.
    api_keys.revoke = "revoke_api_key": (id: ApiKeyId) -> () {
        session.api_keys().revoke(id).await
    }
    /// The tenant.
    tenant.get = "get_tenant": () -> Tenant {
        session.tenant().get().await
    }
    /// Change the tenant's settings. `forbidden`; `version_conflict`; `invalid`.
    tenant.update = "update_tenant": (version: Option<i64>; patch: TenantPatch) -> Tenant {
        session.tenant().update(patch, version).await
    }
    /// A page of the tenant's jobs, the newest first. A job that is done is gone; `dead` are those that were
    /// given up.
    jobs.list = "list_jobs": (| asked: ListJobs) -> PageOf<Job> {
        let page = Page::asked(asked.limit, asked.cursor.as_ref());
        session.jobs().list(asked.state, asked.kind, &page).await
    }
    /// A job. `not_found` where there is none, or it is done.
    jobs.get = "get_job": (id: JobId) -> Job {
        session.jobs().get(id).await
    }
    /// Try a job that was given up again. `not_found`; `conflict`.
    jobs.retry = "retry_job": (id: JobId) -> Job {
        session.jobs().retry(id).await
    }
    /// Throw a job away. `not_found`; `conflict` while it runs.
    jobs.discard = "discard_job": (id: JobId) -> () {
        session.jobs().discard(id).await
    }
    /// A page of who did what to which record, the newest first.
    audit.list = "list_audit_entries": (| asked: ListAudit) -> PageOf<AuditEntry> {
        let page = Page::asked(asked.limit, asked.cursor.as_ref());
        session.audit().list(asked.resource, &page).await
    }
}

operations! { OPERATOR: Crm as crm;
    /// Make a tenant and its owner, together or not at all. `already_exists` where the slug is taken;
    /// `invalid`.
    tenants.create: (; new: NewTenant) -> CreatedTenant {
        let (tenant, owner) = crm.system(BY_HOST)?.create_tenant(new).await?;
        Ok(CreatedTenant { tenant, owner })
    }
    /// The tenant of this slug. `not_found`.
    tenants.get: (slug: Slug) -> Tenant {
        crm.system(BY_HOST)?.tenant(&slug).await
    }
    /// Tenants in the order of their slugs, those after `after`; at most 200 at once.
    tenants.list: (| asked: ListTenants) -> Vec<Tenant> {
        crm.system(BY_HOST)?.tenants(asked.after.as_ref(), asked.limit()).await
    }
    /// Give a user another password; all their sessions end. `not_found`; `invalid`.
    tenants.set_password: (tenant: TenantId, user: UserId, password: Secret) -> () {
        crm.system(BY_HOST)?.set_password(tenant, user, &password).await
    }
}

/// Why the host works across tenants.
const BY_HOST: &str = "the host asked by a binding";

operations! { IDENTITY: Crm as crm;
    /// Make a tenant and its owner, who comes in at once. `invalid`; `rate_limited`; `forbidden` where
    /// registration is closed.
    identity.register = "register": (; new: Registration) -> Registered {
        crm.identity(arrival(&crm)?).register(new).await
    }
    /// Come in by password. `unauthenticated`; `second_factor_required`; `rate_limited`.
    identity.sign_in = "sign_in": (; attempt: PasswordSignIn) -> SignedIn {
        crm.identity(arrival(&crm)?).sign_in(attempt).await
    }
    /// New tokens for a refresh token, which is void then. `unauthenticated`; `token_reused`.
    identity.refresh = "refresh_tokens": (refresh_token: Secret) -> Tokens {
        crm.identity(arrival(&crm)?).refresh(&refresh_token).await
    }
    /// Come in by an invitation. `unauthenticated`; `invalid`.
    identity.accept_invitation = "accept_invitation": (; accept: AcceptInvitation) -> SignedIn {
        crm.identity(arrival(&crm)?).accept_invitation(accept).await
    }
    /// The public keys of access tokens (RFC 7517), for services that verify them.
    identity.key_set = "get_key_set": () -> serde_json::Value {
        serde_json::to_value(crm.key_set()).map_err(crate::error::Error::internal)
    }
}

/// Who comes through a binding comes from the host.
fn arrival(crm: &Crm) -> Result<Arrival> {
    Ok(Arrival { request_id: crm.new_request_id()?, address: None, user_agent: None })
}
