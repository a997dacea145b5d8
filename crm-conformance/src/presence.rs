//! Who is connected.

use std::time::Duration;

use crm_core::presence::{Connected, Present};
use crm_core::{TenantId, Timestamp, UserId};
use uuid::Uuid;

use crate::case::cases;
use crate::env::PresenceEnv;

const MINUTE: Duration = Duration::from_secs(60);

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

fn connected(user: u128, connection: u128) -> Connected {
    let user = UserId::from_uuid(Uuid::from_u128(user));
    Connected { user, connection: Uuid::from_u128(connection) }
}

fn start() -> Timestamp {
    "2026-01-05T09:00:00Z".parse().unwrap()
}

impl PresenceEnv {
    /// Every node tells that these are present, each over so many connections.
    async fn tell(&self, tenant: TenantId, now: Timestamp, present: &[(u128, u32)]) {
        let present = present.iter().map(|(user, connections)| {
            let user_id = UserId::from_uuid(Uuid::from_u128(*user));
            Present { user_id, connections: *connections }
        });
        let expected: Vec<Present> = present.collect();
        for node in &self.nodes {
            assert_eq!(node.present(tenant, now).await.unwrap(), expected);
        }
    }
}

cases! {
    async fn who_is_here_is_told(env: &PresenceEnv) {
        let [one, two] = &env.nodes;
        let (acme, now) = (tenant(1), start());
        env.tell(acme, now, &[]).await;
        one.here(acme, &[], now, MINUTE).await.unwrap();
        one.here(acme, &[connected(2, 20), connected(1, 10)], now, MINUTE).await.unwrap();
        env.tell(acme, now, &[(1, 1), (2, 1)]).await;
        two.here(acme, &[connected(1, 11), connected(3, 30)], now, MINUTE).await.unwrap();
        two.here(acme, &[connected(3, 30)], now, MINUTE).await.unwrap();
        env.tell(acme, now, &[(1, 2), (2, 1), (3, 1)]).await;
        one.gone(acme, connected(1, 10)).await.unwrap();
        one.gone(acme, connected(1, 10)).await.unwrap();
        one.gone(acme, connected(4, 40)).await.unwrap();
        env.tell(acme, now, &[(1, 1), (2, 1), (3, 1)]).await;
        // Another node may speak for a connection, e.g. of one that has died.
        one.gone(acme, connected(3, 30)).await.unwrap();
        two.gone(acme, connected(2, 20)).await.unwrap();
        two.gone(acme, connected(1, 11)).await.unwrap();
        env.tell(acme, now, &[]).await;
        let crowd: Vec<Connected> = (0..2500).map(|number| connected(5, number)).collect();
        one.here(acme, &crowd, now, MINUTE).await.unwrap();
        env.tell(acme, now, &[(5, 2500)]).await;
    }

    async fn who_is_not_heard_of_is_gone(env: &PresenceEnv) {
        let [one, two] = &env.nodes;
        let (acme, now) = (tenant(1), start());
        one.here(acme, &[connected(1, 10), connected(2, 20)], now, MINUTE).await.unwrap();
        let later = now.after(MINUTE / 2);
        two.here(acme, &[connected(3, 30)], later, MINUTE).await.unwrap();
        one.here(acme, &[connected(2, 20)], later, MINUTE).await.unwrap();
        let before = now.after(MINUTE - Duration::from_millis(1));
        env.tell(acme, before, &[(1, 1), (2, 1), (3, 1)]).await;
        env.tell(acme, now.after(MINUTE), &[(2, 1), (3, 1)]).await;
        let before = later.after(MINUTE - Duration::from_millis(1));
        env.tell(acme, before, &[(2, 1), (3, 1)]).await;
        env.tell(acme, later.after(MINUTE), &[]).await;
        one.here(acme, &[connected(1, 10)], later.after(MINUTE), MINUTE).await.unwrap();
        env.tell(acme, later.after(MINUTE), &[(1, 1)]).await;
    }

    async fn presence_is_per_tenant(env: &PresenceEnv) {
        let [one, two] = &env.nodes;
        let now = start();
        one.here(tenant(1), &[connected(1, 10), connected(2, 20)], now, MINUTE).await.unwrap();
        two.here(tenant(2), &[connected(1, 10)], now, MINUTE).await.unwrap();
        env.tell(tenant(1), now, &[(1, 1), (2, 1)]).await;
        env.tell(tenant(2), now, &[(1, 1)]).await;
        env.tell(tenant(3), now, &[]).await;
        one.gone(tenant(2), connected(1, 10)).await.unwrap();
        one.gone(tenant(3), connected(2, 20)).await.unwrap();
        env.tell(tenant(1), now, &[(1, 1), (2, 1)]).await;
        env.tell(tenant(2), now, &[]).await;
    }
}
