//! The port through which nodes tell each other that there is more to read.

use std::fmt;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use crate::id::TenantId;

/// What one node tells the others. It says where to look, never what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum News {
    /// The tenant's event log has more.
    Events(TenantId),
    /// Who may come in at the tenant has changed: a user, a sign-in, an API key, the tenant itself.
    Standing(TenantId),
    /// Jobs were enqueued.
    Jobs,
    /// Something may have been told that did not come through: everything is to be looked at. Listeners
    /// hear it; nobody tells it.
    Missed,
}

/// Tells nodes that there is more to read. The event log is the truth: what a bus loses costs time, never an
/// event, and what it invents costs a look.
///
/// # Behavior
///
/// - What one tells, every listener of the other nodes hears. Its own node need not, for the core tells
///   that. (`news_reach_the_other_nodes`)
/// - The same news told many times within a short while may be heard once, and is heard after the last
///   telling. (`news_are_heard_after_the_last_telling`)
/// - A listener that could have missed something hears [`News::Missed`] once it hears again.
///   (`who_may_have_missed_news_is_told`)
/// - `tell` neither waits nor fails, also where the bus is away. (`telling_does_not_wait`)
pub trait EventBus: Send + Sync + 'static {
    /// Tells the other nodes, soon. Called after the commit, by whoever committed.
    fn tell(&self, news: News);

    /// What the other nodes tell from now on. It ends with the bus.
    fn listen(&self) -> BoxStream<'static, News>;

    /// Whether other nodes are reached at the moment. Where not, the core looks at the log by itself more
    /// often.
    fn is_up(&self) -> bool;
}

/// The bus of one process: there are no other nodes to tell. A second process over the same store is found
/// by looking.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalBus;

impl EventBus for LocalBus {
    fn tell(&self, _: News) {}

    fn listen(&self) -> BoxStream<'static, News> {
        stream::pending().boxed()
    }

    fn is_up(&self) -> bool {
        false
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            News::Events(tenant) => write!(f, "events of {tenant}"),
            News::Standing(tenant) => write!(f, "standing in {tenant}"),
            News::Jobs => f.write_str("jobs"),
            News::Missed => f.write_str("something was missed"),
        }
    }
}
