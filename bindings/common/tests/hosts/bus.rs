//! A channel on which every node hears all.

use std::time::Duration;

use async_trait::async_trait;
use crm_conformance::Outage;
use crm_embed::ports::{Arguments, Host, HostError, HostValue};
use futures::{StreamExt as _, stream};
use tokio::sync::{broadcast, watch};

use super::{Given, no_method};

/// A channel that can be cut.
#[derive(Clone)]
pub struct Channel {
    messages: broadcast::Sender<String>,
    open: watch::Sender<bool>,
}

impl Default for Channel {
    fn default() -> Self {
        Channel { messages: broadcast::Sender::new(10_000), open: watch::Sender::new(true) }
    }
}

fn away() -> HostError {
    HostError { retryable: true, ..HostError::new("ConnectionError") }
}

#[async_trait]
impl Outage for Channel {
    async fn begin(&self) {
        self.open.send_replace(false);
    }

    async fn end(&self) {
        self.open.send_replace(true);
    }
}

#[async_trait]
impl Host for Channel {
    async fn call(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> Result<HostValue, HostError> {
        let mut given = Given::new(arguments);
        if !*self.open.borrow() {
            return Err(away());
        }
        match method {
            "publish" => {
                let message = given.text("message");
                assert!(message.len() < 8000, "{} bytes", message.len());
                drop(self.messages.send(message));
                given.done();
                Ok(HostValue::Null)
            }
            "subscribe" => {
                given.done();
                let state = (self.messages.subscribe(), self.open.subscribe());
                let heard = stream::unfold(state, |(mut messages, mut open)| async move {
                    let message = tokio::select! {
                        _ = open.wait_for(|open| !open) => return None,
                        message = messages.recv() => message.unwrap(),
                    };
                    Some((Ok(HostValue::Text(message)), (messages, open)))
                });
                let raised = stream::iter([Err(away())]);
                let listens = stream::iter([Ok(HostValue::Null)]);
                Ok(HostValue::Stream(listens.chain(heard).chain(raised).boxed()))
            }
            other => Err(no_method(other)),
        }
    }

    fn call_now(
        &self,
        method: &'static str,
        _: Arguments,
        _: Duration,
    ) -> Result<HostValue, HostError> {
        Err(no_method(method))
    }

    fn has(&self, method: &str) -> bool {
        ["publish", "subscribe"].contains(&method)
    }
}
