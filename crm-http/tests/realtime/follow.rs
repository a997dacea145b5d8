//! What clients are told, and what they are told again.

use std::collections::BTreeSet;

use crm_core::Role;
use crm_core::activities::NewActivity;
use crm_core::contacts::{ContactPatch, NewContact};
use crm_core::ports::EventStore as _;
use serde_json::json;

use crate::scene::{Client, Scene, person, tenant};

#[tokio::test]
async fn what_happens_is_told_in_order() {
    let scene = Scene::new().await;
    let owner = scene.person(Role::Owner).await;
    let mut client = Client::following(&scene.node, owner.access_token.reveal()).await;
    let ada = scene.contact("Ada").await;
    let patch: ContactPatch = serde_json::from_value(json!({ "title": "Countess" })).unwrap();
    scene.session.contacts().update(ada.id, patch, None).await.unwrap();
    let (made, changed) = (client.event().await, client.event().await);
    assert_eq!(made["name"], "contact.created.v1");
    assert_eq!(made["subject"], json!({ "kind": "contact", "id": ada.id }));
    assert_eq!(made["actor"], "system");
    assert_eq!(made["data"]["contact"], serde_json::to_value(&ada).unwrap());
    assert_eq!(changed["data"]["changes"]["title"], "Countess");
}

#[tokio::test]
async fn who_comes_back_is_told_what_was_missed_once() {
    let scene = Scene::new().await;
    let owner = scene.person(Role::Owner).await;
    let token = owner.access_token.reveal();
    let mut client = Client::following(&scene.node, token).await;
    scene.contact("Before").await;
    assert_eq!(client.contacts(1).await, ["Before"]);
    let position = client.position.clone();
    drop(client);
    let mut expected = Vec::new();
    // More than a page of the log.
    for number in 0..1_300 {
        scene.contact(&format!("Missed{number}")).await;
        expected.push(format!("Missed{number}"));
    }
    // On a node that was there, and on one that begins only now.
    for node in [scene.node.clone(), scene.other_node().await] {
        let mut client = Client::of(&node, token).await;
        client.say(&json!({ "type": "subscribe", "topics": ["tenant"], "after": position })).await;
        assert_eq!(client.contacts(1_300).await, expected);
    }
    let mut client = Client::of(&scene.node, token).await;
    client.say(&json!({ "type": "subscribe", "topics": ["tenant"], "after": position })).await;
    scene.contact("Later").await;
    expected.push("Later".to_owned());
    assert_eq!(client.contacts(1_301).await, expected, "from the log to what happens now");
}

#[tokio::test]
async fn who_follows_one_contact_hears_of_no_other() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let (ada, bob) = (scene.contact("Ada").await, scene.contact("Bob").await);
    let mut client = Client::of(&scene.node, viewer.access_token.reveal()).await;
    let topic = format!("contact:{}", ada.id);
    client.say(&json!({ "type": "subscribe", "topics": [topic] })).await;
    client.say(&json!({ "type": "ping" })).await;
    assert_eq!(client.next().await["type"], "pong");
    let activities = scene.session.activities();
    for (contact, text) in [(bob.id, "of Bob"), (ada.id, "of Ada")] {
        activities.create(NewActivity::note(contact, text)).await.unwrap();
    }
    scene.session.contacts().delete(bob.id, None).await.unwrap();
    scene.session.contacts().delete(ada.id, None).await.unwrap();
    assert_eq!(client.event().await["data"]["activity"]["body"], "of Ada");
    let deleted = client.event().await;
    assert_eq!(deleted["name"], "contact.deleted.v1");
    assert_eq!(deleted["subject"]["id"], json!(ada.id));
}

#[tokio::test]
async fn nobody_is_told_what_they_may_not_read() {
    let scene = Scene::new().await;
    let mut clients = Vec::new();
    for role in [Role::Viewer, Role::Admin] {
        let token = scene.person(role).await;
        clients.push(Client::of(&scene.node, token.access_token.reveal()).await);
    }
    let start = clients[0].position.clone();
    // Somebody is invited, and signs in: the first is everybody's business, the second the audit's.
    scene.person(Role::Agent).await;
    scene.contact("Last").await;
    let mut told: Vec<BTreeSet<String>> = Vec::new();
    for client in &mut clients {
        let subscribe = json!({ "type": "subscribe", "topics": ["tenant"], "after": start });
        client.say(&subscribe).await;
        let mut names = BTreeSet::new();
        loop {
            let name = client.event().await["name"].as_str().unwrap().to_owned();
            names.insert(name.clone());
            if name == "contact.created.v1" {
                break;
            }
        }
        told.push(names);
    }
    assert!(told[0].contains("user.created.v1"));
    assert!(!told[0].contains("session.started.v1"), "{told:?}");
    assert!(told[1].contains("session.started.v1"), "{told:?}");
}

#[tokio::test]
async fn a_gap_that_cannot_be_filled_is_a_reset() {
    let scene = Scene::new().await;
    let owner = scene.person(Role::Owner).await;
    let token = owner.access_token.reveal();
    let mut client = Client::of(&scene.node, token).await;
    let old = client.position.clone();
    scene.contact("Forgotten").await;
    scene.clock.advance_micros(1_000_000);
    scene.contact("Kept").await;
    let now = scene.node.crm.now();
    scene.store.forget_events(scene.session.scope(), now, 1_000).await.unwrap();
    let unknown = "00ffffffffffffff".to_owned();
    // The feed still has what the log has forgotten, so another node is asked.
    let other = scene.other_node().await;
    for after in [old, unknown] {
        let mut client = Client::of(&other, token).await;
        client.say(&json!({ "type": "subscribe", "topics": ["tenant"], "after": after })).await;
        let reset = client.next().await;
        assert_eq!(reset["type"], "reset", "{reset}");
        scene.contact("Next").await;
        assert_eq!(client.contacts(1).await, ["Next"]);
        assert!(client.position.as_str() > reset["position"].as_str().unwrap());
    }
    client.say(&json!({ "type": "subscribe", "topics": ["tenant"], "after": "tomorrow" })).await;
    let error = client.next().await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("malformed")));
}

#[tokio::test]
async fn no_follower_sees_another_tenant() {
    let scene = Scene::new().await;
    let crm = &scene.node.crm;
    let sessions = [tenant(crm, "one").await, tenant(crm, "two").await, tenant(crm, "three").await];
    let mut clients = Vec::new();
    for session in &sessions {
        let token = person(crm, session, Role::Owner).await;
        clients.push(Client::following(&scene.node, token.access_token.reveal()).await);
    }
    // Who asks for a contact of others by its id gets nothing of it either.
    let foreign =
        sessions[1].contacts().create(NewContact::named("Foreign", "Test")).await.unwrap();
    let token = person(crm, &sessions[0], Role::Owner).await;
    let mut spy = Client::of(&scene.node, token.access_token.reveal()).await;
    let topics = json!([format!("contact:{}", foreign.id)]);
    spy.say(&json!({ "type": "subscribe", "topics": topics, "after": "0000000000000001" })).await;
    let mut writers = Vec::new();
    for (number, session) in sessions.iter().cloned().enumerate() {
        writers.push(tokio::spawn(async move {
            for at in 0..200 {
                let new = NewContact::named(format!("T{number}"), at.to_string());
                session.contacts().create(new).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    sessions[1].contacts().delete(foreign.id, None).await.unwrap();
    for (number, client) in clients.iter_mut().enumerate() {
        let mut told = client.contacts(200 + usize::from(number == 1)).await;
        told.retain(|name| name != "Foreign");
        assert_eq!(told, vec![format!("T{number}"); 200]);
    }
    spy.say(&json!({ "type": "ping" })).await;
    let answer = spy.next().await;
    assert!(answer["type"] == "pong" || answer["type"] == "reset", "{answer}");
}
