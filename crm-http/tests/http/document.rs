//! The document: whole, exact and true.

use std::collections::BTreeSet;

use axum::body::Body;
use serde_json::json;

use crate::support::{DOCUMENT, Server, faults, operations};

#[test]
fn the_document_says_what_is_there() {
    let lines = operations().into_iter().map(|operation| {
        let statuses: Vec<&str> =
            operation.says["responses"].as_object().unwrap().keys().map(String::as_str).collect();
        let least = operation.says["x-least-role"].as_str().unwrap_or("-");
        let method = operation.method.to_uppercase();
        format!(
            "{method:6} {} {} {} {least} {}",
            operation.path,
            operation.id(),
            operation.permission().unwrap_or("public"),
            statuses.join(",")
        )
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_operation_explains_itself() {
    let mut ids = BTreeSet::new();
    for operation in operations() {
        let id = operation.id();
        assert!(!id.is_empty() && ids.insert(id), "{} {}", operation.method, operation.path);
        for part in ["summary", "description"] {
            assert!(operation.says[part].is_string(), "{id} has no {part}");
        }
        assert_eq!(operation.says["tags"].as_array().map(Vec::len), Some(1), "{id} has no tag");
        assert!(operation.is_public() || operation.permission().is_some(), "{id}: for whom?");
        for parameter in operation.parameters("query").iter().chain(&operation.parameters("header"))
        {
            assert!(parameter["description"].is_string(), "{id}: {parameter}");
        }
    }
}

#[test]
fn every_example_has_the_shape_that_is_documented() {
    for operation in operations() {
        let bodies = operation.says["requestBody"]["content"].as_object().into_iter().flatten();
        let replies = operation.says["responses"].as_object().unwrap().values();
        let replies = replies.flat_map(|reply| reply["content"].as_object().into_iter().flatten());
        for (media, body) in bodies.chain(replies) {
            let id = operation.id();
            assert!(!body["example"].is_null(), "{id}: no example of {media} {}", body["schema"]);
            let faults = faults(&body["schema"], &body["example"]);
            assert!(faults.is_empty(), "{id}: {faults:#?} in {}", body["example"]);
        }
    }
}

#[test]
fn replies_are_closed_and_requests_are_too() {
    let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        if schema["type"] == "object" && schema["properties"].is_object() {
            assert_eq!(schema["additionalProperties"], json!(false), "{name}");
        }
    }
    assert!(!DOCUMENT.to_string().contains("#/components/replies/"));
}

/// The paths of a router in its own words.
fn paths_of(router: &str) -> BTreeSet<String> {
    let quoted = router.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with('/')).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_path_is_in_the_document_and_the_reverse() {
    let server = Server::new().await;
    let mut routed = paths_of(&server.router_in_words());
    // The document and the pages that show it, and the streams that no document can describe.
    routed.retain(|path| {
        path != "/"
            && !path.contains("axum_fallback")
            && !["/openapi.json", "/ws", "/events"].contains(&path.as_str())
            && !path.starts_with("/docs")
    });
    let documented: BTreeSet<String> =
        operations().iter().map(|operation| operation.path.to_owned()).collect();
    assert_eq!(routed, documented);
}

#[tokio::test]
async fn every_method_is_in_the_document_and_the_reverse() {
    let server = Server::new().await;
    let paths: BTreeSet<&str> = operations().iter().map(|operation| operation.path).collect();
    for path in paths {
        let plain = path.replace(['{', '}'], "");
        let reply = server.send("TRACE", &plain, "", &[], Body::empty()).await;
        reply.problem(405, "method_not_allowed");
        let mut allowed: BTreeSet<String> =
            reply.header("allow").split(',').map(|method| method.trim().to_lowercase()).collect();
        allowed.remove("head");
        let own = operations().into_iter().filter(|operation| operation.path == path);
        let documented: BTreeSet<String> = own.map(|own| own.method.to_owned()).collect();
        assert_eq!(allowed, documented, "{path}");
    }
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_everywhere() {
    let server = Server::new().await;
    let acme = server.acme().await;
    for operation in operations() {
        // Providers and carriers add parameters of their own.
        if ["oidc_callback", "take_twilio_call", "take_twilio_callback"].contains(&operation.id()) {
            continue;
        }
        let required = match operation.id() {
            "search_contacts" => "q=ada&",
            "export_contacts" => "format=csv&",
            "count_activities" => "group_by=kind&",
            _ => "",
        };
        let id = "018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f";
        let path = operation.path.replace("{id}", id).replace("{provider}", "none");
        let path = format!("{path}?{required}colour=red");
        let none = json!(null);
        let (media, example) = operation.body().unwrap_or(("application/json", &none));
        let body = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        let headers = [("content-type", media)];
        let method = operation.method.to_uppercase();
        let reply = server.send(&method, &path, &acme.owner, &headers, body.into()).await;
        reply.problem(400, "unknown_parameter");
    }
}
