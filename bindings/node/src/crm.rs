//! An open CRM.

use std::sync::{Arc, PoisonError, RwLock};

use crm_core::identity::Arrival;
use crm_core::{Crm, Error, ErrorKind, Principal, Result, Session};
use crm_embed::ports::Ports;
use crm_embed::{Mounting, Opened, Opening};
use napi::bindgen_prelude::{Env, PromiseRaw, within_runtime_if_available};
use napi_derive::napi;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::crossing::{given, operation, parsed, promise, text, thrown, wait};
use crate::mount::NativeMount;
use crate::ports::{Desk, Serve, ToldHosts};
use crate::session::NativeSession;
use crate::webhook::hand_in;
use crate::worker::NativeWorker;

/// What sessions and streams share with the CRM that they came from.
pub(crate) struct Open {
    opened: RwLock<Option<Opened>>,
    /// Whether it is closed, for what waits.
    closed: watch::Sender<bool>,
    /// The way to objects of the host's, where it has written ports.
    desk: Option<Arc<Desk>>,
    /// What ends a bus of the host's: a session is only gone when the garbage is collected.
    ends: Vec<AbortHandle>,
}

impl Open {
    /// The CRM, as long as it is not closed.
    pub(crate) fn crm(&self, asked_by: &'static str) -> Result<Crm> {
        self.look(asked_by, |opened| Ok(opened.crm.clone()))
    }

    fn look<R>(&self, asked_by: &'static str, at: impl FnOnce(&Opened) -> Result<R>) -> Result<R> {
        let held = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || Error::new(ErrorKind::Conflict, "the CRM is closed");
        let found = held.as_ref().ok_or_else(closed).and_then(at);
        found.map_err(|error| error.in_operation(asked_by))
    }

    /// Comes when the CRM is closed.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closed = self.closed.subscribe();
        async move {
            // An error says that the CRM itself is gone.
            let _ = closed.wait_for(|closed| *closed).await;
        }
    }

    /// What `work` comes to, on this very thread.
    pub(crate) fn wait<T>(
        &self,
        env: &Env,
        work: impl Future<Output = Result<T>>,
    ) -> napi::Result<T> {
        match &self.desk {
            Some(desk) => desk.wait(env, work).map_err(|error| thrown(&error)),
            None => wait(work),
        }
    }

    fn close(&self) {
        self.opened.write().unwrap_or_else(PoisonError::into_inner).take();
        self.closed.send_replace(true);
        self.ends.iter().for_each(AbortHandle::abort);
    }
}

/// A CRM of the core.
#[napi]
pub struct NativeCrm {
    open: Arc<Open>,
}

impl NativeCrm {
    fn run(&self, number: u32, args: String) -> impl Future<Output = Result<String>> + use<> {
        // Asked for before the end, it is done after it.
        let begun =
            operation(number).and_then(|operation| Ok((operation, self.open.crm(operation.name)?)));
        async move {
            let (operation, crm) = begun?;
            let reply = operation.run_for(crm, given(operation, &args)?).await?;
            text(&*reply)
        }
    }

    fn begin<W, F>(&self, begin: W) -> impl Future<Output = Result<NativeSession>> + use<W, F>
    where
        W: FnOnce(Crm) -> F,
        F: Future<Output = Result<Session>>,
    {
        let open = Arc::clone(&self.open);
        async move {
            let session = begin(open.crm("crm.session")?).await?;
            Ok(NativeSession::new(open, session))
        }
    }
}

async fn of_user(crm: Crm, tenant: String, user: String) -> Result<Session> {
    let nobody =
        |_| Error::new(ErrorKind::Unauthenticated, "nobody who may work here is signed in");
    let tenant = tenant.parse().map_err(nobody)?;
    let user = user.parse().map_err(nobody)?;
    crm.session(Principal::User { tenant, user }).await
}

async fn of_operator(crm: Crm, tenant: String) -> Result<Session> {
    let tenant = tenant.parse().map_err(|_| Error::not_found("tenant"))?;
    crm.system("the host asked by a binding")?.session(tenant).await
}

async fn of_bearer(crm: Crm, bearer: String) -> Result<Session> {
    let arrival = Arrival { request_id: crm.new_request_id()?, address: None, user_agent: None };
    crm.identity(arrival).authenticate(&bearer).await
}

/// Opens a CRM; the options are those of all bindings. `hosts` are the objects behind its ports, which `serve`
/// calls.
#[napi]
pub fn open<'env>(
    env: &'env Env,
    options: String,
    hosts: Option<String>,
    serve: Option<Serve<'_>>,
) -> napi::Result<PromiseRaw<'env, NativeCrm>> {
    let desk = serve.map(|serve| Desk::new(env, &serve)).transpose()?.map(Arc::new);
    promise(env, async move {
        opened(options, hosts, desk).await.map_err(|error| error.in_operation("crm.open"))
    })
}

async fn opened(
    options: String,
    hosts: Option<String>,
    desk: Option<Arc<Desk>>,
) -> Result<NativeCrm> {
    let opening: Opening = parsed(&options)?;
    let mut ports = Ports::default();
    if let (Some(hosts), Some(desk)) = (hosts, &desk) {
        let hosts = parsed::<ToldHosts>(&hosts)?.hosts(desk)?;
        // The clock is asked at once, and a thread waits for it.
        let new = tokio::task::spawn_blocking(|| Ports::new(hosts, &Handle::current()));
        ports = new.await.map_err(Error::internal)??;
    }
    let ends = ports.ends();
    let opened = Some(opening.open(|builder| ports.equip(builder)).await?);
    let open = Open { opened: RwLock::new(opened), closed: watch::Sender::new(false), desk, ends };
    Ok(NativeCrm { open: Arc::new(open) })
}

#[napi]
impl NativeCrm {
    /// Does an operation of the host; the reply as JSON.
    #[napi]
    pub fn call<'env>(
        &self,
        env: &'env Env,
        number: u32,
        args: String,
    ) -> napi::Result<PromiseRaw<'env, String>> {
        promise(env, self.run(number, args))
    }

    /// The same, on this very thread.
    #[napi]
    pub fn call_blocking(&self, env: &Env, number: u32, args: String) -> napi::Result<String> {
        self.open.wait(env, self.run(number, args))
    }

    /// A session of a user.
    #[napi]
    pub fn session<'env>(
        &self,
        env: &'env Env,
        tenant: String,
        user: String,
    ) -> napi::Result<PromiseRaw<'env, NativeSession>> {
        promise(env, self.begin(|crm| of_user(crm, tenant, user)))
    }

    /// A session of a user, on this very thread.
    #[napi]
    pub fn session_blocking(
        &self,
        env: &Env,
        tenant: String,
        user: String,
    ) -> napi::Result<NativeSession> {
        self.open.wait(env, self.begin(|crm| of_user(crm, tenant, user)))
    }

    /// A session of the host itself, who may do everything in the tenant.
    #[napi]
    pub fn operator<'env>(
        &self,
        env: &'env Env,
        tenant: String,
    ) -> napi::Result<PromiseRaw<'env, NativeSession>> {
        promise(env, self.begin(|crm| of_operator(crm, tenant)))
    }

    /// A session of who presents an access token or an API key.
    #[napi]
    pub fn authenticate<'env>(
        &self,
        env: &'env Env,
        bearer: String,
    ) -> napi::Result<PromiseRaw<'env, NativeSession>> {
        promise(env, self.begin(|crm| of_bearer(crm, bearer)))
    }

    /// Runs jobs, or only hears what other processes have changed.
    #[napi]
    pub fn start(&self, jobs: bool, at_once: Option<u32>) -> napi::Result<NativeWorker> {
        let crm = self.open.crm("crm.start").map_err(|error| thrown(&error))?;
        Ok(NativeWorker::start(crm, &self.open, jobs, at_once))
    }

    /// The routes of the HTTP API; the options are those of all bindings.
    #[napi]
    pub fn mount(&self, options: String) -> napi::Result<NativeMount> {
        let mounted = parsed(&options).map_err(|error| error.in_operation("crm.handler")).and_then(
            |options: Mounting| {
                self.open.look("crm.handler", |opened| {
                    within_runtime_if_available(|| options.mount(opened))
                        .map(|mount| (mount, opened.crm.clone()))
                })
            },
        );
        let (mount, crm) = mounted.map_err(|error| thrown(&error))?;
        Ok(NativeMount::start(mount, crm, &self.open))
    }

    /// Hands in a request of a carrier's, of which `head` has all but the body; what to answer, as JSON.
    #[napi]
    pub fn webhook<'env>(
        &self,
        env: &'env Env,
        head: String,
        body: &[u8],
    ) -> napi::Result<PromiseRaw<'env, String>> {
        let (crm, body) = (self.open.crm("calls.webhook"), body.to_vec());
        promise(env, async move { hand_in(crm?, &head, body).await })
    }

    /// Refuses what comes from now on, and ends what follows events.
    #[napi]
    pub fn close(&self) {
        self.open.close();
    }

    /// Whether the storage answers.
    #[napi]
    pub fn check<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let open = Arc::clone(&self.open);
        promise(env, async move { open.crm("crm.check")?.check().await })
    }
}
