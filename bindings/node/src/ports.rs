//! Ports written in JavaScript: each method of an object is called on the thread that opened the CRM.
//!
//! What is asked stands in a queue, which that thread works off when its event loop comes to it. While it waits in a
//! blocking call it answers only what is asked at once, such as the clock: what may be asynchronous is left for the
//! event loop. No operation waits for that, only jobs and streams do.

mod values;

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::ThreadId;
use std::time::Duration;

use async_trait::async_trait;
use crm_core::{Error, ErrorKind, Result};
use crm_embed::ports::{
    Arguments, Host, HostError, HostStream, HostValue, Hosts, METHODS, TimeLimits, camel_case,
};
use futures::{StreamExt as _, stream};
use napi::Status;
use napi::bindgen_prelude::{Buffer, Env, FnArgs, Function, FunctionRef};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use serde::Deserialize;
use tokio::sync::{Notify, oneshot};

use crate::bytes::NativeBytes;
use crate::crossing::contained;

pub(crate) use values::Raised;

/// What JavaScript is called with: what is asked, or nothing where another has been served meanwhile.
type Asking = FnArgs<(Option<NativeAsk>,)>;
pub(crate) type Serve<'f> = Function<'f, Asking, ()>;
type Poke = ThreadsafeFunction<(), (), Asking, Status, false, true>;
type Outcome = Result<Option<HostValue>, HostError>;

thread_local! {
    /// The environment of this thread, where it is one of JavaScript that has opened a CRM with ports.
    static ENV: Cell<Option<Env>> = const { Cell::new(None) };
    /// Whether this thread is in a method of a port that the CRM, on this very thread, waits for.
    static ANSWERING: Cell<bool> = const { Cell::new(false) };
}

/// Refuses to wait in a method of a port for the CRM that waits for the method.
pub(crate) fn may_wait() -> Result<()> {
    if !ANSWERING.get() {
        return Ok(());
    }
    let message =
        "a method of a port that is called at once cannot wait for the CRM, which waits for it";
    Err(Error::new(ErrorKind::Conflict, message))
}

/// The way to the objects of one CRM.
pub(crate) struct Desk {
    asked: Arc<Queue>,
    serve: FunctionRef<Asking, ()>,
    poke: Poke,
    thread: ThreadId,
}

#[derive(Default)]
struct Queue {
    asks: Mutex<Asks>,
    came: Notify,
}

#[derive(Default)]
struct Asks {
    /// What a thread waits for.
    at_once: VecDeque<NativeAsk>,
    others: VecDeque<NativeAsk>,
}

impl Queue {
    fn asks(&self) -> MutexGuard<'_, Asks> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, ask: NativeAsk) {
        if ask.at_once {
            self.asks().at_once.push_back(ask);
            self.came.notify_one();
        } else {
            self.asks().others.push_back(ask);
        }
    }

    /// The next for the event loop. What nobody waits for any more is not called.
    fn next(&self) -> Option<NativeAsk> {
        let mut asks = self.asks();
        loop {
            let ask = asks.at_once.pop_front().or_else(|| asks.others.pop_front())?;
            if ask.answer.as_ref().is_some_and(Answer::is_wanted) {
                return Some(ask);
            }
        }
    }

    fn next_at_once(&self) -> Option<NativeAsk> {
        self.asks().at_once.pop_front()
    }

    fn clear(&self) {
        let asks = std::mem::take(&mut *self.asks());
        // Dropped without the lock: an iterator among them asks for its end.
        drop(asks);
    }
}

/// What is called.
#[derive(Clone, Copy)]
enum Called {
    /// A method of an object.
    Method(u32, &'static str),
    /// The next piece of an iterator.
    Next(u32),
    /// The end of an iterator, before its time.
    Leave(u32),
}

/// Who waits for what comes of it.
enum Answer {
    Awaited(oneshot::Sender<Outcome>),
    AtOnce(mpsc::SyncSender<Outcome>),
    Nobody,
}

impl Answer {
    fn is_wanted(&self) -> bool {
        match self {
            Answer::Awaited(sender) => !sender.is_closed(),
            Answer::AtOnce(_) | Answer::Nobody => true,
        }
    }

    fn give(self, outcome: Outcome) {
        // Who has stopped waiting wants no answer.
        match self {
            Answer::Awaited(sender) => drop(sender.send(outcome)),
            Answer::AtOnce(sender) => drop(sender.send(outcome)),
            Answer::Nobody => {}
        }
    }
}

impl Desk {
    /// The way to the objects behind `serve`, for the thread that this is called on.
    pub(crate) fn new(env: &Env, serve: &Serve<'_>) -> napi::Result<Self> {
        let asked = Arc::new(Queue::default());
        let poke = serve.build_threadsafe_function::<()>().weak::<true>().build_callback({
            let asked = Arc::clone(&asked);
            move |_| Ok(FnArgs::from((asked.next(),)))
        })?;
        ENV.set(Some(*env));
        let thread = std::thread::current().id();
        Ok(Desk { asked, serve: serve.create_ref()?, poke, thread })
    }

    /// Asks, wherever this is. JavaScript's own thread does not wait for itself.
    fn ask(&self, ask: NativeAsk) {
        if let Some(env) = self.here().filter(|_| ask.at_once) {
            return self.serve(&env, ask);
        }
        self.asked.push(ask);
        if self.poke.call((), ThreadsafeFunctionCallMode::NonBlocking) != Status::Ok {
            // The thread is ending: who waits for an answer learns that none comes.
            self.asked.clear();
        }
    }

    fn here(&self) -> Option<Env> {
        ENV.get().filter(|_| std::thread::current().id() == self.thread)
    }

    fn serve(&self, env: &Env, ask: NativeAsk) {
        let before = ANSWERING.replace(true);
        let served = self.serve.borrow_back(env);
        // What is not answered is dropped with the ask, and who waits for it is told so.
        drop(served.and_then(|serve| serve.call(FnArgs::from((Some(ask),)))));
        ANSWERING.set(before);
    }

    /// What `work` comes to, on this thread, which answers what is asked at once meanwhile.
    pub(crate) fn wait<T>(&self, env: &Env, work: impl Future<Output = Result<T>>) -> Result<T> {
        may_wait()?;
        let mut work = Box::pin(contained(work));
        loop {
            let done = napi::bindgen_prelude::block_on(async {
                tokio::select! {
                    biased;
                    done = &mut work => Some(done),
                    () = self.asked.came.notified() => None,
                }
            });
            if let Some(done) = done {
                return done;
            }
            while let Some(ask) = self.asked.next_at_once() {
                self.serve(env, ask);
            }
        }
    }
}

/// Something that an object is asked.
#[napi]
pub struct NativeAsk {
    called: Called,
    at_once: bool,
    given: String,
    side: values::Side,
    answer: Option<Answer>,
    desk: Arc<Desk>,
}

#[napi]
impl NativeAsk {
    /// The number of the object, or of the iterator.
    #[napi(getter)]
    pub fn number(&self) -> u32 {
        match self.called {
            Called::Method(number, _) | Called::Next(number) | Called::Leave(number) => number,
        }
    }

    /// The method of the object; nothing for an iterator.
    #[napi(getter)]
    pub fn method(&self) -> Option<String> {
        match self.called {
            Called::Method(_, method) => Some(camel_case(method)),
            Called::Next(_) | Called::Leave(_) => None,
        }
    }

    /// Whether an iterator shall end.
    #[napi(getter)]
    pub fn leaves(&self) -> bool {
        matches!(self.called, Called::Leave(_))
    }

    /// Whether the method must not be asynchronous.
    #[napi(getter)]
    pub fn at_once(&self) -> bool {
        self.at_once
    }

    /// The arguments.
    #[napi(getter)]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// Bytes among the arguments.
    #[napi]
    pub fn bytes(&self, at: u32) -> Buffer {
        self.side.bytes(at).into()
    }

    /// An iterator among the arguments, once.
    #[napi]
    pub fn pieces(&mut self, at: u32) -> Option<NativeBytes> {
        self.side.pieces(at).map(NativeBytes::new)
    }

    /// What the method has answered.
    #[napi]
    pub fn answer(&mut self, value: String, bytes: Vec<Buffer>) {
        let value = values::answered(&value, &bytes, &self.desk);
        self.settle(Ok(Some(value)));
    }

    /// There is nothing more in the iterator.
    #[napi]
    pub fn end(&mut self) {
        self.settle(Ok(None));
    }

    /// What the method has raised.
    #[napi]
    pub fn fail(&mut self, told: String) {
        self.settle(Err(values::raised(&told)));
    }

    fn settle(&mut self, outcome: Outcome) {
        if let Some(answer) = self.answer.take() {
            answer.give(outcome);
        }
    }
}

fn ask(desk: &Arc<Desk>, called: Called, arguments: Arguments, answer: Answer) {
    let (given, side) = values::given(arguments);
    let at_once = matches!(answer, Answer::AtOnce(_));
    let answer = Some(answer);
    desk.ask(NativeAsk { called, at_once, given, side, answer, desk: Arc::clone(desk) });
}

fn ending() -> HostError {
    HostError { retryable: true, ..HostError::new("the thread of the port has ended") }
}

/// An object of the host.
struct NodeHost {
    number: u32,
    methods: HashSet<&'static str>,
    desk: Arc<Desk>,
}

/// What is awaited of JavaScript.
async fn awaited(desk: &Arc<Desk>, called: Called, arguments: Arguments) -> Outcome {
    let (sender, answer) = oneshot::channel();
    ask(desk, called, arguments, Answer::Awaited(sender));
    answer.await.unwrap_or_else(|_| Err(ending()))
}

#[async_trait]
impl Host for NodeHost {
    async fn call(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> Result<HostValue, HostError> {
        let answer = awaited(&self.desk, Called::Method(self.number, method), arguments).await?;
        Ok(answer.unwrap_or(HostValue::Null))
    }

    fn call_now(
        &self,
        method: &'static str,
        arguments: Arguments,
        limit: Duration,
    ) -> Result<HostValue, HostError> {
        let (sender, answer) = mpsc::sync_channel(1);
        let called = Called::Method(self.number, method);
        ask(&self.desk, called, arguments, Answer::AtOnce(sender));
        match answer.recv_timeout(limit) {
            Ok(answer) => Ok(answer?.unwrap_or(HostValue::Null)),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(HostError::late()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(ending()),
        }
    }

    fn has(&self, method: &str) -> bool {
        self.methods.contains(method)
    }

    fn spelling(&self) -> fn(&str) -> String {
        camel_case
    }
}

/// An iterator of JavaScript's. Dropping it ends it.
struct Pulled {
    number: u32,
    desk: Arc<Desk>,
    over: bool,
}

impl Drop for Pulled {
    fn drop(&mut self) {
        if !self.over {
            ask(&self.desk, Called::Leave(self.number), Vec::new(), Answer::Nobody);
        }
    }
}

fn pulled(number: u32, desk: &Arc<Desk>) -> HostStream {
    let pulled = Pulled { number, desk: Arc::clone(desk), over: false };
    let pieces = stream::unfold(pulled, |mut pulled| async move {
        if pulled.over {
            return None;
        }
        let piece = awaited(&pulled.desk, Called::Next(pulled.number), Vec::new()).await;
        pulled.over = !matches!(piece, Ok(Some(_)));
        Some((piece.transpose()?, pulled))
    });
    pieces.boxed()
}

/// An object, as it is told of.
#[derive(Deserialize)]
pub(crate) struct ToldHost {
    number: u32,
    methods: Vec<String>,
}

impl ToldHost {
    fn host(self, desk: &Arc<Desk>) -> Arc<dyn Host> {
        let methods = names().filter(|name| self.methods.contains(&camel_case(name))).collect();
        Arc::new(NodeHost { number: self.number, methods, desk: Arc::clone(desk) })
    }
}

/// The methods of all ports, and the one that the conformance suite calls beside them.
fn names() -> impl Iterator<Item = &'static str> {
    let examined = cfg!(feature = "conformance").then_some("pass_time");
    METHODS.iter().map(|method| method.name).chain(examined)
}

/// The objects of a CRM, as they are told of.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct ToldHosts {
    telephony: BTreeMap<String, ToldHost>,
    event_bus: Option<ToldHost>,
    blobs: Option<ToldHost>,
    clock: Option<ToldHost>,
    channels: BTreeMap<String, ToldHost>,
    port_timeout: Option<f64>,
}

impl ToldHosts {
    /// # Errors
    ///
    /// `invalid` for a time limit that is none.
    pub(crate) fn hosts(self, desk: &Arc<Desk>) -> Result<Hosts> {
        let mut limits = TimeLimits::default();
        if let Some(seconds) = self.port_timeout {
            let limit = Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero());
            limits.call = limit.ok_or_else(|| {
                Error::refused_value("port_timeout", "write a number of seconds above 0")
            })?;
            limits.call_now = limits.call_now.min(limits.call);
            limits.clock = limits.clock.min(limits.call);
        }
        let one = |told: Option<ToldHost>| told.map(|told| told.host(desk));
        let named = |told: BTreeMap<String, ToldHost>| {
            told.into_iter().map(|(name, told)| (name, told.host(desk))).collect()
        };
        Ok(Hosts {
            telephony: named(self.telephony),
            bus: one(self.event_bus),
            blobs: one(self.blobs),
            clock: one(self.clock),
            channels: named(self.channels),
            limits,
        })
    }
}

/// The names of all methods of ports.
#[napi]
pub fn port_methods() -> Vec<String> {
    names().map(camel_case).collect()
}

/// The methods of all ports and the shapes of what they answer, as JSON, for tests.
#[cfg(feature = "conformance")]
#[napi]
pub fn port_contract() -> String {
    crm_embed::ports::contract().to_string()
}

/// Runs the conformance suite of telephony over the carriers that object 0 makes by its method `fresh`, which
/// answers their numbers: the cases, each with what is wrong, as JSON.
#[cfg(feature = "conformance")]
#[napi]
pub fn prove_telephony<'env>(
    env: &'env Env,
    methods: Vec<String>,
    serve: Serve<'_>,
) -> napi::Result<napi::bindgen_prelude::PromiseRaw<'env, String>> {
    let desk = Arc::new(Desk::new(env, &serve)?);
    let maker = ToldHost { number: 0, methods: Vec::new() }.host(&desk);
    let fresh = move || {
        let made = maker.call_now("fresh", Vec::new(), TimeLimits::default().call_now);
        let HostValue::Integer(number) = made.map_err(Error::internal)? else {
            return Err(Error::internal("`fresh` has to answer the number of a carrier"));
        };
        let number = u32::try_from(number).map_err(Error::internal)?;
        Ok(ToldHost { number, methods: methods.clone() }.host(&desk))
    };
    crate::crossing::promise(env, async {
        let proofs = crm_embed::ports::prove_telephony(fresh).await?;
        let proofs: Vec<_> = proofs.into_iter().map(|proof| (proof.case, proof.wrong)).collect();
        serde_json::to_string(&proofs).map_err(Error::internal)
    })
}
