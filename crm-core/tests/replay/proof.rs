//! The state before, and the events since, are the state after.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crm_core::EntityKind;
use crm_core::events::{Event, EventName, EventPosition};
use jsonschema::Validator;
use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use crate::commands::{Command, beginning, commands, course};
use crate::model::{Effect, Model, effect};
use crate::world::World;

static SCHEMAS: LazyLock<BTreeMap<&'static str, Validator>> = LazyLock::new(|| {
    let compiled = |name: &EventName| {
        (name.as_str(), jsonschema::validator_for(name.schema().as_value()).unwrap())
    };
    EventName::ALL.iter().map(compiled).collect()
});

/// A world and a reader who follows it.
struct Followed {
    world: World,
    model: Model,
    position: EventPosition,
    seen: BTreeSet<&'static str>,
}

fn has_its_shape(event: &Event) -> Result<(), String> {
    let data: Value = serde_json::from_str(event.data.get()).unwrap();
    let errors: Vec<_> =
        SCHEMAS[event.name.as_str()].iter_errors(&data).map(|error| error.to_string()).collect();
    if errors.is_empty() { Ok(()) } else { Err(format!("{}: {errors:?}\n{data:#}", event.name)) }
}

fn sorted(mut records: Vec<Value>) -> Vec<Value> {
    records.sort_by_cached_key(Value::to_string);
    records
}

fn alike(what: &str, read: Vec<Value>, shown: Vec<Value>) -> Result<(), String> {
    let (read, shown) = (sorted(read), sorted(shown));
    if read == shown {
        return Ok(());
    }
    let (only_read, only_shown): (Vec<_>, Vec<_>) = (
        read.iter().filter(|record| !shown.contains(record)).collect(),
        shown.iter().filter(|record| !read.contains(record)).collect(),
    );
    Err(format!("{what}\nof the events: {only_read:#?}\nof the store: {only_shown:#?}"))
}

/// An entry of the CRM's own about a contact as the reader knows it: without its id, and with the changes by
/// field.
fn told(entry: &Value) -> Value {
    let data = match entry["data"]["changes"].as_array() {
        Some(changes) => {
            let by = |side: &str| -> Map<String, Value> {
                let field = |it: &Value| it["field"].as_str().unwrap().to_owned();
                changes.iter().map(|it| (field(it), it[side].clone())).collect()
            };
            json!({ "old": by("old"), "new": by("new") })
        }
        None => entry["data"].clone(),
    };
    json!({
        "contact_id": entry["contact_id"], "kind": entry["kind"],
        "occurred_at": entry["occurred_at"], "user_id": entry["user_id"], "data": data,
    })
}

impl Followed {
    async fn new() -> Self {
        Followed {
            world: World::new().await,
            model: Model::default(),
            position: EventPosition::START,
            seen: BTreeSet::new(),
        }
    }

    /// Runs a command, reads its events and compares.
    async fn step(&mut self, command: &Command) -> Result<(), String> {
        if let Err(error) = self.world.run(command).await
            && error.kind() == crm_core::ErrorKind::Internal
        {
            return Err(format!("{error:?}"));
        }
        self.follow().await.map_err(|difference| format!("after {command:?}: {difference}"))
    }

    /// Who follows one contact sees its calls.
    fn concerns_its_contact(&self, event: &Event) -> Result<(), String> {
        let id = |record: &Value| record["id"] == json!(event.subject.id);
        let Some(call) = self.model.all(EntityKind::Call).into_iter().find(id) else {
            return Ok(());
        };
        let (read, meant) = (json!(event.contact()), &call["contact_id"]);
        if read == *meant { Ok(()) } else { Err(format!("{}: {read}, not {meant}", event.name)) }
    }

    async fn follow(&mut self) -> Result<(), String> {
        for recorded in self.world.events_after(self.position).await {
            has_its_shape(&recorded.event)?;
            self.seen.insert(recorded.event.name.as_str());
            self.model.apply(&recorded.event);
            self.concerns_its_contact(&recorded.event)?;
            self.position = recorded.position;
        }
        let state = self.world.state().await;
        let model = &self.model;
        let of_the_crm = |entry: &&Value| {
            entry["kind"].as_str().is_some_and(|kind| kind.starts_with("contact_"))
        };
        let (about_contacts, others): (Vec<_>, Vec<_>) =
            state.activities.iter().partition(of_the_crm);
        let about_contacts: Vec<_> = about_contacts.into_iter().map(told).collect();
        let mut activities = model.all(EntityKind::Activity);
        activities.extend(model.entries_of_calls());
        alike("tenants", model.all(EntityKind::Tenant), state.tenants.clone())?;
        alike("users", model.all(EntityKind::User), state.users.clone())?;
        alike("API keys", model.all(EntityKind::ApiKey), state.api_keys.clone())?;
        alike("companies", model.all(EntityKind::Company), state.companies.clone())?;
        alike("contacts", model.all(EntityKind::Contact), state.contacts.clone())?;
        alike("activities", activities, others.into_iter().cloned().collect())?;
        alike("what timelines tell of contacts", model.told().to_vec(), about_contacts)?;
        alike("consents", model.all(EntityKind::Consent), state.consents.clone())?;
        alike("accounts", model.all(EntityKind::TelephonyAccount), state.accounts.clone())?;
        alike("calls", model.all(EntityKind::Call), state.calls.clone())?;
        let owner = json!(self.world.session.scope().actor().user());
        alike("notifications", model.own("notification", &owner), state.notifications.clone())?;
        alike("preferences", model.own("preferences", &owner), state.preferences.clone())?;
        alike("schedules", model.all(EntityKind::Schedule), state.schedules.clone())
    }
}

#[tokio::test]
async fn every_event_is_met_and_tells_all_that_has_changed() {
    let mut followed = Followed::new().await;
    for command in course() {
        followed.step(&command).await.unwrap();
    }
    let all: BTreeSet<_> = EventName::ALL.iter().map(|name| name.as_str()).collect();
    let missed: Vec<_> = all.difference(&followed.seen).collect();
    assert!(missed.is_empty(), "no command records {missed:?}");
    assert!(followed.model.knows(followed.world.tenant.id.into()));
}

#[test]
fn whatever_is_done_the_events_tell_all_of_it() {
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = RefCell::new(BTreeSet::new());
    let outcome = TestRunner::new_with_rng(config, rng).run(&vec(commands(), 1..50), |commands| {
        runtime.block_on(async {
            let mut followed = Followed::new().await;
            for command in beginning().iter().chain(&commands) {
                followed.step(command).await.map_err(TestCaseError::fail)?;
            }
            seen.borrow_mut().extend(followed.seen);
            Ok(())
        })
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let of_records = EventName::ALL.iter().filter(|name| effect(**name) != Effect::Nothing);
    let missed: Vec<_> = of_records.filter(|name| !seen.borrow().contains(name.as_str())).collect();
    assert!(missed.is_empty(), "no command recorded {missed:?}");
}
