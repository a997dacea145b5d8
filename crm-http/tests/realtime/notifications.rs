//! Notifications reach the person they are for.

use crm_core::notifications::NewBroadcast;
use crm_core::{Role, Session};
use serde_json::{Value, json};

use crate::scene::{Client, Scene, arrival};

async fn broadcast(admin: &Session, title: &str) {
    let new: NewBroadcast =
        serde_json::from_value(json!({ "title": title, "to": "everybody" })).unwrap();
    admin.notifications().broadcast(new).await.unwrap();
}

async fn session_of(scene: &Scene, token: &str) -> Session {
    let crm = &scene.node.crm;
    crm.identity(arrival(crm)).authenticate(token).await.unwrap()
}

fn title(frame: &Value) -> &str {
    assert_eq!(frame["type"], "notification", "{frame}");
    frame["notification"]["title"].as_str().unwrap()
}

#[tokio::test]
async fn what_waited_comes_first_then_what_is_new_until_it_is_acknowledged() {
    let scene = Scene::new().await;
    let (admin, viewer) = (scene.person(Role::Admin).await, scene.person(Role::Viewer).await);
    let (admin, token) =
        (session_of(&scene, admin.access_token.reveal()).await, viewer.access_token.reveal());
    for title in ["First", "Second"] {
        broadcast(&admin, title).await;
        scene.clock.advance_micros(1_000_000);
    }
    // Nobody has to subscribe.
    let mut client = Client::of(&scene.node, token).await;
    let first = client.next().await;
    assert_eq!(title(&first), "First");
    assert_eq!(title(&client.next().await), "Second");
    broadcast(&admin, "Third").await;
    assert_eq!(title(&client.next().await), "Third");
    let id = &first["notification"]["id"];
    client.say(&json!({ "type": "ack", "notification_id": id })).await;
    client.say(&json!({ "type": "ping" })).await;
    assert_eq!(client.next().await["type"], "pong");
    drop(client);

    // The first has come; the others come again, on whichever node.
    let other = scene.other_node().await;
    let mut client = Client::of(&other, token).await;
    assert_eq!(title(&client.next().await), "Second");
    assert_eq!(title(&client.next().await), "Third");
    let own = session_of(&scene, token).await;
    let all = own.notifications().list(false, &crm_core::Page::first(10)).await.unwrap().items;
    let delivered: Vec<bool> = all.iter().map(|own| own.delivered_at.is_some()).collect();
    assert_eq!(delivered, [false, false, true], "newest first");
}

#[tokio::test]
async fn nobody_is_told_what_is_for_others() {
    let scene = Scene::new().await;
    let (admin, viewer) = (scene.person(Role::Admin).await, scene.person(Role::Viewer).await);
    let mut spy = Client::following(&scene.node, admin.access_token.reveal()).await;
    let start = spy.position.clone();
    let admin = session_of(&scene, admin.access_token.reveal()).await;
    let mut client = Client::of(&scene.node, viewer.access_token.reveal()).await;
    let new: NewBroadcast =
        serde_json::from_value(json!({ "title": "Viewers", "to": "viewer" })).unwrap();
    admin.notifications().broadcast(new).await.unwrap();
    assert_eq!(title(&client.next().await), "Viewers");
    // Neither live nor from the log.
    scene.contact("Ada").await;
    assert_eq!(spy.event().await["name"], "contact.created.v1");
    spy.say(&json!({ "type": "subscribe", "topics": ["tenant"], "after": start })).await;
    loop {
        let event = spy.event().await;
        let name = event["name"].as_str().unwrap();
        assert!(!name.starts_with("notification"), "{event}");
        if name == "contact.created.v1" {
            break;
        }
    }
}
