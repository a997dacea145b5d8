//! What is rare in a unit of work, as the last argument of `crm.commit`: calls, consents, accounts with
//! carriers, schedules, jobs, the lease that the unit was made under, and the group of readers that it moves.

use std::collections::BTreeMap;

use crm_core::activities::{Activity, Direction};
use crm_core::calls::Call;
use crm_core::events::GroupProgress;
use crm_core::jobs::{Job, LeaseUse, Schedule};
use crm_core::notifications::{Notification, NotificationPreferences};
use crm_core::privacy::{Consent, Purpose};
use crm_core::telephony::TelephonyAccount;
use crm_core::{ActivityId, JobId, Result};
use serde_json::{Value, json};

use crate::rows::{to_doc, to_json};
use crate::unit::{Records, Row};

/// Each record once, in its last state.
#[derive(Default)]
pub(crate) struct More<'c> {
    pub(crate) accounts: Records<&'c TelephonyAccount>,
    pub(crate) calls: Records<&'c Call>,
    /// The calls' entries on timelines, which may be there already.
    pub(crate) entries: BTreeMap<ActivityId, &'c Activity>,
    pub(crate) consents: Vec<&'c Consent>,
    pub(crate) schedules: Records<&'c Schedule>,
    pub(crate) notifications: Records<&'c Notification>,
    pub(crate) notification_preferences: Records<&'c NotificationPreferences>,
    /// Dead jobs, and whether they are retried.
    pub(crate) ends: Vec<(JobId, bool)>,
    pub(crate) jobs: &'c [Job],
    pub(crate) lease: Option<LeaseUse>,
    pub(crate) progress: Option<&'c GroupProgress>,
}

impl More<'_> {
    /// The argument; none where there is nothing of it.
    pub(crate) fn argument(&self) -> Result<Option<String>> {
        let mut parts = serde_json::Map::new();
        let mut add = |name: &str, rows: Vec<Value>| {
            if !rows.is_empty() {
                parts.insert(name.to_owned(), Value::Array(rows));
            }
        };
        add("accounts", self.accounts.rows.iter().map(account).collect::<Result<_>>()?);
        add("calls", self.calls.rows.iter().map(call).collect::<Result<_>>()?);
        add("entries", self.entries.values().copied().map(entry).collect::<Result<_>>()?);
        add("consents", self.consents.iter().copied().map(consent).collect::<Result<_>>()?);
        add("schedules", self.schedules.rows.iter().map(schedule).collect::<Result<_>>()?);
        let notifications = self.notifications.rows.iter().map(notification);
        add("notifications", notifications.collect::<Result<_>>()?);
        let chosen = self.notification_preferences.rows.iter().map(preferences);
        add("notification_preferences", chosen.collect::<Result<_>>()?);
        let ends = self.ends.iter().map(|(id, retried)| json!({ "id": id, "retried": retried }));
        add("ends", ends.collect());
        add("jobs", self.jobs.iter().map(job).collect::<Result<_>>()?);
        if let Some(LeaseUse { lease, completes }) = self.lease {
            let lease = json!({ "job": lease.job, "token": lease.token, "completes": completes });
            parts.insert("lease".to_owned(), lease);
        }
        if let Some(GroupProgress { group, from, to }) = self.progress {
            let progress = json!({ "group": group, "from": from, "to": to });
            parts.insert("progress".to_owned(), progress);
        }
        if parts.is_empty() { Ok(None) } else { to_json(&parts).map(Some) }
    }
}

fn account(row: &Row<&TelephonyAccount>) -> Result<Value> {
    Ok(json!({
        "id": row.id, "expected": row.expected, "version": row.version,
        "provider": row.record.provider, "name": row.record.name, "doc": to_json(row.record)?,
    }))
}

fn call(row: &Row<&Call>) -> Result<Value> {
    let call = row.record;
    Ok(json!({
        "id": row.id, "expected": row.expected, "version": row.version,
        "contact_id": call.contact_id, "user_id": call.user_id,
        "direction": direction(call.direction), "status": call.status().as_str(),
        "disposition": call.disposition, "account_id": call.account_id,
        "provider_call_id": call.provider_call_id, "started_at": call.started_at,
        "doc": to_json(call)?,
    }))
}

pub(crate) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

fn entry(activity: &Activity) -> Result<Value> {
    Ok(json!({
        "id": activity.id, "contact_id": activity.contact_id, "kind": activity.kind(),
        "occurred_at": activity.occurred_at, "user_id": activity.user_id, "doc": to_doc(activity)?,
    }))
}

fn consent(consent: &Consent) -> Result<Value> {
    let purpose = match consent.purpose {
        Purpose::Calls => "calls",
        Purpose::Recording => "recording",
    };
    Ok(json!({
        "id": consent.id, "contact_id": consent.contact_id, "purpose": purpose, "at": consent.at,
        "doc": to_json(consent)?,
    }))
}

fn schedule(row: &Row<&Schedule>) -> Result<Value> {
    Ok(json!({
        "id": row.id, "expected": row.expected, "version": row.version, "name": row.record.name,
        "next_at": row.record.next_at, "doc": to_json(row.record)?,
    }))
}

fn notification(row: &Row<&Notification>) -> Result<Value> {
    let notification = row.record;
    Ok(json!({
        "id": row.id, "expected": row.expected, "version": row.version,
        "user_id": notification.user_id, "kind": notification.kind,
        "created_at": notification.created_at, "unread": notification.read_at.is_none(),
        "pending": notification.delivered_at.is_none(), "doc": to_json(notification)?,
    }))
}

fn preferences(row: &Row<&NotificationPreferences>) -> Result<Value> {
    Ok(json!({
        "id": row.id, "expected": row.expected, "version": row.version, "doc": to_json(row.record)?,
    }))
}

fn job(job: &Job) -> Result<Value> {
    Ok(json!({
        "id": job.id, "kind": job.kind, "state": job.state.as_str(), "priority": job.priority,
        "run_at": job.run_at, "attempts": job.attempts, "max_attempts": job.max_attempts,
        "unique_key": job.unique_key, "request_id": job.request_id.as_str(),
        "created_at": job.created_at, "payload": to_json(&job.payload)?,
    }))
}
