//! Two connections to one Redis prove what two nodes must.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use async_trait::async_trait;
use crm_conformance::{
    BusFactory, CacheFactory, Configuration, FreshBus, FreshCache, FreshLimits, FreshPresence,
    LimitsFactory, PresenceFactory, Proxy, RealTime,
};
use crm_core::ports::{Cache, EventBus, Limits, Presence, Randomness as _, SystemRandomness};
use crm_core::{Error, Result};
use crm_redis::{Redis, RedisOptions};

struct OnRedis;

impl OnRedis {
    /// Two nodes that share what nobody else uses.
    async fn nodes(&self, way: impl Fn(&str) -> String) -> Result<[Redis; 2]> {
        let url = std::env::var("CRM_TEST_REDIS_URL").expect("CRM_TEST_REDIS_URL is not set");
        let mut random = [0; 8];
        SystemRandomness.fill(&mut random)?;
        let prefix = format!("crm-test:{:x}", u64::from_be_bytes(random));
        let options = RedisOptions { prefix, ..RedisOptions::default() };
        let url = way(&url);
        let one = Redis::connect_with(&url, options.clone()).await?;
        let two = Redis::connect_with(&url, options).await?;
        one.check().await?;
        Ok([one, two])
    }

    async fn straight(&self) -> Result<[Redis; 2]> {
        self.nodes(str::to_owned).await
    }
}

#[async_trait]
impl BusFactory for OnRedis {
    async fn fresh(&self) -> Result<FreshBus> {
        let url = std::env::var("CRM_TEST_REDIS_URL").expect("CRM_TEST_REDIS_URL is not set");
        let host = url.rsplit(['@', '/']).next().unwrap_or_default().to_owned();
        let proxy = Proxy::to(&*host).await.map_err(Error::internal)?;
        let nodes = self.nodes(|url| url.replace(&host, &proxy.address.to_string())).await?;
        let nodes = nodes.each_ref().map(|node| Arc::new(node.bus()) as Arc<dyn EventBus>);
        Ok(FreshBus::new(nodes, proxy))
    }
}

#[async_trait]
impl PresenceFactory for OnRedis {
    async fn fresh(&self) -> Result<FreshPresence> {
        let nodes = self.straight().await?;
        Ok(FreshPresence::new(nodes.map(|node| Arc::new(node.presence()) as Arc<dyn Presence>)))
    }
}

#[async_trait]
impl CacheFactory for OnRedis {
    async fn fresh(&self) -> Result<FreshCache> {
        let nodes = self.straight().await?;
        let nodes = nodes.map(|node| Arc::new(node.cache()) as Arc<dyn Cache>);
        Ok(FreshCache::new(nodes, RealTime))
    }
}

#[async_trait]
impl LimitsFactory for OnRedis {
    async fn fresh(&self) -> Result<FreshLimits> {
        let nodes = self.straight().await?;
        Ok(FreshLimits::new(nodes.map(|node| Arc::new(node.limits()) as Arc<dyn Limits>)))
    }
}

fn main() -> std::process::ExitCode {
    crm_conformance::main([
        Configuration::bus("redis", OnRedis),
        Configuration::presence("redis", OnRedis),
        Configuration::cache("redis", OnRedis),
        Configuration::limits("redis", OnRedis),
    ])
}
