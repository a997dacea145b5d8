use serde_json::json;

use super::*;
use crate::ErrorKind;
use crate::memory::session_for_docs;

fn wait<T>(work: impl Future<Output = T>) -> T {
    futures::executor::block_on(work)
}

fn call(session: &Session, name: &str, given: serde_json::Value) -> Result<serde_json::Value> {
    let operation = named(name).unwrap();
    let reply = wait(operation.run_in(session.clone(), Given::try_from(given)?))?;
    Ok(serde_json::to_value(&*reply).unwrap())
}

fn session() -> Session {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(session_for_docs())
        .unwrap()
}

#[test]
fn names_are_unique_and_of_two_words() {
    let mut names: Vec<&str> = all().map(|operation| operation.name).collect();
    names.extend(STREAMS.iter().map(|stream| stream.name));
    assert!(names.iter().all(|name| name.split('.').count() == 2), "{names:?}");
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn the_surface_is_as_reviewed() {
    let surface = surface();
    let lines: Vec<String> = surface["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| {
            let arguments = operation["arguments"].as_array().unwrap().iter();
            let arguments: Vec<_> = arguments.map(|a| a["name"].as_str().unwrap()).collect();
            let fields = &operation["fields"]["schema"]["$ref"];
            let fields =
                fields.as_str().map(|name| format!(" +{}", name.rsplit('/').next().unwrap()));
            let name = operation["name"].as_str().unwrap();
            format!("{name}({}){}", arguments.join(", "), fields.unwrap_or_default())
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn arguments_are_read_by_their_names() {
    let session = session();
    let made = call(&session, "contacts.create", json!({ "first_name": "Ada" })).unwrap();
    let id = made["id"].clone();
    let changed =
        call(&session, "contacts.update", json!({ "id": id, "version": 1, "title": "Countess" }))
            .unwrap();
    assert_eq!(changed["title"], "Countess");
    assert_eq!(changed["version"], 2);
    let stale = call(&session, "contacts.update", json!({ "id": id, "version": 1, "title": null }));
    assert_eq!(stale.unwrap_err().kind(), ErrorKind::VersionConflict);
    assert_eq!(call(&session, "contacts.get", json!({ "id": id })).unwrap(), changed);
    assert_eq!(call(&session, "tenant.get", json!({})).unwrap()["version"], 1);
}

#[test]
fn what_cannot_be_read_is_named() {
    let session = session();
    let refused = [
        ("contacts.get", json!({}), ErrorKind::Invalid, "id"),
        ("contacts.get", json!({ "id": 7 }), ErrorKind::Invalid, "id"),
        ("contacts.get", json!({ "id": "ada", "x": 1 }), ErrorKind::NotFound, ""),
        ("contacts.restore", json!({ "id": uuid::Uuid::nil(), "x": 1 }), ErrorKind::Invalid, "x"),
        (
            "contacts.delete",
            json!({ "id": uuid::Uuid::nil(), "version": "1" }),
            ErrorKind::Invalid,
            "version",
        ),
        (
            "contacts.create",
            json!({ "emails": [{ "address": 5 }] }),
            ErrorKind::Invalid,
            "emails[0].address",
        ),
        ("contacts.create", json!({ "name": "Ada" }), ErrorKind::Invalid, "name"),
        (
            "contacts.create_all",
            json!({ "contacts": [{ "first_name": 5 }] }),
            ErrorKind::Invalid,
            "contacts[0].first_name",
        ),
        ("contacts.list", json!({ "limit": 0 }), ErrorKind::Malformed, ""),
        ("contacts.list", json!({ "colour": "red" }), ErrorKind::UnknownParameter, ""),
        ("contacts.list", json!({ "sort": "size" }), ErrorKind::UnknownParameter, ""),
    ];
    for (name, given, kind, field) in refused {
        let error = call(&session, name, given.clone()).unwrap_err();
        assert_eq!(error.kind(), kind, "{name} {given}: {error:?}");
        assert_eq!(error.operation(), name);
        assert_eq!(error.fields().first().map_or("", |refused| &refused.field), field, "{error:?}");
    }
}

#[test]
fn an_operation_is_refused_in_the_wrong_place() {
    let session = session();
    let create = named("tenants.create").unwrap();
    let refused = wait(create.run_in(session, Given::default()));
    assert_eq!(refused.err().unwrap().kind(), ErrorKind::Internal);
}
