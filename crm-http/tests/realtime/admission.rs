//! Who is let in.

use crm_core::Role;

use crate::scene::{Scene, connect, refused, ticket};

#[tokio::test]
async fn a_ticket_lets_in_once_on_one_node() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let other = scene.other_node().await;
    let ticket = ticket(&scene.node, viewer.access_token.reveal()).await;
    let query = format!("?ticket={ticket}");
    connect(&scene.node, &query, &[]).await.unwrap();
    let again = (401, "unauthenticated".to_owned());
    assert_eq!(refused(&scene.node, &query, &[]).await, again);
    assert_eq!(refused(&other, &query, &[]).await, again);
}

#[tokio::test]
async fn tickets_that_are_over_or_not_good_let_nobody_in() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let token = viewer.access_token.reveal();
    let late = format!("?ticket={}", ticket(&scene.node, token).await);
    scene.clock.advance_micros(30_000_000);
    let unauthenticated = (401, "unauthenticated".to_owned());
    assert_eq!(refused(&scene.node, &late, &[]).await, unauthenticated);
    let mut spoilt = ticket(&scene.node, token).await;
    let last = if spoilt.ends_with('A') { "B" } else { "A" };
    spoilt.replace_range(spoilt.len() - 1.., last);
    for query in [format!("?ticket={spoilt}"), "?ticket=".to_owned(), String::new()] {
        assert_eq!(refused(&scene.node, &query, &[]).await, unauthenticated, "{query}");
    }
    // Sealed by the same ring for something else.
    let other = scene.node.crm.seal_ticket("oidc", &1, std::time::Duration::from_secs(9)).unwrap();
    let query = format!("?ticket={}", other.reveal());
    assert_eq!(refused(&scene.node, &query, &[]).await, unauthenticated);
    let both = [("authorization", format!("Bearer {token}"))];
    let both = [(both[0].0, both[0].1.as_str())];
    let query = format!("?ticket={}", ticket(&scene.node, token).await);
    assert_eq!(refused(&scene.node, &query, &both).await, (400, "malformed".to_owned()));
    assert_eq!(refused(&scene.node, "?token=1", &[]).await, (400, "unknown_parameter".to_owned()));
}

#[tokio::test]
async fn a_ticket_of_a_session_that_has_ended_lets_nobody_in() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let token = viewer.access_token.reveal();
    let ticket = ticket(&scene.node, token).await;
    let crm = &scene.node.crm;
    let session = crm.identity(crate::scene::arrival(crm)).authenticate(token).await.unwrap();
    session.account().sign_out(None).await.unwrap();
    let query = format!("?ticket={ticket}");
    assert_eq!(refused(&scene.node, &query, &[]).await, (401, "unauthenticated".to_owned()));
}

#[tokio::test]
async fn pages_of_elsewhere_are_refused() {
    let scene = Scene::with(|config| {
        config.cors_origins = ["https://app.example".parse().unwrap()].into_iter().collect();
    })
    .await;
    let viewer = scene.person(Role::Viewer).await;
    let bearer = format!("Bearer {}", viewer.access_token.reveal());
    let own = format!("http://{}", scene.node.address);
    for origin in ["https://app.example", &own] {
        let headers = [("authorization", bearer.as_str()), ("origin", origin)];
        connect(&scene.node, "", &headers).await.unwrap();
    }
    for origin in [
        "https://evil.example",
        "null",
        "",
        "https://app.example.evil.example",
        "http://app.example",
        "https://app.example:444",
    ] {
        let headers = [("authorization", bearer.as_str()), ("origin", origin)];
        let refusal = refused(&scene.node, "", &headers).await;
        assert_eq!(refusal, (403, "forbidden".to_owned()), "{origin}");
    }
    let twice = [
        ("authorization", bearer.as_str()),
        ("origin", "https://app.example"),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(refused(&scene.node, "", &twice).await, (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn who_is_one_too_many_waits_elsewhere() {
    let scene = Scene::with(|config| config.realtime_connections = 1).await;
    let viewer = scene.person(Role::Viewer).await;
    let bearer = format!("Bearer {}", viewer.access_token.reveal());
    let headers = [("authorization", bearer.as_str())];
    let first = connect(&scene.node, "", &headers).await.unwrap();
    assert_eq!(refused(&scene.node, "", &headers).await, (503, "unavailable".to_owned()));
    drop(first);
    let freed = async {
        while connect(&scene.node, "", &headers).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::scene::SOON, freed).await.unwrap();
}
