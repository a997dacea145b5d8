//! Caches.

use std::time::Duration;

use bytes::Bytes;
use crm_core::TenantId;
use crm_core::ports::Cached;
use uuid::Uuid;

use crate::case::cases;
use crate::env::CacheEnv;

/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(300);

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

impl CacheEnv {
    /// What each node knows.
    async fn known(&self, tenant: TenantId, key: &str) -> [Option<Bytes>; 2] {
        let mut known = [None, None];
        for (node, known) in self.nodes.iter().zip(&mut known) {
            *known = match node.get(tenant, key).await.unwrap() {
                Cached::Hit(value) => Some(value),
                Cached::Miss(_) => None,
            };
        }
        known
    }

    async fn knows(&self, tenant: TenantId, key: &str, value: &[u8]) {
        let value = Some(Bytes::copy_from_slice(value));
        assert!(self.known(tenant, key).await == [value.clone(), value], "{key}");
    }

    async fn knows_not(&self, tenant: TenantId, key: &str) {
        assert_eq!(self.known(tenant, key).await, [None, None], "{key}");
    }

    /// The ticket of a node that reads.
    async fn ticket(&self, node: usize, tenant: TenantId, key: &str) -> u64 {
        match self.nodes[node].get(tenant, key).await.unwrap() {
            Cached::Miss(ticket) => ticket,
            hit @ Cached::Hit(_) => panic!("{key}: {hit:?}"),
        }
    }

    async fn put(&self, node: usize, tenant: TenantId, key: &str, ticket: u64, value: &[u8]) {
        let value = Bytes::copy_from_slice(value);
        self.nodes[node].put(tenant, key, ticket, value, LONG).await.unwrap();
    }

    async fn read(&self, node: usize, tenant: TenantId, key: &str, value: &[u8]) {
        let ticket = self.ticket(node, tenant, key).await;
        self.put(node, tenant, key, ticket, value).await;
    }
}

cases! {
    async fn what_was_put_is_known(env: &CacheEnv) {
        let acme = tenant(1);
        let large: Vec<u8> = (0..200_000u32).map(|at| (at % 251) as u8).collect();
        let all = [("a", &b"one"[..]), ("a:b", b"two"), ("", b""), ("\u{e9} {x}\r\n", &large)];
        for (key, value) in all {
            env.read(0, acme, key, value).await;
        }
        for (key, value) in all {
            env.knows(acme, key, value).await;
        }
        env.knows_not(acme, "b").await;
        let short = Duration::from_secs(1);
        for node in [0, 1] {
            let ticket = env.ticket(node, acme, "short").await;
            env.nodes[node].put(acme, "short", ticket, "soon over".into(), short).await.unwrap();
            env.time.pass(short * 2).await;
            env.knows_not(acme, "short").await;
        }
        env.knows(acme, "a", b"one").await;
    }

    async fn what_is_forgotten_is_not_known(env: &CacheEnv) {
        let acme = tenant(1);
        for (node, other) in [(0, 1), (1, 0)] {
            for key in ["a", "b", "c"] {
                env.read(node, acme, key, b"old").await;
            }
            let forgotten = ["a", "b", "never put"].map(str::to_owned);
            env.nodes[other].forget(acme, &forgotten).await.unwrap();
            env.knows_not(acme, "a").await;
            env.knows_not(acme, "b").await;
            env.knows(acme, "c", b"old").await;
            env.nodes[other].forget(acme, &[]).await.unwrap();
            env.knows(acme, "c", b"old").await;
            env.read(other, acme, "a", b"new").await;
            env.knows(acme, "a", b"new").await;
            env.nodes[node].forget(acme, &["a", "b", "c"].map(str::to_owned)).await.unwrap();
        }
    }

    async fn what_was_read_before_is_not_put(env: &CacheEnv) {
        let acme = tenant(1);
        for (node, other) in [(0, 1), (1, 0), (0, 0)] {
            let key = format!("{node} {other}");
            let early = env.ticket(node, acme, &key).await;
            env.nodes[other].forget(acme, std::slice::from_ref(&key)).await.unwrap();
            env.put(node, acme, &key, early, b"old").await;
            env.knows_not(acme, &key).await;
            let late = env.ticket(other, acme, &key).await;
            env.put(node, acme, &key, early, b"old").await;
            env.knows_not(acme, &key).await;
            env.put(other, acme, &key, late, b"new").await;
            env.put(node, acme, &key, early, b"old").await;
            env.knows(acme, &key, b"new").await;
        }
    }

    async fn caches_are_per_tenant(env: &CacheEnv) {
        env.read(0, tenant(1), "a", b"of one").await;
        env.knows_not(tenant(2), "a").await;
        env.read(1, tenant(2), "a", b"of two").await;
        env.knows(tenant(1), "a", b"of one").await;
        env.nodes[0].forget(tenant(2), &["a".to_owned()]).await.unwrap();
        env.knows(tenant(1), "a", b"of one").await;
        env.knows_not(tenant(2), "a").await;
        let ticket = env.ticket(0, tenant(1), "b").await;
        env.put(0, tenant(3), "b", ticket, b"of one").await;
        env.knows_not(tenant(3), "b").await;
    }
}
