//! The core's operations, called by their names.

use crm_core::events::After;
use crm_core::identity::Arrival;
use crm_core::operations::{self, Given};
use crm_core::{Crm, Error, Session};
use serde_json::{Map, Value, json};

use crate::scenario::{Front, crm};

pub(crate) struct Rust(Crm);

impl Rust {
    pub(crate) async fn open() -> Self {
        Rust(crm().await)
    }

    async fn session(&self, bearer: &str) -> Result<Session, Error> {
        let request_id = self.0.new_request_id()?;
        let arrival = Arrival { request_id, address: None, user_agent: None };
        self.0.identity(arrival).authenticate(bearer).await
    }

    async fn run(&self, name: &str, given: Given, by: &str) -> Result<Value, Error> {
        let operation = operations::named(name).unwrap_or_else(|| panic!("there is no {name}"));
        let reply = match operation.in_session() {
            true => operation.run_in(self.session(by).await?, given).await?,
            false => operation.run_for(self.0.clone(), given).await?,
        };
        Ok(serde_json::to_value(&*reply).unwrap())
    }
}

impl Front for Rust {
    async fn call(&self, name: &str, with: Map<String, Value>, by: &str) -> Result<Value, Value> {
        self.run(name, Given::from(with), by).await.map_err(|error| {
            json!({
                "code": error.code(),
                "fields": error.fields(),
                "existing_id": error.existing_id(),
            })
        })
    }

    async fn events(&self, by: &str, count: usize) -> Vec<String> {
        let session = self.session(by).await.unwrap();
        let mut followed = session.events().subscribe(After::Start).await.unwrap();
        let mut names = Vec::new();
        while names.len() < count {
            names.extend(followed.next().await.unwrap().event().map(|e| e.event.name.to_string()));
        }
        names
    }
}
