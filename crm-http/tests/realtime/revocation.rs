//! Connections end with what they were let in by.

use std::time::Duration;

use crm_core::access::{Action as _, FollowEvents, ReadContacts};
use crm_core::identity::{NewApiKey, UserPatch, UserStatus};
use crm_core::{Patch, Role, Session};
use serde_json::json;

use crate::scene::{Client, Node, Scene, arrival};

const ENDED: (u16, &str) = (4401, "session_ended");

async fn session_of(node: &Node, token: &str) -> Session {
    node.crm.identity(arrival(&node.crm)).authenticate(token).await.unwrap()
}

/// The client is sent away, within a second.
async fn is_ended(client: &mut Client) {
    let ended = tokio::time::timeout(Duration::from_secs(1), client.end()).await;
    let (code, reason) = ended.expect("an end within a second").expect("a reason");
    assert_eq!((code, reason.as_str()), ENDED);
}

#[tokio::test]
async fn a_sign_out_ends_its_connections_on_every_node() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let token = viewer.access_token.reveal();
    let other = scene.other_node().await;
    let mut here = Client::of(&scene.node, token).await;
    let mut there = Client::following(&other, token).await;
    let bystander = scene.person(Role::Viewer).await;
    let mut bystander = Client::of(&scene.node, bystander.access_token.reveal()).await;
    session_of(&scene.node, token).await.account().sign_out(None).await.unwrap();
    is_ended(&mut here).await;
    is_ended(&mut there).await;
    bystander.say(&json!({ "type": "ping" })).await;
    assert_eq!(bystander.next().await["type"], "pong");
}

#[tokio::test]
async fn a_user_who_is_disabled_or_has_another_role_is_sent_away() {
    let scene = Scene::new().await;
    let disabled = UserPatch { status: Patch::Set(UserStatus::Disabled), ..Default::default() };
    let promoted = UserPatch { role: Patch::Set(Role::Admin), ..Default::default() };
    for patch in [disabled, promoted] {
        let viewer = scene.person(Role::Viewer).await;
        let token = viewer.access_token.reveal();
        let mut client = Client::following(&scene.node, token).await;
        let user = session_of(&scene.node, token).await.scope().actor().user().unwrap();
        scene.session.users().update(user, patch, None).await.unwrap();
        is_ended(&mut client).await;
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_ends_its_connections() {
    let scene = Scene::new().await;
    let owner = scene.person(Role::Owner).await;
    let owner = session_of(&scene.node, owner.access_token.reveal()).await;
    let scopes = [FollowEvents::NAME, ReadContacts::NAME].map(str::to_owned).to_vec();
    let new = NewApiKey { name: "program".into(), role: Role::Viewer, scopes, expires_at: None };
    let key = owner.api_keys().create(new).await.unwrap();
    let mut client = Client::following(&scene.node, key.secret.reveal()).await;
    scene.contact("Ada").await;
    assert_eq!(client.contacts(1).await, ["Ada"]);
    owner.api_keys().revoke(key.api_key.id).await.unwrap();
    is_ended(&mut client).await;
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let mut client = Client::of(&scene.node, viewer.access_token.reveal()).await;
    scene.node.closing.close();
    assert_eq!(client.end().await, Some((1001, "server_stops".to_owned())));
    let mut late = Client::of(&scene.node, viewer.access_token.reveal()).await;
    assert_eq!(late.end().await, Some((1001, "server_stops".to_owned())));
}
