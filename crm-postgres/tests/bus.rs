//! News between nodes that share a database.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod stores;
mod support;

use std::time::Duration;

use crm_core::TenantId;
use crm_core::events::News;
use crm_core::ports::EventBus as _;
use crm_postgres::{PostgresBus, SchemaName};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use support::TestDatabase;
use uuid::Uuid;

/// How long anything may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

fn events(number: u128) -> News {
    News::Events(TenantId::from_uuid(Uuid::from_u128(number)))
}

async fn database() -> TestDatabase {
    TestDatabase::create(Some(&stores::migrated().await)).await
}

async fn bus(database: &TestDatabase) -> PostgresBus {
    let url = database.url_as("crm_app");
    PostgresBus::connect(&url, &SchemaName::default()).await.unwrap()
}

/// What is heard up to this, which must come.
async fn up_to(listener: &mut BoxStream<'static, News>, last: News) -> Vec<News> {
    let mut heard = Vec::new();
    let all = async {
        while heard.last() != Some(&last) {
            heard.push(listener.next().await.expect("the bus has ended"));
        }
    };
    assert!(tokio::time::timeout(PATIENCE, all).await.is_ok(), "no {last} after {heard:?}");
    heard
}

async fn until(bus: &PostgresBus, up: bool) {
    let settled = async {
        while bus.is_up() != up {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, settled).await.is_ok(), "never {up}");
}

/// Ends the connections of all buses; `limit` is how many there may be from now on.
async fn cut(database: &TestDatabase, limit: i32) {
    let mut admin = support::connect(&database.admin_url()).await;
    let name = database.name();
    support::run(&mut admin, format!("alter database {name} connection limit {limit}")).await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and application_name = 'crm-core bus'";
    support::run(&mut admin, kill.to_owned()).await;
}

#[tokio::test]
async fn news_reach_another_node_and_not_their_own() {
    let database = database().await;
    let (here, there) = (bus(&database).await, bus(&database).await);
    let (mut own, mut heard) = (here.listen(), there.listen());
    let standing = News::Standing(TenantId::from_uuid(Uuid::from_u128(7)));
    for number in 0..1000 {
        here.tell(events(number));
        here.tell(events(0));
    }
    here.tell(standing);
    here.tell(News::Jobs);
    let heard = up_to(&mut heard, News::Jobs).await;
    assert_eq!(heard.len(), 1002, "each once, of those that were told together");
    assert!(heard.contains(&standing));
    there.tell(News::Jobs);
    assert_eq!(up_to(&mut own, News::Jobs).await, [News::Jobs], "and nothing of its own");

    let another = "other".parse().unwrap();
    let other = PostgresBus::connect(&database.url_as("crm_app"), &another).await.unwrap();
    other.tell(events(1));
    here.tell(News::Jobs);
    assert_eq!(up_to(&mut there.listen(), News::Jobs).await, [News::Jobs], "another schema's");
}

#[tokio::test]
async fn a_connection_that_is_killed_is_made_anew_and_who_listens_is_told() {
    let database = database().await;
    let (here, there) = (bus(&database).await, bus(&database).await);
    let mut heard = there.listen();
    here.tell(events(1));
    up_to(&mut heard, events(1)).await;
    cut(&database, -1).await;
    up_to(&mut heard, News::Missed).await;
    here.tell(events(2));
    up_to(&mut heard, events(2)).await;
    until(&here, true).await;
}

#[tokio::test]
async fn telling_does_not_wait_for_a_server_that_is_away() {
    let database = database().await;
    let (here, there) = (bus(&database).await, bus(&database).await);
    let mut heard = there.listen();
    assert!(here.is_up());
    cut(&database, 0).await;
    until(&there, false).await;
    until(&here, false).await;
    // A call that waited would not come back: nothing else runs on this thread meanwhile.
    here.tell(events(1));
    cut(&database, -1).await;
    // Which of them comes back first is not said.
    let first = tokio::time::timeout(PATIENCE, heard.next()).await.unwrap().unwrap();
    assert!([events(1), News::Missed].contains(&first), "{first}");
    until(&here, true).await;
    until(&there, true).await;
    here.tell(events(2));
    up_to(&mut heard, events(2)).await;
}

#[tokio::test]
async fn listeners_end_with_the_bus_and_a_server_that_is_not_there_is_an_error() {
    let database = database().await;
    let here = bus(&database).await;
    let mut heard = here.listen();
    drop(here);
    let end = tokio::time::timeout(PATIENCE, heard.next()).await;
    assert_eq!(end.expect("it never ends"), None);
    let refused = PostgresBus::connect("mysql://db", &SchemaName::default()).await.unwrap_err();
    assert_eq!(refused.kind(), crm_core::ErrorKind::Invalid);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://crm_app@{closed}/crm");
    let away = PostgresBus::connect(&url, &SchemaName::default()).await.unwrap_err();
    assert_eq!(away.kind(), crm_core::ErrorKind::Unavailable);
}
