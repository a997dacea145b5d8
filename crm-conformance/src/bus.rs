//! Buses between nodes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crm_core::TenantId;
use crm_core::ports::News;
use futures::stream::{BoxStream, StreamExt as _};
use tokio::sync::watch;
use tokio::time;
use uuid::Uuid;

use crate::case::cases;
use crate::env::BusEnv;

/// How long anything may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// After which what was told is taken to have come through.
const QUIET: Duration = Duration::from_millis(200);

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

/// Listens until all of this was heard.
async fn hears(listener: &mut BoxStream<'static, News>, news: impl IntoIterator<Item = News>) {
    let mut missing: BTreeSet<News> = news.into_iter().collect();
    let all = async {
        while !missing.is_empty() {
            let heard = listener.next().await.expect("a bus that is there does not end");
            missing.remove(&heard);
        }
    };
    let heard = time::timeout(PATIENCE, all).await;
    assert!(heard.is_ok(), "never heard: {missing:?}");
}

/// Listens until this was heard, or that anything may have been missed.
async fn hears_of(listener: &mut BoxStream<'static, News>, news: News) {
    let all = async {
        while let Some(heard) = listener.next().await {
            if heard == news || heard == News::Missed {
                return;
            }
        }
        panic!("a bus that is there does not end");
    };
    let heard = time::timeout(PATIENCE, all).await;
    assert!(heard.is_ok(), "never heard: {news}");
}

impl BusEnv {
    /// Waits until both nodes are reached, or both are not.
    async fn until(&self, up: bool) {
        let settled = async {
            while self.nodes.iter().any(|node| node.is_up() != up) {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        let settled = time::timeout(PATIENCE, settled).await;
        assert!(settled.is_ok(), "the nodes do not notice that the bus is there: {up}");
    }

    /// Tells a lot, on a thread that may be held up.
    async fn tell(&self, times: u128) {
        let node = Arc::clone(&self.nodes[0]);
        let telling = tokio::task::spawn_blocking(move || {
            for number in 0..times {
                node.tell(News::Events(tenant(number % 1000)));
                node.tell(News::Jobs);
            }
        });
        time::timeout(Duration::from_secs(2), telling).await.expect("telling waits").unwrap();
    }
}

cases! {
    async fn news_reach_the_other_nodes(env: &BusEnv) {
        env.until(true).await;
        for [from, to] in [[0, 1], [1, 0]] {
            let mut listeners = [env.nodes[to].listen(), env.nodes[to].listen()];
            let news = (1..=300).flat_map(|number| {
                [News::Events(tenant(number)), News::Standing(tenant(u128::MAX - number))]
            });
            let news: Vec<News> = news.chain([News::Jobs]).collect();
            news.iter().for_each(|news| env.nodes[from].tell(*news));
            for listener in &mut listeners {
                hears(listener, news.clone()).await;
            }
        }
    }

    async fn news_are_heard_after_the_last_telling(env: &BusEnv) {
        env.until(true).await;
        let mut listener = env.nodes[1].listen();
        // Who hears the news looks at the log, here at its end alone.
        let log = Arc::new(AtomicU32::new(0));
        let (seen, mut sees) = watch::channel(0);
        let looked = Arc::clone(&log);
        let looking = tokio::spawn(async move {
            while let Some(news) = listener.next().await {
                if news == News::Events(tenant(1)) {
                    seen.send_replace(looked.load(Ordering::SeqCst));
                }
            }
        });
        for round in 1..=20u32 {
            for step in 0..50 {
                log.store(round * 1000 + step, Ordering::SeqCst);
                env.nodes[0].tell(News::Events(tenant(1)));
                if step % 7 == 0 {
                    time::sleep(Duration::from_micros(300)).await;
                }
            }
            let last = round * 1000 + 49;
            let saw = time::timeout(PATIENCE, sees.wait_for(|seen| *seen == last)).await;
            assert!(saw.is_ok(), "the news of {last} were not heard after the telling");
        }
        looking.abort();
    }

    async fn who_may_have_missed_news_is_told(env: &BusEnv) {
        env.until(true).await;
        let mut listener = env.nodes[1].listen();
        for number in 1..=2 {
            env.nodes[0].tell(News::Events(tenant(number)));
            hears_of(&mut listener, News::Events(tenant(number))).await;
            // What has been told by now is not what is heard after the outage.
            while let Ok(Some(_)) = time::timeout(QUIET, listener.next()).await {}
            env.outage.begin().await;
            env.until(false).await;
            env.nodes[0].tell(News::Standing(tenant(number)));
            env.outage.end().await;
            hears(&mut listener, [News::Missed]).await;
            env.until(true).await;
        }
        env.nodes[0].tell(News::Jobs);
        hears_of(&mut listener, News::Jobs).await;
    }

    async fn telling_does_not_wait(env: &BusEnv) {
        env.until(true).await;
        env.tell(20_000).await;
        env.outage.begin().await;
        env.tell(20_000).await;
        env.until(false).await;
        env.tell(20_000).await;
        env.outage.end().await;
        env.until(true).await;
        let mut listener = env.nodes[1].listen();
        env.nodes[0].tell(News::Standing(tenant(1)));
        hears_of(&mut listener, News::Standing(tenant(1))).await;
    }
}
