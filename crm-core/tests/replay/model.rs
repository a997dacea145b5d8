//! A reader that knows records from events alone, as `docs/events.md` says.

use std::collections::BTreeMap;

use crm_core::events::{Event, EventName};
use crm_core::{EntityKind, EntityRef};
use serde_json::{Map, Value, json};

/// What an event does to the record of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The record is this field of the data.
    Whole(&'static str),
    /// The fields of the data and of its `changes` take the place of the record's.
    Merge,
    /// None.
    Nothing,
}

pub(crate) fn effect(name: EventName) -> Effect {
    match name {
        EventName::TenantCreated => Effect::Whole("tenant"),
        EventName::UserCreated => Effect::Whole("user"),
        EventName::ApiKeyCreated => Effect::Whole("api_key"),
        EventName::CompanyCreated => Effect::Whole("company"),
        EventName::ContactCreated => Effect::Whole("contact"),
        EventName::ActivityLogged => Effect::Whole("activity"),
        EventName::ConsentRecorded => Effect::Whole("consent"),
        EventName::TelephonyAccountCreated => Effect::Whole("account"),
        EventName::CallStarted | EventName::CallLogged => Effect::Whole("call"),
        EventName::ScheduleSet => Effect::Whole("schedule"),
        EventName::NotificationCreated => Effect::Whole("notification"),
        EventName::TenantUpdated
        | EventName::UserUpdated
        | EventName::ApiKeyUsed
        | EventName::ApiKeyRevoked
        | EventName::CompanyUpdated
        | EventName::ContactUpdated
        | EventName::ContactDeleted
        | EventName::ContactRestored
        | EventName::TelephonyAccountUpdated
        | EventName::CallUpdated
        | EventName::CallEnded
        | EventName::CallRecorded
        | EventName::RecordingDeleted
        | EventName::NotificationUpdated
        | EventName::NotificationPreferencesUpdated => Effect::Merge,
        EventName::UserSecured
        | EventName::UserAuthenticated
        | EventName::AuthenticationFailed
        | EventName::SessionStarted
        | EventName::SessionRefreshed
        | EventName::SessionProved
        | EventName::SessionEnded
        | EventName::RecordingHeard
        | EventName::JobRetried
        | EventName::JobDiscarded
        | EventName::ContactsImported => Effect::Nothing,
    }
}

type Record = Map<String, Value>;

#[derive(Debug, Default)]
pub(crate) struct Model {
    records: BTreeMap<String, Record>,
    /// What contacts' timelines tell of contacts, without ids.
    told: Vec<Value>,
}

impl Model {
    pub(crate) fn apply(&mut self, event: &Event) {
        let mut data: Record = serde_json::from_str(event.data.get()).unwrap();
        let subject = self.record_of(event, &mut data);
        match effect(event.name) {
            Effect::Whole(field) => {
                let Some(Value::Object(record)) = data.remove(field) else {
                    panic!("{}: no {field}", event.name);
                };
                self.tell(event, json!({ "source": record.get("source") }));
                self.records.insert(subject, record);
            }
            Effect::Merge => {
                let record = self.records.get_mut(&subject).expect("it was made before");
                let mut told = json!({});
                if let Some(Value::Object(changes)) = data.remove("changes") {
                    let before = |field: &String| {
                        (field.clone(), record.get(field).cloned().unwrap_or_default())
                    };
                    let old: Record = changes.keys().map(before).collect();
                    told = json!({ "old": old, "new": changes });
                    record.extend(changes);
                }
                record.extend(data);
                self.tell(event, told);
            }
            Effect::Nothing => {}
        }
    }

    /// The record that an event is about: its subject, but for what is a person's own.
    fn record_of(&mut self, event: &Event, data: &mut Record) -> String {
        if event.name == EventName::NotificationCreated {
            return format!("notification:{}", data["notification"]["id"].as_str().unwrap());
        }
        if let Some(id) = data.remove("notification_id") {
            return format!("notification:{}", id.as_str().unwrap());
        }
        if event.name == EventName::NotificationPreferencesUpdated {
            let key = format!("preferences:{}", event.subject.id);
            let nothing = [
                ("user_id", json!(event.subject.id)),
                ("channels", json!({})),
                ("quiet_hours", Value::Null),
                ("version", json!(0)),
            ];
            let nothing = nothing.map(|(field, value)| (field.to_owned(), value));
            self.records.entry(key.clone()).or_insert_with(|| nothing.into_iter().collect());
            return key;
        }
        event.subject.to_string()
    }

    /// The records of this kind that are `user`'s own.
    pub(crate) fn own(&self, kind: &str, user: &Value) -> Vec<Value> {
        let of_kind = self
            .records
            .iter()
            .filter(|(key, _)| key.split_once(':').is_some_and(|(own, _)| own == kind));
        let records = of_kind.map(|(_, record)| Value::Object(record.clone()));
        records.filter(|record| record["user_id"] == *user).collect()
    }

    /// Notes what the CRM itself writes on the timeline of a contact that an event happened to.
    fn tell(&mut self, event: &Event, data: Value) {
        if event.subject.kind == EntityKind::Contact {
            self.told.push(json!({
                "contact_id": event.subject.id, "kind": event.name.action().replace('.', "_"),
                "occurred_at": event.occurred_at, "user_id": event.actor.user(), "data": data,
            }));
        }
    }

    /// The records of a kind, by id.
    pub(crate) fn all(&self, kind: EntityKind) -> Vec<Value> {
        let prefix = format!("{}:", kind.as_str());
        let own = self.records.iter().filter(|(subject, _)| subject.starts_with(&prefix));
        own.map(|(_, record)| Value::Object(record.clone())).collect()
    }

    pub(crate) fn knows(&self, subject: EntityRef) -> bool {
        self.records.contains_key(&subject.to_string())
    }

    /// What timelines tell of contacts, without ids.
    pub(crate) fn told(&self) -> &[Value] {
        &self.told
    }

    /// The entries of calls on the timelines of who is called or calls.
    pub(crate) fn entries_of_calls(&self) -> Vec<Value> {
        let with_somebody =
            self.all(EntityKind::Call).into_iter().filter(|call| !call["contact_id"].is_null());
        let entry = |call: Value| {
            let inbound = call["direction"] == "inbound";
            json!({
                "id": call["activity_id"],
                "contact_id": call["contact_id"],
                "kind": "call",
                "occurred_at": call["started_at"],
                "user_id": call["user_id"],
                "subject": null,
                "body": call["note"],
                "data": {
                    "direction": call["direction"],
                    "number": if inbound { &call["from"] } else { &call["to"] },
                    "duration_seconds": call["duration_seconds"],
                    "disposition": call["disposition"],
                    "status": call["status"],
                    "call_id": call["id"],
                },
                "created_at": call["created_at"],
            })
        };
        with_somebody.map(entry).collect()
    }
}
