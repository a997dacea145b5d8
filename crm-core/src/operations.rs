//! Every operation by its name: what bindings to other languages call, and what their types are made from.
//!
//! An operation is declared once, beside the others of its entity, with the types that the Rust API has. From
//! that come its arguments' shapes, its reply's shape and the code that runs it, so that no front door can
//! have another idea of it. What moves bytes or goes on and on (imports, exports, recordings, subscriptions)
//! is no operation: see [`STREAMS`].
//!
//! ```
//! # use crm_core::{memory::session_for_docs, operations::{self, Given}};
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! # let session = session_for_docs().await?;
//! let create = operations::named("contacts.create").unwrap();
//! let given = serde_json::json!({ "first_name": "Ada", "emails": [{ "address": "ada@example.com" }] });
//! let reply = create.run_in(session, Given::try_from(given)?).await?;
//! let contact = serde_json::to_value(&*reply).unwrap();
//! assert_eq!(contact["display_name"], "Ada");
//! # Ok::<(), crm_core::Error>(()) }).unwrap();
//! ```

mod declared;
mod followed;
mod given;
mod surface;

use futures::future::BoxFuture;
use schemars::{Schema, SchemaGenerator};

use crate::crm::Crm;
use crate::error::{Error, Result};
use crate::session::Session;

pub use followed::{FollowedEvent, after, position_text};
pub use given::{Argument, Given};
pub use surface::{STREAMS, Stream, input_shape, shape_of, surface};

/// What an operation answers: one value, to be written in any form that serde knows.
pub trait Reply: erased_serde::Serialize + Send + Sync + 'static {}

impl<T: erased_serde::Serialize + Send + Sync + 'static> Reply for T {}

erased_serde::serialize_trait_object!(Reply);

/// One thing that can be done.
#[derive(Debug)]
pub struct Operation {
    /// The namespace and what is done, e.g. `contacts.get`.
    pub name: &'static str,
    /// What the HTTP API calls it, where it has it.
    pub http: Option<&'static str>,
    /// What it does and how it fails, in sentences.
    pub doc: &'static str,
    /// What is given one by one, in this order.
    pub arguments: &'static [ArgumentShape],
    /// What is given as the fields of one value.
    pub fields: Option<Fields>,
    /// The shape of the reply; that of nothing is `null`.
    pub reply: fn(&mut SchemaGenerator) -> Schema,
    run: Run,
}

/// One argument of an operation.
#[derive(Debug)]
pub struct ArgumentShape {
    /// Its name.
    pub name: &'static str,
    /// Whether it has to be given.
    pub required: bool,
    /// Its shape.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

/// The arguments of an operation that are the fields of one value.
#[derive(Debug)]
pub struct Fields {
    /// The shape of the value.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Whether they choose records of a list, as opposed to saying what a record is.
    pub choose: bool,
}

/// An operation at work.
pub type Running = BoxFuture<'static, Result<Box<dyn Reply>>>;

#[derive(Debug, Clone, Copy)]
enum Run {
    /// By somebody, in a tenant.
    Session(fn(Session, Given) -> Running),
    /// By the host itself, or by who wants to come in.
    Crm(fn(Crm, Given) -> Running),
}

impl Operation {
    /// The namespace, e.g. `contacts`.
    pub fn namespace(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(namespace, _)| namespace)
    }

    /// What is done, e.g. `get`.
    pub fn verb(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, verb)| verb)
    }

    /// Whether it is done in a session, as opposed to by the host itself.
    pub fn in_session(&self) -> bool {
        match self.run {
            Run::Session(_) => true,
            Run::Crm(_) => false,
        }
    }

    /// Does it in `session`.
    ///
    /// # Errors
    ///
    /// Those of the operation; `invalid`, `malformed` or `unknown_parameter` for what is given;
    /// `internal` where the operation is none of a session.
    pub fn run_in(&self, session: Session, given: Given) -> Running {
        match self.run {
            Run::Session(run) => run(session, given),
            Run::Crm(_) => self.misplaced(),
        }
    }

    /// Does it for the host.
    ///
    /// # Errors
    ///
    /// Those of [`Operation::run_in`]; `internal` where the operation needs a session.
    pub fn run_for(&self, crm: Crm, given: Given) -> Running {
        match self.run {
            Run::Crm(run) => run(crm, given),
            Run::Session(_) => self.misplaced(),
        }
    }

    /// The shape of the reply, `schema`, and of all `types` that it refers to by `$ref`.
    pub fn reply_shape(&self) -> serde_json::Value {
        surface::root_of(self.reply)
    }

    fn misplaced(&self) -> Running {
        let error = Error::internal("the operation is called from the wrong place");
        Box::pin(std::future::ready(Err(error.in_operation(self.name))))
    }
}

/// Every operation, by namespace.
pub fn all() -> impl Iterator<Item = &'static Operation> {
    declared::TABLES.iter().copied().flatten()
}

/// The operation of this name.
pub fn named(name: &str) -> Option<&'static Operation> {
    all().find(|operation| operation.name == name)
}

/// Declares operations. `name = "id in HTTP": (arguments) -> reply { work }`; after `;` stands the value
/// whose fields are given, after `|` one that chooses records of a list.
macro_rules! operations {
    ($table:ident: $subject:ident as $self:ident;
     $($(#[doc = $doc:literal])+
       $namespace:ident.$verb:ident $(= $http:literal)?:
       ($($arg:ident: $arg_ty:ty),* $(; $body:ident: $body_ty:ty)? $(| $asked:ident: $asked_ty:ty)?)
       -> $reply:ty $work:block)*) => {
        pub(super) const $table: &[Operation] = &[$(Operation {
            name: concat!(stringify!($namespace), ".", stringify!($verb)),
            http: operations!(@http $($http)?),
            doc: concat!($($doc, "\n"),+),
            arguments: &[$(ArgumentShape {
                name: operations!(@name $arg),
                required: <$arg_ty as Argument>::REQUIRED,
                schema: |generator| generator.subschema_for::<$arg_ty>(),
            }),*],
            fields: operations!(@fields $($body_ty)? $(| $asked_ty)?),
            reply: |generator| generator.subschema_for::<$reply>(),
            run: Run::$subject(|$self: $subject, given: Given| Box::pin(async move {
                #[allow(unused_mut, reason = "not every operation takes arguments")]
                let mut given = given;
                #[allow(unused_mut, reason = "nor need they be written to")]
                let mut read = || -> Result<_> {
                    $(let $arg: $arg_ty = given.argument(operations!(@name $arg))?;)*
                    $(let $body: $body_ty = given.value()?;)?
                    $(let $asked: $asked_ty = given.choice()?;)?
                    operations!(@rest given $($body)? $($asked)?);
                    Ok(($($arg,)* $($body,)? $($asked,)?))
                };
                let name = concat!(stringify!($namespace), ".", stringify!($verb));

                let ($($arg,)* $($body,)? $($asked,)?) =
                    read().map_err(|error| error.in_operation(name))?;
                let work = async move { $work };
                let reply: Result<$reply> = work.await;
                reply.map(|reply| Box::new(reply) as Box<dyn Reply>)
            })),
        }),*];
    };
    (@http) => { None };
    (@http $http:literal) => { Some($http) };
    (@name $arg:ident) => { stringify!($arg) };
    (@fields) => { None };
    (@fields $ty:ty) => {
        Some(Fields { schema: |generator| generator.subschema_for::<$ty>(), choose: false })
    };
    (@fields | $ty:ty) => {
        Some(Fields { schema: |generator| generator.subschema_for::<$ty>(), choose: true })
    };
    (@rest $given:ident) => { $given.nothing_else()? };
    (@rest $given:ident $taken:ident) => {};
}
use operations;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
