//! A case, and how it is defined.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::future::BoxFuture;

use crate::env::Env;
use crate::factory::Factory;

/// Something that every store must do. Its name stands in parentheses behind the bullet that promises
/// it.
#[derive(Clone, Copy)]
pub struct Case {
    /// The file that it stands in: an entity.
    pub suite: &'static str,
    /// Its name, unique over all suites.
    pub name: &'static str,
    pub(crate) run: for<'a> fn(&'a Env) -> BoxFuture<'a, ()>,
}

impl Case {
    /// Runs the case on a fresh store.
    ///
    /// # Errors
    ///
    /// What the store did wrong, or why there is none.
    pub fn run(&self, factory: &dyn Factory) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        // Nothing of the environment outlives a panic: each case has its own.
        let run = AssertUnwindSafe(|| {
            runtime.block_on(async {
                let env =
                    Env::new(factory).await.map_err(|error| format!("no store: {error:?}"))?;
                (self.run)(&env).await;
                Ok(())
            })
        });
        catch_unwind(run).unwrap_or_else(|panic| Err(words(&*panic)))
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "the case panicked without words".to_owned())
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.suite, self.name)
    }
}

/// Defines the cases of a file and lists them, so that none can be written and not run.
macro_rules! cases {
    ($($(#[$meta:meta])* async fn $name:ident($env:ident: &Env) $body:block)*) => {
        $($(#[$meta])* async fn $name($env: &crate::env::Env) $body)*

        pub(crate) const CASES: &[crate::case::Case] = &[$(crate::case::Case {
            suite: module_path!().split_at("crm_conformance::".len()).1,
            name: stringify!($name),
            run: |env| Box::pin($name(env)),
        },)*];
    };
}

/// Declares the files with cases and lists them, so that none can be forgotten.
macro_rules! suites {
    ($($suite:ident),*) => {
        $(mod $suite;)*

        /// Every case.
        pub fn cases() -> impl Iterator<Item = &'static Case> {
            [$($suite::CASES,)*].into_iter().flatten()
        }
    };
}

pub(crate) use {cases, suites};
