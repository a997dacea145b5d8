//! Jobs: what is to be done after a commit, kept until it is.

pub mod model;
pub mod requests;
pub mod service;
pub mod store;
pub mod worker;

pub use model::{
    Claim, ClaimedJob, Job, JobEnd, JobKind, JobState, Lease, LeaseUse, NewJob, Schedule,
    Settlement,
};
pub use requests::ListJobs;
pub use service::Jobs;
pub use store::{DueSchedule, JobQuery};
pub use worker::{AtWork, Next, Worker};
