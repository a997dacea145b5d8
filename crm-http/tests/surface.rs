//! The HTTP API and the operations of the core are one surface: what one has, the other has, or it is said
//! here why not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use crm_core::operations::{self, STREAMS};

/// What only HTTP has.
const ONLY_HTTP: &[(&str, &str)] = &[
    ("get_liveness", "a host that runs knows that it does"),
    ("get_readiness", "a host asks `check`"),
    ("create_realtime_ticket", "a host's own process needs no ticket to follow events"),
    (
        "take_twilio_callback",
        "one carrier's route; a host hands any carrier's requests in by `webhook`",
    ),
    (
        "take_twilio_call",
        "one carrier's route; a host hands any carrier's requests in by `webhook`",
    ),
    ("oidc_login", "browsers are sent on by HTTP"),
    ("oidc_callback", "browsers are sent on by HTTP"),
    ("oidc_exchange_code", "the code comes from a browser that was sent on"),
];

/// What only hosts have.
const ONLY_HOSTS: &[(&str, &str)] = &[
    ("contacts.create_or_update", "over HTTP it is `create_contact` with `on_conflict=update`"),
    ("contacts.create_all", "over HTTP many contacts come as an import"),
    ("activities.create_all", "a host's batches; clients log what happens as it does"),
    ("tenants.create", "the operator's; clients register"),
    ("tenants.get", "the operator's"),
    ("tenants.list", "the operator's"),
    ("tenants.set_password", "the operator's"),
    ("events.subscribe", "over HTTP it is `/ws` and `/events`, which OpenAPI cannot describe"),
    ("calls.webhook", "over HTTP each carrier has routes of its own"),
    ("events.group", "the place of a group is kept for programs of the host"),
];

fn http_operations() -> BTreeSet<String> {
    let document = crm_http::document();
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.values().flat_map(|path| path.as_object().unwrap().values());
    methods
        .filter_map(|operation| operation.get("operationId"))
        .map(|id| id.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_http_operation_is_an_operation_of_the_core_or_exempt() {
    let declared = operations::all().map(|operation| (operation.name, operation.http));
    let streams = STREAMS.iter().map(|stream| (stream.name, stream.http));
    let mut of: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, http) in declared.chain(streams) {
        if let Some(http) = http {
            let other = of.insert(http, name);
            assert_eq!(other, None, "`{http}` is both");
        }
    }
    let http = http_operations();
    for id in &http {
        let exempt = ONLY_HTTP.iter().any(|(only, _)| only == id);
        assert!(
            of.contains_key(id.as_str()) != exempt,
            "{id}: in the core {:?}, exempt {exempt}",
            of.get(id.as_str())
        );
    }
    for (id, name) in &of {
        assert!(
            http.contains(*id),
            "{name} says that HTTP calls it `{id}`, and it has no such operation"
        );
    }
    for (id, _) in ONLY_HTTP {
        // Without providers of identities, their routes are not there.
        assert!(http.contains(*id) || id.starts_with("oidc_"), "HTTP has no `{id}`");
    }
}

#[test]
fn every_operation_of_the_core_is_in_http_or_exempt() {
    let declared = operations::all().map(|operation| (operation.name, operation.http));
    let streams = STREAMS.iter().map(|stream| (stream.name, stream.http));
    let only: BTreeSet<&str> =
        declared.chain(streams).filter(|(_, http)| http.is_none()).map(|(name, _)| name).collect();
    let exempt: BTreeSet<&str> = ONLY_HOSTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(only, exempt);
}
